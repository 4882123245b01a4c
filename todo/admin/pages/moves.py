"""What the buttons that move a row say: the row, what it came after, where it goes, and past which row."""

from collections.abc import Sequence
from typing import Any

from todo.admin.moving import Move
from todo.admin.pages.forms import Sent
from todo.errors import Invalid

NONE = "-"


def moves_of(rows: Sequence[Any]) -> dict[Any, dict[str, str]]:
    """Return what the buttons of each row say, by the row's id: `up` and `down`, where it can be moved there."""
    found: dict[Any, dict[str, str]] = {row.id: {} for row in rows}
    ids = [NONE, *(row.id for row in rows)]
    for before, row_id, after in zip(ids, ids[1:], ids[2:], strict=False):
        found[row_id]["down"] = f"{row_id} {before} down {after}"
        found[after]["up"] = f"{after} {row_id} up {row_id}"
    return found


def move_sent(sent: Sent) -> Move:
    """Return the move that a button says. Raise Invalid."""
    match sent.get("move", [""])[-1].split(" "):
        case [row_id, was_after, ("up" | "down") as step, past]:
            return Move(row_id, "" if was_after == NONE else was_after, step, past)
    raise Invalid.field("body.move", "The form does not say what to move. Reload the page.")
