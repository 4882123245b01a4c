"""Inline editing of a cell in a list."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from todo.admin.conflicts import Conflicted
from todo.admin.pages.forms import Sent, controls, form_version, read_values, sent_by, version_of
from todo.admin.pages.guards import may_enter
from todo.admin.pages.lists import as_seen
from todo.admin.pages.renderer import Pages
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.service import AdminService
from todo.errors import FieldError, Forbidden, Invalid, NotFound, Problem

AnyRequest = Request[Any, Any, Any]


class InlineEditPages(Controller):
    """Parts of a list: a cell, the options of a reference."""

    guards = [may_enter]

    @get("/{resource:str}/{row_id:str}/cell/{name:str}", operation_id="show_admin_cell", opt={"any_query": True})
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        name: FromPath[str],
    ) -> Response[Any]:  # fmt: skip
        """Show the control of one field of a row; with `?shown=1`, the cell.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/cell/priority`
        """
        admin = pages.admin(request)
        row = await admin.queries.get(resource, row_id)
        if request.query_params.get("shown"):
            return _cell(pages, request, admin, resource, row, name)
        return _control(pages, request, admin, resource, row, name)

    @post("/{resource:str}/{row_id:str}/cell/{name:str}", operation_id="admin_change_cell", status_code=200)
    async def change(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        name: FromPath[str],
    ) -> Response[Any]:  # fmt: skip
        """Save one field of a row, and show the cell.

        Example: `POST /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/cell/priority` with `priority=2`, `_version=3`
        """
        admin, sent = pages.admin(request), await sent_by(request)
        row, declared = await admin.queries.get(resource, row_id), admin.registry[resource]
        fields = [field for field in admin.editor.writable(resource, adding=False) if field.name == name]
        if "change" in declared.dangerous:
            raise Forbidden("Change this on the row's own page, which asks you to reauthenticate.")
        version = version_of(sent)
        try:
            values = await read_values(admin, fields, sent, admin.actor.timezone)
            saved = await admin.editor.change(resource, row_id, values, version=version, lax=True)
        except Conflicted:
            changed = Invalid.field(f"body.{name}", "Another user has changed this row.")
            return _control(pages, request, admin, resource, row, name, changed, sent, conflict=True)
        except Invalid as problem:
            return _control(pages, request, admin, resource, row, name, problem, sent)
        return _cell(pages, request, admin, resource, saved, name)

    @get("/{resource:str}/named/{name:str}", operation_id="show_admin_named", opt={"any_query": True})
    async def named(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], name: FromPath[str]
    ) -> Response[Any]:
        """List the rows that a reference may refer to, as options of its control. `name` is the control's.

        Example: `GET /admin/users/named/owner_id?owner_id=ada`
        """
        typed = request.query_params.get(name) or request.query_params.get(f"{name}__named", "")
        found = await pages.admin(request).queries.named(resource, str(typed))
        return pages.render(request.scope, "options.html", options=found)


def _cell(pages: Pages, request: AnyRequest, admin: AdminService, resource: str, row: Any, name: str) -> Response[str]:
    declared = admin.registry[resource]
    if name not in declared.fields or name in declared.hidden_from(admin.actor):
        raise NotFound
    field = as_seen(admin, declared.fields[name])
    return pages.render(request.scope, "cell.html", resource=declared, row=row, field=field)


def _control(
    pages: Pages, request: AnyRequest, admin: AdminService, resource: str, row: Any, name: str,
    problem: Problem | None = None, sent: Sent | None = None, *, conflict: bool = False,
) -> Response[str]:  # fmt: skip
    """Render the control of a cell. After a `conflict` it links to the page with the three versions."""
    fields = [field for field in admin.editor.writable(resource, adding=False) if field.name == name]
    if not fields or not admin.may(resource, "change", row):
        raise NotFound
    if problem and not problem.errors:
        problem.errors = [FieldError(f"body.{name}", problem.detail)]
    (one,) = controls(fields, row, admin.actor.timezone, sent=sent, problem=problem)
    values = {
        "resource": admin.registry[resource], "row": row, "field": fields[0], "one": one,
        "version": form_version(sent, row), "conflict": conflict,
    }  # fmt: skip
    return pages.render(request.scope, "cell_form.html", 422 if problem else 200, **values)
