"""`/admin/<resource>/<id>`: show and change one row, with related rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from todo.admin.conflicts import Conflicted
from todo.admin.declaration import ModelAdmin, Resource
from todo.admin.fields import Field, label_of
from todo.admin.pages.adding import show_deleted
from todo.admin.pages.changed_values import KEPT_BY_THE_DATABASE
from todo.admin.pages.forms import Sent, controls, form_version, sent_by, version_of, with_related
from todo.admin.pages.guards import may_enter
from todo.admin.pages.history import changes_of, names_of_references
from todo.admin.pages.inlines import inlines_of, put_in_form
from todo.admin.pages.languages import marked
from todo.admin.pages.list_state import ListQueryText, ListState, list_of
from todo.admin.pages.lists import visible_fields
from todo.admin.pages.reauthentication import require_reauthentication_for
from todo.admin.pages.renderer import Pages
from todo.admin.pages.rows_in_form import Problems, asks_for_lines, carried, grids_of, read_form, save_form, verbs_of
from todo.admin.pages.sections import applies, groups_of, tabs_of
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.queries import is_id
from todo.admin.schemas import Difference, HistoryPage
from todo.admin.service import AdminService
from todo.admin.together import RowNotSaved
from todo.errors import Conflict, Invalid, NotFound, Problem

AnyRequest = Request[Any, Any, Any]
MOST = 200  # rows of an inline whose order is changed there
SHOWN_CHANGES = 5
MOST_REFUSED = 20  # rows that the page of a background job names
TRASHED = marked("Another user has moved this row to the trash. Restore it to save what you typed.")
END = {"next": marked("This is the last of the list."), "previous": marked("This is the first of the list.")}


class RowPages(Controller):
    """Pages of one row."""

    guards = [may_enter]

    @get("/{resource:str}/{row_id:str}", operation_id="show_admin_row")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Show a row: fields, actions, related rows, recent history.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000`
        """
        admin = pages.admin(request)
        declared = admin.registry[resource]
        row = await admin.queries.get(resource, row_id)
        return await _showing(pages, request, admin, declared, row)

    @post("/{resource:str}/{row_id:str}", operation_id="admin_change", status_code=303)
    async def change(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str]
    ) -> Response[Any]:
        """Save the changed fields. After a concurrent change, both changes are shown side by side.

        Example: `POST /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000` with the fields of the form and `_version`
        """
        admin, sent = pages.admin(request), await sent_by(request)
        declared = admin.registry[resource]
        try:
            row = await admin.queries.get(resource, row_id)
        except NotFound:
            return await show_deleted(pages, request, admin, declared, sent)
        if asks_for_lines(sent):
            return await _showing(pages, request, admin, declared, row, sent)
        trashed = _is_trashed(declared, row)
        if trashed and "_restore" not in sent:
            return await _showing(pages, request, admin, declared, row, sent, Conflict(TRASHED))
        fields, grids = admin.editor.writable(resource, adding=False), await grids_of(admin, declared, row, sent)
        await require_reauthentication_for(pages, request, declared, "change")
        try:
            values, edits = await read_form(admin, fields, grids, sent, row.id)
            for name, verb in verbs_of(edits):
                await require_reauthentication_for(pages, request, admin.registry[name], verb)
            row = await _restored(admin, row, resource, values, sent) if trashed else row
            saved = await save_form(admin, resource, row, values, version_of(sent), edits)
        except Invalid as problem:
            return await _showing(pages, request, admin, declared, row, sent, problem)
        except RowNotSaved as refused:
            return await _showing(pages, request, admin, declared, row, sent, refused.problem, refused.below)
        except NotFound:
            return await show_deleted(pages, request, admin, declared, sent)
        except Conflicted as conflict:
            return _conflict(pages, request, declared, row, fields, sent, conflict, carried(sent, grids))
        say = pages.language(request.scope)
        done = say.gettext("%(label)s %(row)s saved.", label=say.translate(declared.label_one), row=saved.display)
        done = done if values or edits else say.gettext("No changes were made.")
        return pages.go(await _after_save(admin, sent, list_of(request, resource), row), done=done)

    @get(
        ["/{resource:str}/{row_id:str}/next", "/{resource:str}/{row_id:str}/previous"],
        operation_id="show_admin_neighbor",
    )
    async def neighbor(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Go to the next or the previous row of the list that this one was opened from.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/next`
        """
        step: Literal["next", "previous"] = "next" if request.scope["path"].endswith("/next") else "previous"
        state, queries = list_of(request, resource), pages.admin(request).queries
        row = await queries.neighbor(resource, await queries.get(resource, row_id), state.list_query(), step)
        if row is None:
            return pages.go(state.row(row_id), done=END[step])
        return pages.go(state.row(row.id))


async def _showing(
    pages: Pages, request: AnyRequest, admin: AdminService, declared: Resource, row: Any,
    sent: Sent | None = None, problem: Problem | None = None, below: Problems | None = None,
) -> Response[str]:  # fmt: skip
    name, timezone = declared.name, admin.actor.timezone
    trashed = _is_trashed(declared, row)
    may_change = admin.may(name, "change") and sent is not None if trashed else admin.may(name, "change", row)
    fields = admin.editor.writable(name, adding=False) if may_change else []
    found = await with_related(admin, controls(fields, row, timezone, sent=sent, problem=problem), row)
    is_table = isinstance(declared, ModelAdmin)
    descendants = await admin.queries.inlines(name, row.id, most=MOST) if is_table else {}
    page = list_of(request, name).row(row.id)
    history = await admin.history.of_row(name, row.id, limit=SHOWN_CHANGES) if is_table else HistoryPage([], None)
    names = await names_of_references(admin, declared, row, changes_of(history))
    facts = [one for one in _facts(admin, declared, fields) if applies(declared, row, one.name)]
    groups = groups_of(declared, found, facts)
    others = [one for one in facts if not any(one in group.facts for group in groups)]
    inlines = inlines_of(admin, declared, row, page, descendants)
    if found:
        put_in_form(admin, inlines, sent, below or {})
    values = {
        "admin": admin, "resource": declared, "row": row, "problem": problem, "below": below, "trashed": trashed,
        "listed": list_of(request, name),
        "version": form_version(sent, row), "unsaved": sent is not None,
        "controls": found, "tabs": tabs_of(declared, groups, inlines),
        "facts": [one for one in others if one.name not in KEPT_BY_THE_DATABASE],
        "kept": [one for one in others if one.name in KEPT_BY_THE_DATABASE],
        "differences": _differences(admin, declared, row),
        "may": {verb: admin.may(name, verb, row) for verb in declared.verbs},
        "actions": [one for one in declared.actions.values() if one.on == "row" and admin.may(name, one.name, row)],
        "links": [] if trashed else pages.links_of(admin.actor, name, row),
        "history": history.items,
        "names": names | await _refused(admin, declared, row),
    }  # fmt: skip
    status = int(problem.status) if problem else 422 if below else 200
    return pages.render(request.scope, "row.html", status, **values)


async def _refused(admin: AdminService, declared: Resource, row: Any) -> dict[str, str]:
    """Return the names of the rows that the page of a background job shows as rejected."""
    if declared.name != "runs" or not row.failures or row.resource not in admin.registry:
        return {}
    ids = [one["id"] for one in row.failures[:MOST_REFUSED] if is_id(one["id"])]
    return await admin.queries.names(row.resource, ids)


def _is_trashed(declared: Resource, row: Any) -> bool:
    trash = getattr(declared, "trash", "")
    return bool(trash) and bool(getattr(row, trash))


async def _restored(
    admin: AdminService, row: Any, resource: str, values: Mapping[str, str], sent: dict[str, list[str]]
) -> Any:
    """Restore the row of a form, which goes on with that version if nothing but the delete came between.

    Raise Invalid for its values.
    """
    admin.editor.accept(admin.registry.table(resource), values, adding=False, lax=True)
    found = await admin.editor.restore(resource, row.id)
    if version_of(sent) == row.version - 1:
        sent["_version"] = [str(found.version)]
    return found


def _conflict(
    pages: Pages, request: AnyRequest, declared: Resource, row: Any, fields: list[Field], sent: Sent,
    conflict: Conflicted, more: Sequence[tuple[str, str]],
) -> Response[str]:  # fmt: skip
    """Show the three versions of every conflicting field. Fields that only others have changed keep their values.

    `more` are fields that are sent again with it.
    """
    timezone = pages.admin(request).actor.timezone
    sides = {side.field: side for side in conflict.sides}
    changed = {name for name in sides if sides[name].mine != sides[name].base}
    # Without the initial values: from here on, both versions are compared with the current row.
    wanted = {name: texts for name, texts in sent.items() if name in changed}
    mine = [one for one in controls(fields, conflict.theirs, timezone, sent=wanted) if one.field.name in sides]
    listed = list_of(request, declared.name)
    values: dict[str, Any] = {
        "resource": declared, "address": listed.row(row.id), "back": listed.at(row.id),
        "name": conflict.theirs.display, "version": conflict.theirs.version, "sides": sides, "mine": mine, "more": more,
    }  # fmt: skip
    return pages.render(request.scope, "conflict.html", 409, **values)


def _facts(admin: AdminService, declared: Resource, fields: list[Field]) -> list[Field]:
    """Return the read-only fields."""
    written = {field.name for field in fields} | set(declared.diff)
    written |= {"failures", "messages"} if declared.name == "runs" else set()  # shown by run.html
    return [field for field in visible_fields(admin, declared) if field.name not in written]


def _differences(admin: AdminService, declared: Resource, row: Any) -> list[Difference]:
    """Return the differences recorded in a row: fields before and after."""
    if not declared.diff or declared.hidden_from(admin.actor).intersection(declared.diff):
        return []
    before, after = (getattr(row, name) or {} for name in declared.diff)
    found = [Difference(name, label_of(name), before.get(name), after.get(name)) for name in {**before, **after}]
    return [one for one in found if one.before != one.after]


async def _after_save(admin: AdminService, sent: Sent, listed: ListState, row: Any) -> str:
    """Return the URL for the button that was pressed. `row` is as it was before: it may no longer be in the list."""
    if sent.get("_then", [""])[-1] != "next":
        return listed.after_save(sent, row.id)
    resource = listed.path.rpartition("/")[2]
    following = await admin.queries.neighbor(resource, row, listed.list_query(), "next")
    return listed.row(following.id) if following else listed.opened_from()
