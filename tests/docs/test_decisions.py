"""Decisions have one number each, and are called by it."""

from pathlib import Path

DECISIONS = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("*.md"))


def test_each_decision_has_a_number_of_its_own() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(len(DECISIONS)))


def test_a_decision_begins_with_its_number() -> None:
    titles = [path.read_text().splitlines()[0] for path in DECISIONS[1:]]
    assert [title[:7] for title in titles] == [f"# {path.name[:4]}." for path in DECISIONS[1:]]
