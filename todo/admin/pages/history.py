"""`/admin/<resource>/<id>/history`: everything that happened to a row, and undoing one change of it."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter

from todo.admin.actions import sentence
from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.reauthentication import require_reauthentication_for
from todo.admin.pages.sign_in import PagesDependency
from todo.errors import Conflict, Invalid, NotFound

AnyRequest = Request[Any, Any, Any]
Cursor = Annotated[str | None, QueryParameter(max_length=500, description="Where the page before ended.")]


class HistoryPages(Controller):
    """What happened to a row."""

    guards = [may_enter]

    @get("/{resource:str}/{row_id:str}/history", operation_id="show_admin_history")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str],
        cursor: Cursor = None,
    ) -> Response[Any]:  # fmt: skip
        """Every change with who, when, from where, before and after; newest first.

        Example: `GET /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/history`
        """
        admin = pages.admin(request)
        values = {
            "resource": admin.registry[resource], "row": await admin.queries.get(resource, row_id),
            "history": await admin.history.of_row(resource, row_id, cursor),
            "may_change": admin.may(resource, "change"),
        }  # fmt: skip
        return pages.render(request.scope, "history.html", **values)

    @post("/{resource:str}/{row_id:str}/revert", operation_id="admin_revert", status_code=303)
    async def revert(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], row_id: FromPath[str]
    ) -> Response[Any]:
        """Give the fields of one change the values they had before; refused when they were changed again since.

        Example: `POST /admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/revert` with the field `event`
        """
        event = (await sent_by(request)).get("event", [""])[-1]
        back = f"/admin/{resource}/{row_id}/history"
        admin = pages.admin(request)
        await require_reauthentication_for(pages, request, admin.registry[resource], "change")
        try:
            await admin.history.revert(resource, row_id, UUID(event))
        except ValueError:
            raise NotFound from None
        except (Conflict, Invalid) as problem:
            return pages.go(back, refused=sentence(problem))
        return pages.go(back, done="The change is undone.")
