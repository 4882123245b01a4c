"""Invariants of the tables, as SQL that operators and tests can run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """`violations` selects the sorted ids of the rows of `table` that break the rule.

    `repair` holds UPDATE statements that correct these rows, run in order in one transaction, and idempotent; empty
    where a person must decide. `advice` explains what to do about the remaining rows.
    """

    name: str
    meaning: str
    table: str
    violations: str
    repair: tuple[str, ...] = ()
    advice: str = "No repair fits these rows: please report it with the ids and their audit log."
