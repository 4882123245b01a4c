"""Rows of another resource below a row."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Inline:
    """Rows of another resource whose field `via` refers to this row, shown below it.

    `order_by` is a field of theirs with their positions, whole numbers: they are shown in this order, and moved in it.
    With `in_form` they are lines of the form of this row, saved with it in one transaction; so are those of a new row.
    """

    resource: str
    via: str
    order_by: str = ""
    in_form: bool = False


def renumbered(positions: Sequence[int], added: int = 0) -> Sequence[int]:
    """Return positions for rows in a new order, from those that they have: these, unless two are equal.

    There are more for rows that are `added`.
    """
    if len({*positions}) < len(positions):
        return range(len(positions) + added)
    following = max(positions, default=-1) + 1
    return [*sorted(positions), *range(following, following + added)]


def arranged(rows: Sequence[tuple[int, str] | None]) -> Sequence[int]:
    """Return positions for rows in this order, from the position and the id that each has; None is a new row.

    New rows at the end leave the others where they are.
    """
    kept = [row for row in rows if row is not None]
    positions, added = [position for position, _ in kept], len(rows) - len(kept)
    if [*rows] != [*sorted(kept), *[None] * added]:
        return renumbered(positions, added)
    following = max(positions, default=-1) + 1
    return [*positions, *range(following, following + added)]
