"""Saved views: lists as people want to find them again, some of them for everybody."""

from typing import Annotated, Any, Literal

from msgspec import Meta
from sqlalchemy import ColumnElement, or_

from todo.access import Actor
from todo.admin.declaration import ModelAdmin, Resource
from todo.admin.importing import Importing
from todo.admin.models import RUN, SAVED_VIEW, Run, SavedView
from todo.admin.schemas import Asked
from todo.database import ACTOR
from todo.schema import ONE_LINE, Line

OWN_OR_SHARED = or_(SAVED_VIEW.owner_id == ACTOR, SAVED_VIEW.shared)
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
        return OWN_OR_SHARED

    def has(self, actor: Actor, verb: str, row: Any) -> bool:
        """Everybody uses shared views, and changes only their own."""
        return verb == "view" or row.owner_id == actor.id

    async def add_row(self, do: Any, values: dict[str, Any]) -> SavedView:
        row: SavedView = await super().add_row(do, values | {"owner_id": do.actor.user_id})
        return row


class RunAdmin(ModelAdmin[Run]):
    model = Run
    name, label, label_one = "runs", "Background actions", "Background action"
    icon, group = "progress", "Admin"
    display = "action"
    columns = ("resource", "action", "status", "total", "done", "failed", "actor_id", "created_at")
    types = {"status": Literal["waiting", "running", "done", "failed"]}
    filters = ("status", "resource", "actor_id", "created_at")
    every_row = "runs.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_RUNS


class Views(Importing):
    """The part of the service about saved views and what goes on in the background."""

    async def views(self, resource: str) -> list[Any]:
        """Their own views of a resource and the shared ones; none without the permission."""
        if not self.may("saved_views", "view"):
            return []
        return (await self.page("saved_views", Asked(filters={"resource": [resource]}, limit=200, facets=False))).items

    async def save_view(self, resource: str, name: str, query: str, *, shared: bool = False) -> Any:
        """Keep a list under a name; `query` is what its URL says after the `?`. Raises Forbidden, Invalid, Conflict."""
        values = {"resource": self.resource(resource).name, "name": name, "query": query, "shared": shared}
        return await self.add("saved_views", values)

    async def delete_view(self, view_id: Any) -> None:
        """Raises Forbidden, NotFound."""
        await self.delete("saved_views", view_id)

    async def run(self, run_id: Any) -> Any:
        """How far an action in the background is. Raises Forbidden, NotFound."""
        return await self.get("runs", run_id)


ADMINS: list[type[Resource]] = [SavedViewAdmin, RunAdmin]
