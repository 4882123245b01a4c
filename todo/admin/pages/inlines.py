"""The rows below a row on its page."""

from collections.abc import Mapping
from typing import Any

from todo.admin.declaration import Resource
from todo.admin.inlines import Inline
from todo.admin.pages.forms import Sent
from todo.admin.pages.grids import Grid, has_grid
from todo.admin.pages.list_state import ListState, list_below
from todo.admin.pages.lists import as_seen
from todo.admin.pages.moves import moves_of
from todo.admin.pages.row_menus import applies
from todo.admin.pages.rows_in_form import Problems, grid_in_form, lines_of
from todo.admin.schemas import ListResult
from todo.admin.service import AdminService


def inlines_of(
    admin: AdminService, declared: Resource, row: Any, page: str, found: Mapping[str, ListResult]
) -> list[dict[str, Any]]:
    """Return what the page of a row, at this address, shows of each of its inlines that were found."""
    inlines = [one for one in declared.inlines if one.resource in found]
    return [_inline(admin, one, list_below(one, row.id, page), found[one.resource]) for one in inlines]


def put_in_form(admin: AdminService, inlines: list[dict[str, Any]], sent: Sent | None, problems: Problems) -> None:
    """Make those inlines that can be lines of the form such lines, as they are or as they were sent."""
    for one in inlines:
        grid = grid_in_form(admin, one["inline"], one["found"], sent)
        one |= {"grid": grid, "lines": lines_of(grid, sent, problems)} if grid else {}


def new_lines(grids: Mapping[str, Grid], sent: Sent, problems: Problems) -> list[dict[str, Any]]:
    """Return what the page that adds a row shows of its inlines: lines for new rows, also as they were sent."""
    return [
        {
            "resource": grid.resource,
            "grid": grid,
            "lines": lines_of(grid, sent, problems),
            "found": None,
            "listed": None,
        }
        for grid in grids.values()
    ]


def _inline(admin: AdminService, inline: Inline, listed: ListState, found: ListResult) -> dict[str, Any]:
    """Return the first rows of an inline with what may be done to each, and the list that they are the first of."""
    declared = admin.registry[inline.resource]
    hidden = declared.hidden_from(admin.actor)
    names = [name for name in declared.columns if name not in {inline.via, inline.order_by} | hidden]
    fields = [as_seen(admin, declared.fields[name]) for name in names]
    writable = {field.name for field in admin.editor.writable(declared.name, adding=False)}
    verbs = ("change", "delete") if writable else ("delete",)
    may = {row.id: {verb for verb in verbs if applies(admin, declared, verb, row)} for row in found.items}
    can_move = inline.order_by in writable and all("change" in verbs for verbs in may.values())
    return {
        "resource": declared, "inline": inline, "via": inline.via, "listed": listed, "found": found,
        "grid": None, "may_add": admin.may(inline.resource, "add"), "several": has_grid(admin, inline),
        "may": may, "moves": moves_of(found.items) if can_move else {},
        "fields": [field for field in fields if not field.heavy],
    }  # fmt: skip
