"""Pages for actions on one row, a selection, all matching rows, or the resource."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from todo.admin.actions import sentence
from todo.admin.conflicts import Conflicted
from todo.admin.declaration import Action, Resource
from todo.admin.fields import Field
from todo.admin.pages.forms import Sent, controls, read_values, sent_by, version_of
from todo.admin.pages.guards import may_enter
from todo.admin.pages.languages import Language, marked
from todo.admin.pages.list_state import ListState, read_state
from todo.admin.pages.reauthentication import require_reauthentication
from todo.admin.pages.renderer import Pages
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.pages.templating import called
from todo.admin.pages.urls import safe
from todo.admin.schemas import Difference, Failure, Outcome, Preview, Selection
from todo.admin.service import AdminService
from todo.admin.values import fields_of_action
from todo.errors import Conflict, Forbidden, Invalid, NotFound, Problem

AnyRequest = Request[Any, Any, Any]
PREVIEWED = 100  # rows listed individually in the preview of a delete
LABELS = {"change": marked("Edit"), "delete": marked("Delete"), "restore": marked("Restore")}
DONE = {
    "change": marked("%(rows)s updated."),
    "delete": marked("%(rows)s deleted."),
    "restore": marked("%(rows)s restored."),
}


@dataclass(frozen=True)
class BulkAction:
    """A requested action and its target."""

    resource: Resource
    name: str
    action: Action | None
    ids: list[str]
    listed: ListState  # the list that the rows were selected in
    back: str
    matching: bool = False  # all rows of the list are selected
    version: int | None = None  # of the one row, as it was when it was asked about
    changed: Sequence[Difference] = ()  # what others have changed in it since

    @property
    def state(self) -> ListState | None:
        return self.listed if self.matching else None

    @property
    def on(self) -> Selection:
        if self.state is not None:
            return Selection(matching=self.state.list_query())
        return Selection(ids=_uuids(self.ids))

    @property
    def misses_rows(self) -> bool:
        """Return whether the action needs rows and none are selected."""
        return (self.action is None or self.action.on == "row") and not self.ids and self.state is None

    @property
    def label(self) -> str:
        return self.action.label if self.action else LABELS[self.name]

    @property
    def is_dangerous(self) -> bool:
        """Return whether the action requires reauthentication: it is declared dangerous, or cannot be undone."""
        if self.action is not None:
            return self.action.dangerous
        if self.name in self.resource.dangerous:
            return True
        from_trash = self.state is not None and self.state.trash
        return self.name == "delete" and (from_trash or not getattr(self.resource, "trash", ""))


class ActionPages(Controller):
    """Pages for actions."""

    guards = [may_enter]

    @get("/{resource:str}/act/{name:str}", operation_id="show_admin_act")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], name: FromPath[str]
    ) -> Response[Any]:
        """Show the form of an action on the resource as a whole.

        Example: `GET /admin/signing_keys/act/rotate`
        """
        admin = pages.admin(request)
        declared = admin.registry[resource]
        action = declared.actions.get(name)
        if action is None or action.on == "row" or not admin.may(resource, name):
            raise NotFound
        return await _ask(
            pages,
            request,
            admin,
            BulkAction(declared, name, action, [], ListState(f"/admin/{resource}"), f"/admin/{resource}"),
        )

    @post("/{resource:str}/act", operation_id="admin_act", status_code=303)
    async def act(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Run an action, after a form, a confirmation or reauthentication where required.

        Example: `POST /admin/users/act` with the fields `action=disable`, `id`, `confirmed`
        """
        sent = await sent_by(request)
        admin = pages.admin(request, _last(sent, "_reason") or None)
        task = _read(admin, resource, sent)
        if task.misses_rows:
            return pages.go(task.back, refused="Select at least one row.")
        if "confirmed" not in sent and _asks(task):
            return await _ask(pages, request, admin, task)
        if task.is_dangerous or await _ends_rows(admin, task):
            await require_reauthentication(pages, request)
        try:
            form = await _form(admin, task, sent)
            outcome = await _carry_out(admin, task, form)
        except Invalid as problem:
            return await _ask(pages, request, admin, task, sent, problem)
        except Conflicted as conflict:
            task = replace(task, version=conflict.theirs.version, changed=conflict.changed)
            return await _ask(pages, request, admin, task, sent, Conflict("Another user has changed this row."))
        return _message(pages, request, task, outcome)


def _read(admin: AdminService, resource: str, sent: Sent) -> BulkAction:
    """Parse the request. Raise NotFound, Forbidden or Invalid."""
    # The menu of a row in a list says which action is carried out on which row.
    name, _, row_id = _last(sent, "on").partition(" ")
    declared, name = admin.registry[resource], name or _last(sent, "action")
    action = declared.actions.get(name)
    if action is None and name not in LABELS:
        raise NotFound(f"There is no action {name} for {declared.label.lower()}.")
    verb = name if action else {"restore": "delete"}.get(name, name)
    if not admin.may(resource, verb):
        raise Forbidden(f"This needs the permission {resource}.{verb}.", slug="permission-required")
    query = _last(sent, "state").removeprefix("?")
    state = read_state(f"/admin/{resource}", query)
    back = safe(_last(sent, "back") or state.opened_from(row_id or None))
    ids = list(dict.fromkeys([row_id] if row_id else sent.get("id", [])))
    matching = "matching" in sent
    version = version_of(sent) if "_version" in sent and len(ids) == 1 and not matching else None
    return BulkAction(declared, name, action, [] if matching else ids, state, back, matching, version)


