"""Saved views: named lists, private or shared."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import ColumnElement, and_, false, or_

from todo.access import Actor
from todo.admin.context import AdminContext
from todo.admin.declaration import ActionContext, ModelAdmin, Resource, action
from todo.admin.editor import Editor
from todo.admin.models import RUN, SAVED_VIEW, Run, SavedView
from todo.admin.queries import Queries
from todo.admin.schemas import Failure, ListQuery
from todo.database import ACTOR
from todo.errors import Invalid
from todo.schema import ONE_LINE, Line

OWN_VIEWS = SAVED_VIEW.owner_id == ACTOR
OWN_RUNS = RUN.actor_id == ACTOR


class SavedViewAdmin(ModelAdmin[SavedView]):
    model = SavedView
    icon, group, label_one = "bookmark", "Admin", "Saved view"
    display = "name"
    columns = ("name", "resource", "shared", "owner_id", "updated_at")
    types = {
        "name": Annotated[str, Meta(min_length=1, max_length=80, pattern=ONE_LINE)],
        "query": Annotated[str, Meta(max_length=4000, pattern=ONE_LINE)],
        "resource": Line,
    }
    filters = ("resource", "shared")
    search = ("name",)
    editable = ("name", "query", "shared")
    only_on_add = ("resource",)
    verbs = ("view", "add", "change", "delete")

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return _own_or_shared(tuple(one.name for one in self.registry if one.may(actor, "view")))

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        """Everyone can use shared views, but change only their own."""
        mine = verb == "view" or row.owner_id == actor.id
        return "" if mine else "This view belongs to somebody else: save a view of your own."

    async def add_row(self, do: Any, values: dict[str, Any]) -> SavedView:
        name = values["resource"]
        if name not in self.registry:
            raise Invalid.field("body.resource", f"There is no resource {name}.", "not_found")
        row: SavedView = await super().add_row(do, values | {"owner_id": do.actor.user_id})
        return row


@lru_cache(maxsize=100)
def _own_or_shared(resources: Sequence[str]) -> ColumnElement[bool]:
    """Select one's own views, and those that are shared of these resources."""
    of_these = or_(false(), *(SAVED_VIEW.resource == name for name in resources))
    return or_(OWN_VIEWS, and_(SAVED_VIEW.shared, of_these))


class RunAdmin(ModelAdmin[Run]):
    model = Run
    name, label, label_one = "runs", "Background jobs", "Background job"
    icon, group = "progress", "Admin"
    display = "action"
    columns = ("resource", "action", "status", "total", "done", "failed", "actor_id", "created_at")
    sums = ("done", "failed")
    types = {"status": Literal["draft", "waiting", "running", "done", "failed", "cancelled"]}
    filters = ("status", "resource", "actor_id", "created_at")
    schemas = {"failures": Failure}
    every_row = "runs.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_RUNS

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        from todo.admin.undo import obstacle_of  # noqa: PLC0415 -- which uses the service, which uses this file

        if verb == "cancel":
            return "" if row.status in {"waiting", "running"} else "This is not running."
        return obstacle_of(row) if verb == "undo" else ""

    @action("Cancel")
    async def cancel(self, do: ActionContext, row: Run) -> None:
        """Stop before the next rows. What is done stays; of an import, the rest can be downloaded."""
        await self.writer(do).update({"status": "cancelled"}, row, action="runs.cancel")

    @action("Undo", background=True)
    async def undo(self, do: ActionContext, row: Run) -> str:
        """Give all rows their values back, and remove those that an import added, unless they have changed since."""
        from todo.admin.service import AdminService  # noqa: PLC0415 -- as above
        from todo.admin.undo import undo_run  # noqa: PLC0415 -- as above

        return await undo_run(AdminService(self.registry, do.database, do.session.origin, do.session), do.session, row)


class SavedViews:
    """The saved views of a list."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._queries, self._editor = context, queries, editor

    async def of_list(self, resource: str) -> list[Any]:
        """Return the actor's own and the shared views of a resource, or none without permission."""
        if not self._context.may("saved_views", "view"):
            return []
        list_query = ListQuery(filters={"resource": [resource]}, limit=200, facets=False)
        return (await self._queries.page("saved_views", list_query)).items

    async def save(self, resource: str, name: str, query: str, *, shared: bool = False) -> Any:
        """Save a list under a name; `query` is the query string without `?`. Raise Forbidden, Invalid or Conflict."""
        values = {"resource": self._context.resource(resource).name, "name": name, "query": query, "shared": shared}
        return await self._editor.add("saved_views", values)

    async def delete(self, view_id: Any) -> None:
        """Delete a view. Raise Forbidden or NotFound."""
        await self._editor.delete("saved_views", view_id)


ADMINS: list[type[Resource]] = [SavedViewAdmin, RunAdmin]
