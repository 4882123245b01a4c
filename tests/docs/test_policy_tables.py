"""The tables of docs/recurrence.md say what the vectors say."""

from support.policy_tables import PAGE, tables, with_tables


def test_the_tables_are_those_of_the_vectors() -> None:
    assert with_tables(PAGE.read_text()) == PAGE.read_text(), "run: just tables"


def test_every_policy_has_its_values_in_a_table() -> None:
    values = (
        *("on_invalid_date backward", "on_invalid_date forward", "on_invalid_date omit"),
        *("on_missed skip_to_next", "on_missed backfill", "on_missed expire"),
        *(
            "shift previous",
            "shift next",
            "shift nearest",
            "shift skip",
            "anchor completion",
            "pauses ",
            "opens either",
            "opens on_close",
            "opens on_time",
        ),
    )

    assert [value for value in values if value not in tables()] == []
