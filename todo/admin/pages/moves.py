"""What the buttons that move a row say: the row, between which it was seen, where it goes, and past which row."""

from collections.abc import Sequence
from typing import Any

from todo.admin.moving import Move
from todo.admin.pages.forms import Sent
from todo.errors import Invalid

NONE = "-"


def moves_of(rows: Sequence[Any]) -> dict[Any, dict[str, str]]:
    """Return what the buttons of each row say, by the row's id: `up` and `down`, where it can be moved there."""
    found: dict[Any, dict[str, str]] = {row.id: {} for row in rows}
    ids = [NONE, *(str(row.id) for row in rows), NONE]
    for row, before, after in zip(rows, ids, ids[2:], strict=False):
        steps = {"up": before, "down": after}
        found[row.id] = {
            step: f"{row.id} {before} {after} {step} {past}" for step, past in steps.items() if past != NONE
        }
    return found


def move_sent(sent: Sent) -> Move:
    """Return the move that a button says. Raise Invalid."""
    match sent.get("move", [""])[-1].split(" "):
        case [row_id, before, after, ("up" | "down") as step, past]:
            was_after, was_before = ("" if one == NONE else one for one in (before, after))
            return Move(row_id, was_after, was_before, step, past)
    raise Invalid.field("body.move", "The form does not say what to move. Reload the page.")
