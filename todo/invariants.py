"""What must hold in the tables at any time, as SQL that an operator and the tests can run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """`violations` selects the ids of the rows that break a rule: of `table`, sorted, none when all is well.

    `repair` holds statements that put these rows right, run in order in one transaction; empty where a person must
    decide. Running them again changes nothing.
    """

    name: str
    meaning: str
    table: str
    violations: str
    repair: tuple[str, ...] = ()