async def _carry_out(admin: AdminService, task: BulkAction, form: dict[str, Any]) -> Outcome:
    """Run the action. Raise Conflicted where it was asked about another version of the row.

    What nobody sees, such as that a worker looked at a series, matters to a delete alone.
    """
    name = task.resource.name
    if task.version is None:
        return await admin.actions.act(name, task.name, task.on, form, lax=True)
    try:
        return await admin.actions.act_on_one(name, task.name, task.ids[0], form, version=task.version, lax=True)
    except Conflicted as conflict:
        if conflict.changed or task.name == "delete":
            raise
        return await _carry_out(admin, replace(task, version=conflict.theirs.version), form)
    except Invalid:
        raise
    except Problem as problem:
        return Outcome(0, [Failure(task.ids[0], sentence(problem))])


def _asks(task: BulkAction) -> bool:
    """Return whether the action has a form or a confirmation."""
    form = task.action is not None and task.action.form is not None
    wide = task.state is not None
    return form or wide or task.is_dangerous or task.name in {"delete", "change"}


async def _ask(
    pages: Pages, request: AnyRequest, admin: AdminService, task: BulkAction, sent: Sent | None = None,
    problem: Problem | None = None,
) -> Response[str]:  # fmt: skip
    """Render the page with the form or confirmation."""
    found = controls(_fields(admin, task), None, admin.actor.timezone, sent=sent, problem=problem)
    if task.action is None:  # only ticked fields are written
        found = [replace(one, required=False) for one in found]
    values = {
        "task": task, "resource": task.resource, "controls": found, "problem": problem,
        "chosen": (sent or {}).get("_set", []),
        "preview": await _preview(admin, task), "names": await _names(admin, task),
        "total": await _total(admin, task, pages.language(request.scope)),
    }  # fmt: skip
    return pages.render(request.scope, "action.html", int(problem.status) if problem else 200, **values)


async def _preview(admin: AdminService, task: BulkAction) -> Preview | None:
    """Return what a delete would also delete or change."""
    if task.name != "delete" or task.action is not None or task.state is not None:
        return None
    return await admin.editor.preview(task.resource.name, task.ids[:PREVIEWED])


async def _ends_rows(admin: AdminService, task: BulkAction) -> bool:
    """Return whether a row to delete is already in the trash, so that it is deleted permanently."""
    if task.name != "delete" or task.action is not None or not task.ids:
        return False
    return not (await admin.editor.preview(task.resource.name, task.ids)).to_trash


async def _names(admin: AdminService, task: BulkAction) -> list[str]:
    if not task.ids or task.name == "delete":
        return []
    found = [await admin.queries.get(task.resource.name, row_id) for row_id in task.ids[:10]]
    return [called(row, task.resource) or str(row.id) for row in found]


async def _total(admin: AdminService, task: BulkAction, say: Language) -> str:
    """Describe the number of selected rows."""
    if task.state is None:
        return say.rows_of(task.resource, len(task.ids)) if task.ids else ""
    listed = await admin.queries.page(task.resource.name, task.state.list_query())
    return f"{say.about(listed.total or 0, listed.total_is_exact)} {say.mid_sentence(task.resource.label)}"


def _fields(admin: AdminService, task: BulkAction) -> list[Field]:
    """Return the fields of an action's form."""
    if task.action is None:
        return admin.editor.writable(task.resource.name, adding=False) if task.name == "change" else []
    return fields_of_action(task.action)


async def _form(admin: AdminService, task: BulkAction, sent: Sent) -> dict[str, Any]:
    """Parse the form; for many rows only the ticked fields. Raise Invalid."""
    fields, timezone = _fields(admin, task), admin.actor.timezone
    if task.action is None:
        ticked = [field for field in fields if field.name in sent.get("_set", [])]
        begun = {name: values for name, values in sent.items() if not name.startswith("_was.")}
        return dict(await read_values(admin, ticked, begun, timezone))
    return dict(await read_values(admin, fields, sent, timezone, whole=True))


def _message(pages: Pages, request: AnyRequest, task: BulkAction, outcome: Outcome) -> Response[Any]:
    """Redirect back with a message, or show the result page when there is more to report."""
    if outcome.run is not None:
        return pages.go(f"/admin/runs/{outcome.run}", done="Running in the background.")
    if outcome.failed or outcome.messages:
        status = 409 if outcome.failed and not outcome.done else 200
        return pages.render(
            request.scope, "action_result.html", status, task=task, resource=task.resource, outcome=outcome
        )
    gone = task.name == "delete" and task.action is None
    say = pages.language(request.scope)
    count, label = say.rows_of(task.resource, outcome.done), say.translate(task.label)
    done = say.gettext(DONE[task.name], rows=count) if task.action is None else f"{label}: {count}."
    if not task.ids and not task.matching:
        done = say.gettext("%(action)s: done.", action=label)
    one_row = len(task.ids) == 1 and task.back.startswith(f"/admin/{task.resource.name}/")
    return pages.go(task.listed.opened_from() if gone and one_row else task.back, done=done)


def _uuids(ids: list[str]) -> list[Any]:
    """Convert ids of tables to UUIDs; leave others unchanged."""
    try:
        return [UUID(row_id) for row_id in ids]
    except ValueError:
        return list(ids)


def _last(sent: Sent, name: str) -> str:
    return sent[name][-1] if sent.get(name) else ""
