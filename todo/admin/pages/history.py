"""`/admin/<resource>/<id>/history` and `/explanation`: the changes of a row, reverting one, and why it came up."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from todo.admin.actions import sentence
from todo.admin.declaration import Resource
from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.languages import zone
from todo.admin.pages.list_state import ListQueryText, list_of
from todo.admin.pages.reauthentication import require_reauthentication_for
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.pages.templating import displays
from todo.admin.schemas import Difference, HistoryPage
from todo.admin.service import AdminService
from todo.errors import Conflict, Invalid, NotFound

AnyRequest = Request[Any, Any, Any]
Moment = Annotated[str, QueryParameter(max_length=40, description="Date and time, in your time zone.")]
Cursor = Annotated[str | None, QueryParameter(max_length=500, description="Cursor of the next page.")]


class HistoryPages(Controller):
    """What happened to a row."""

    guards = [may_enter]

    @get("/{resource:str}/{row_id:str}/history", operation_id="show_admin_history")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        cursor: Cursor = None, listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """List the changes of a row with actor, time, source and values, newest first.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/history`
        """
        admin = pages.admin(request)
        declared, row = admin.registry[resource], await admin.queries.get(resource, row_id)
        history = await admin.history.of_row(resource, row_id, cursor)
        values = {
            "resource": declared, "row": row, "history": history,
            "names": await names_of_references(admin, declared, row, changes_of(history)),
            "may_change": admin.may(resource, "change"), "listed": list_of(request, resource),
        }  # fmt: skip
        return pages.render(request.scope, "history.html", **values)

    @get("/{resource:str}/{row_id:str}/as-of", operation_id="show_admin_as_of")
    async def as_of(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        at: Moment, listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Show a row as it was at a time in your time zone.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/as-of?at=2026-11-01T09:00`
        """
        admin = pages.admin(request)
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise Invalid.field("query.at", "Enter a valid date and time.") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone(admin.actor.timezone))
        found = await admin.history.as_of(resource, row_id, moment)
        declared, row = admin.registry[resource], await admin.queries.get(resource, row_id)
        held = [Difference(name, "", value, None) for name, value in found.values.items()]
        values: dict[str, Any] = {
            "resource": declared, "row": row, "found": found,
            "names": await names_of_references(admin, declared, row, [*found.changed, *held]),
            "listed": list_of(request, resource), "at": at,
        }  # fmt: skip
        return pages.render(request.scope, "as_of.html", **values)

    @get("/{resource:str}/{row_id:str}/explanation", operation_id="show_admin_explanation")
    async def explain(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        listed: ListQueryText = "",
    ) -> Response[Any]:  # fmt: skip
        """Show why a row did or did not come up.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/explanation`
        """
        admin = pages.admin(request)
        found = await admin.explanations.of_row(resource, row_id)
        values: dict[str, Any] = {
            "resource": admin.registry[resource], "listed": list_of(request, resource), "found": found,
            "may_view": [one.name for one in admin.resources()],
        }  # fmt: skip
        return pages.render(request.scope, "explanation.html", **values)

    @post("/{resource:str}/{row_id:str}/revert", operation_id="admin_revert", status_code=303)
    async def revert(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str]
    ) -> Response[Any]:
        """Restore the fields of one change to their previous values, unless they have changed since.

        Example: `POST /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/revert` with the field `event`
        """
        event = (await sent_by(request)).get("event", [""])[-1]
        back = list_of(request, resource).row(row_id, "/history")
        admin = pages.admin(request)
        await require_reauthentication_for(pages, request, admin.registry[resource], "change")
        try:
            await admin.history.revert(resource, row_id, UUID(event))
        except ValueError:
            raise NotFound from None
        except (Conflict, Invalid) as problem:
            return pages.go(back, refused=sentence(problem))
        return pages.go(back, done="The change was reverted.")


def changes_of(history: HistoryPage) -> list[Difference]:
    """Return the changed fields of all entries."""
    return [one for entry in history.items for one in entry.changes]


async def names_of_references(
    admin: AdminService, resource: Resource, row: Any, changes: Iterable[Difference]
) -> dict[str, str]:
    """Return the display names of the rows that changes of a row refer to, by their ids. A query for each resource."""
    known = {str(getattr(row, name)): label for name, label in displays(row).items()}
    wanted: dict[str, set[str]] = {}
    for change in changes:
        field = resource.fields.get(change.field)
        there = field.reference if field else ""
        for side in (change.before, change.after) if there else ():
            given = side if isinstance(side, list) else [side]
            wanted.setdefault(there, set()).update(str(one) for one in given if one and str(one) not in known)
    for there, ids in wanted.items():
        known |= await admin.queries.names(there, ids)
    return known
