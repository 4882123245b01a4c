"""The published vectors (tests/vectors/recurrence/README.md), run against our rules."""

import json
from datetime import UTC, datetime
from itertools import islice

import pytest
from support.vectors import VECTORS, Case, cases, local, plan_of

from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import RuleError, canonical
from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.occurrences import after_completion, due, in_pause, next_after
from todo.domain.recurrence.rules.plan import PlannedOccurrence
from todo.domain.recurrence.rules.preview import preview
from todo.domain.recurrence.rules.timing import OpenOccurrence, opens_at, over_at


def sent(original_start: datetime | None, like: str) -> str | None:
    return original_start and written(original_start, all_day="T" not in like)


def written_starts(occurrences: tuple[PlannedOccurrence, ...], like: str) -> list[str | None]:
    return [sent(occurrence.original_start, like) for occurrence in occurrences]


@pytest.mark.parametrize("case", cases("occurrences"))
def test_occurrences(case: Case) -> None:
    plan, expected, start = plan_of(case), case["occurrences"], case["series"]["start"]

    found = preview(plan, len(expected) + 1, case.get("owner_zone", "UTC")).occurrences

    for occurrence, wanted in zip(islice(found, len(expected)), expected, strict=True):
        if isinstance(wanted, str):
            assert sent(occurrence.original_start, start) == wanted
        else:
            assert sent(occurrence.original_start, start) == wanted["original_start"]
            assert occurrence.at == local(wanted["at"])
    assert len(found) == len(expected) or not case.get("ends")


@pytest.mark.parametrize("case", cases("next"))
def test_next(case: Case) -> None:
    wanted = case["next"]

    occurrence = next_after(plan_of(case), local(wanted["after"]), wanted["n"])

    assert sent(occurrence and occurrence.original_start, case["series"]["start"]) == wanted["original_start"]
    assert "number" not in wanted or (occurrence and occurrence.n) == wanted["number"]


@pytest.mark.parametrize("case", cases("completed"))
def test_completed(case: Case) -> None:
    done = case["completed"]

    occurrence = after_completion(plan_of(case), local(done["original_start"]), local(done["completed"]), done["n"])

    assert sent(occurrence and occurrence.original_start, case["series"]["start"]) == done["next"]
    assert "number" not in done or (occurrence and occurrence.n) == done["number"]


@pytest.mark.parametrize("case", cases("decide_missed"))
def test_catch_up(case: Case) -> None:
    wanted, start = case["decide_missed"], case["series"]["start"]
    waits_for = PlannedOccurrence(local(wanted["waits_for"]), wanted["n"])

    plan = plan_of(case)
    late = {local(text): local(instant) for text, instant in wanted.get("late", {}).items()}
    starts = [local(text) for text in wanted["open"]]
    still_open = [OpenOccurrence(start, late.get(start) or over_at(plan, start)) for start in starts]
    decision = decide_missed(plan, waits_for, still_open, local(wanted["now"]))

    assert written_starts(decision.opens, start) == wanted["opens"]
    assert sent(decision.next and decision.next.original_start, start) == wanted["next"]
    assert decision.all_listed == wanted.get("all_listed", True)
    if decision.all_listed:
        assert written_starts(decision.missed, start) == wanted["missed"]
        assert written_starts(decision.paused, start) == wanted.get("paused", [])
        assert [sent(original_start, start) for original_start in decision.closes] == wanted["closes"]


@pytest.mark.parametrize("case", cases("opens"))
def test_opens(case: Case) -> None:
    plan, original_start, at = plan_of(case), local(case["opens"]["original_start"]), case["opens"]["at"]

    assert in_pause(plan, original_start) is (at is None)
    assert at is None or opens_at(plan, original_start) == local(at).astimezone(UTC)


@pytest.mark.parametrize("case", cases("due"))
def test_due(case: Case) -> None:
    assert due(plan_of(case), local(case["due"]["original_start"])) == local(case["due"]["due"])


@pytest.mark.parametrize("case", cases("refused"))
def test_refused(case: Case) -> None:
    with pytest.raises(RuleError) as problem:
        plan_of(case)

    assert problem.value.field == case["refused"]


@pytest.mark.parametrize("case", cases("canonical"))
def test_canonical(case: Case) -> None:
    plan = plan_of(case)

    assert canonical(plan.rule, plan.count, plan.until) == case["canonical"]


def test_there_are_at_least_500_cases_with_names_of_their_own() -> None:
    names = [(path.stem, case["name"]) for path in VECTORS.glob("*.json") for case in json.loads(path.read_text())]

    assert len(names) >= 500
    assert len(set(names)) == len(names)
