"""Rows of another resource below a row."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Inline:
    """Rows of another resource whose field `via` refers to this row, shown below it.

    `order_by` is a field of theirs with their positions, whole numbers: they are shown in this order, and moved in it.
    """

    resource: str
    via: str
    order_by: str = ""


def renumbered(positions: Sequence[int]) -> Sequence[int]:
    """Return positions for rows in a new order, from those that they have: these, unless two are equal."""
    return sorted(positions) if len({*positions}) == len(positions) else range(len(positions))
