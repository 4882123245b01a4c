"""What must hold in the tables at any time, as SQL that an operator and the tests can run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Invariant:
    """`violations` selects the ids of the rows that break a rule: of `table`, sorted, none when all is well.

    `repair` holds UPDATE statements that put these rows right, run in order in one transaction; empty where a person
    must decide. Running them again changes nothing. `advice` is for what they leave: what a person can do.
    """

    name: str
    meaning: str
    table: str
    violations: str
    repair: tuple[str, ...] = ()
    advice: str = "No repair fits these rows: please report it with the ids and their audit log."
