"""`/admin/<resource>/<id>/rows/<below>`: add, change and move rows below a row."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from todo.admin.inlines import Inline
from todo.admin.moving import move
from todo.admin.pages.forms import sent_by
from todo.admin.pages.grids import EMPTY, Grid, Line
from todo.admin.pages.guards import may_enter
from todo.admin.pages.list_state import ListQueryText, list_of
from todo.admin.pages.moves import move_sent
from todo.admin.pages.reauthentication import require_reauthentication_for
from todo.admin.pages.renderer import Pages
from todo.admin.pages.rows_in_form import below as edits_below
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.service import AdminService
from todo.admin.together import NotSaved, save_together
from todo.errors import Conflict, NotFound

AnyRequest = Request[Any, Any, Any]
SHOWN = 50  # rows that there are


class RowsBelowPages(Controller):
    """Forms of several rows."""

    guards = [may_enter]

    @get("/{resource:str}/{row_id:str}/rows/{below:str}", operation_id="show_admin_rows_below")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        below: FromPath[str], listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Show the rows below a row as one form, with empty lines for new ones.

        Example: `GET /admin/projects/0190f5f0-7c1d-7000-8000-000000000000/rows/sections`
        """
        admin = pages.admin(request)
        row = await admin.queries.get(resource, row_id)
        grid = await _grid(admin, resource, row, below)
        return _render(pages, request, resource, row, grid, grid.lines())

    @post("/{resource:str}/{row_id:str}/rows/{below:str}", operation_id="admin_save_rows_below", status_code=303)
    async def save(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        below: FromPath[str],
    ) -> Response[Any]:  # fmt: skip
        """Save the lines in which something was typed: all of them, or none. With `_more`, show more empty ones.

        Example: `POST /admin/projects/0190f5f0-7c1d-7000-8000-000000000000/rows/sections` with `_count`, `name-0`
        """
        admin, sent = pages.admin(request), await sent_by(request)
        row = await admin.queries.get(resource, row_id)
        grid = await _grid(admin, resource, row, below)
        if "_more" in sent:
            return _render(pages, request, resource, row, grid, grid.again(sent, {}, EMPTY))
        for verb in ("add", "change"):
            await require_reauthentication_for(pages, request, grid.resource, verb)
        try:
            edits = edits_below(await grid.edits(sent), grid.inline, row.id)
            saved = await save_together(admin, below, edits)
        except NotSaved as refused:
            return _render(pages, request, resource, row, grid, grid.again(sent, refused.problems), 422)
        done = pages.language(request.scope).ngettext("%(num)s row saved.", "%(num)s rows saved.", len(saved))
        return pages.go(f"{list_of(request, resource).row(row.id)}#rows-{below}", done=done)

    @post("/{resource:str}/{row_id:str}/rows/{below:str}/order", operation_id="admin_order_rows_below", status_code=303)
    async def order(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        below: FromPath[str],
    ) -> Response[Any]:  # fmt: skip
        """Move one of the rows below a row past another one, and say between which it was seen, `-` for none.

        Example: `POST /admin/projects/0190f5f0-7c1d-7000-8000-000000000000/rows/sections/order` with `move`
        """
        admin, sent = pages.admin(request), await sent_by(request)
        inline = _inline(admin, resource, below)
        if not inline.order_by:
            raise NotFound
        await require_reauthentication_for(pages, request, admin.registry[below], "change")
        back = f"{list_of(request, resource).row(row_id)}#rows-{below}"
        try:
            row, place, count = await move(admin, resource, row_id, inline, move_sent(sent))
        except Conflict as conflict:
            return pages.go(back, refused=conflict.detail)
        say = pages.language(request.scope)
        done = say.gettext("%(row)s moved to place %(place)s of %(count)s.", row=row.display, place=place, count=count)
        return pages.go(back, done=done)


async def _grid(admin: AdminService, resource: str, row: Any, below: str) -> Grid:
    """Return the form of the rows below a row. Raise NotFound where nothing of it may be written."""
    inline = _inline(admin, resource, below)
    found = await admin.queries.inlines(resource, row.id, SHOWN)
    if below not in found:
        raise NotFound
    grid = Grid(admin, inline, found[below].items, more=found[below].next_cursor is not None)
    if not grid.columns:
        raise NotFound
    return grid


def _inline(admin: AdminService, resource: str, below: str) -> Inline:
    found = [one for one in admin.registry[resource].inlines if one.resource == below]
    if not found:
        raise NotFound
    return found[0]


def _render(
    pages: Pages, request: AnyRequest, resource: str, row: Any, grid: Grid, lines: Sequence[Line], status: int = 200
) -> Response[str]:
    declared, listed = grid.resource.registry[resource], list_of(request, resource)
    values = {
        "resource": declared, "row": row, "listed": listed, "grid": grid, "lines": lines, "refused": status != 200,
        "address": listed.row(row.id, f"/rows/{grid.resource.name}"),
        "back": f"{listed.row(row.id)}#rows-{grid.resource.name}",
    }  # fmt: skip
    return pages.render(request.scope, "rows_below.html", status, **values)
