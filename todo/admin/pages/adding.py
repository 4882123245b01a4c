"""`/admin/<resource>/add`: a new row, with new rows below it; also as a copy of another row."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from todo.admin.declaration import Resource
from todo.admin.pages.forms import WAS, Control, Sent, controls, copied, sent_by, with_related
from todo.admin.pages.grids import DELETED
from todo.admin.pages.guards import may_enter
from todo.admin.pages.inlines import new_lines
from todo.admin.pages.list_state import ListQueryText, list_of
from todo.admin.pages.reauthentication import require_reauthentication_for
from todo.admin.pages.renderer import Pages
from todo.admin.pages.rows_in_form import (
    Problems,
    add_form,
    asks_for_lines,
    copied_lines,
    new_grids,
    read_form,
    verbs_of,
)
from todo.admin.pages.sections import groups_of, tabs_of
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.service import AdminService
from todo.admin.together import RowNotSaved
from todo.errors import Forbidden, Invalid, NotFound, Problem

AnyRequest = Request[Any, Any, Any]


class AddPages(Controller):
    """Forms of new rows."""

    guards = [may_enter]

    @get("/{resource:str}/add", operation_id="show_admin_add", opt={"any_query": True})
    async def show(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Show the form for a new row, prefilled from the query.

        Example: `GET /admin/tasks/add?owner_id=0190f5f0-7c1d-7000-8000-000000000000`
        """
        admin = pages.admin(request)
        declared = _addable(admin, resource)
        given = {name: [value] for name, value in request.query_params.items()}
        return await _form(pages, request, admin, declared, given)

    @post("/{resource:str}/add", operation_id="admin_add", status_code=303)
    async def add(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Add a row with the rows below it: all of them, or none. Errors are shown next to their fields.

        Example: `POST /admin/tasks/add` with the fields of the form
        """
        admin, sent = pages.admin(request), await sent_by(request)
        declared = _addable(admin, resource)
        if asks_for_lines(sent):
            return await _form(pages, request, admin, declared, sent, unsaved=True)
        await require_reauthentication_for(pages, request, declared, "add")
        try:
            fields = admin.editor.writable(resource, adding=True)
            values, edits = await read_form(admin, fields, new_grids(admin, declared), sent)
            for name, verb in verbs_of(edits):
                await require_reauthentication_for(pages, request, admin.registry[name], verb)
            row = await add_form(admin, resource, values, edits)
        except Invalid as problem:
            return await _form(pages, request, admin, declared, sent, problem, unsaved=True)
        except RowNotSaved as refused:
            return await _form(pages, request, admin, declared, sent, refused.problem, refused.below, unsaved=True)
        say = pages.language(request.scope)
        done = say.gettext("%(label)s %(row)s added.", label=say.translate(declared.label_one), row=row.display)
        return pages.go(list_of(request, resource).after_save(sent, row.id), done=done)

    @get("/{resource:str}/{row_id:str}/copy", operation_id="show_admin_copy")
    async def copy(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Show the form for a new row, filled in from this one and the rows below that are lines of its form.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/copy`
        """
        admin = pages.admin(request)
        declared = _addable(admin, resource)
        row = await admin.queries.get(resource, row_id)
        found = controls(admin.editor.writable(resource, adding=True), row, admin.actor.timezone, adding=True)
        lines, too_many = await copied_lines(admin, declared, row)
        return await _form(pages, request, admin, declared, copied(found, row) | lines, too_many=too_many)


async def show_deleted(
    pages: Pages, request: AnyRequest, admin: AdminService, declared: Resource, sent: Sent
) -> Response[str]:
    """Show what was typed into the form of a row that is deleted now, as a new one. Raise NotFound for other forms."""
    if "_version" not in sent or not admin.editor.writable(declared.name, adding=True):
        raise NotFound
    listed = list_of(request, declared.name)
    above = {name: [*values] for name, values in listed.filters.items() if listed.back}  # the row that it was below
    typed = above | {name: texts for name, texts in sent.items() if not name.startswith(WAS)}
    gone = NotFound(DELETED if admin.may(declared.name, "add") else "Another user has deleted this row.")
    return await _form(pages, request, admin, declared, typed, gone, unsaved=True)


def _addable(admin: AdminService, resource: str) -> Resource:
    """Return a resource to which this actor may add rows. Raise NotFound or Forbidden."""
    declared = admin.registry[resource]
    if not admin.may(resource, "add"):
        raise Forbidden(f"This needs the permission {resource}.add.", slug="permission-required")
    return declared


async def _form(
    pages: Pages, request: AnyRequest, admin: AdminService, declared: Resource, sent: Sent,
    problem: Problem | None = None, below: Problems | None = None, *,
    unsaved: bool = False, too_many: Sequence[Resource] = (),
) -> Response[str]:  # fmt: skip
    """`too_many`: resources of rows that are not copied, as there are too many for the form."""
    found = await _controls(admin, declared, sent, problem)
    lines = new_lines(new_grids(admin, declared), sent, below or {})
    listed = list_of(request, declared.name)
    values = {
        "resource": declared, "tabs": tabs_of(declared, groups_of(declared, found), lines), "problem": problem,
        "below": below, "controls": found, "listed": listed, "unsaved": unsaved, "too_many": too_many,
        "address": f"{listed.path}/add{listed.row_query}",
    }  # fmt: skip
    status = int(problem.status) if problem else 422 if below else 200
    return pages.render(request.scope, "add.html", status, **values)


async def _controls(admin: AdminService, declared: Resource, sent: Sent, problem: Problem | None) -> list[Control]:
    fields = admin.editor.writable(declared.name, adding=True)
    found = controls(fields, None, admin.actor.timezone, sent=sent, problem=problem, adding=True)
    given = getattr(declared, "defaults", {})  # set by the service when not given
    found = [replace(one, required=one.required and one.field.name not in given) for one in found]
    return await with_related(admin, found)
