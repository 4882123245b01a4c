"""docs/cli.md is what the commands say of themselves."""

from docs.pages import ROOT

from todo.cli.reference import reference


def test_the_reference_is_up_to_date() -> None:
    text = (ROOT / "docs/cli.md").read_text()

    assert text == reference(), "run `python -m todo.cli.reference > docs/cli.md`"
