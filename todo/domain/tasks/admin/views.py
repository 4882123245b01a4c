"""Views, as operators see them."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.projects.models import PROJECT
from todo.domain.projects.schemas import Color, Name
from todo.domain.tasks.admin.sharing import OWN, lock_projects_at, owner_of
from todo.domain.tasks.views.models import VIEW, View
from todo.domain.tasks.views.schemas import Filter, GroupBy, Position, Sort, ViewIn, ViewOut, ViewPatch
from todo.domain.tasks.views.services import ViewService
from todo.errors import Invalid

OWN_VIEWS = or_(VIEW.user_id == ACTOR, VIEW.project_id.in_(OWN))


class ViewAdmin(ModelAdmin[View]):
    model = View
    icon, group = "filter", "Work"
    display = "name"
    columns = ("name", "user_id", "project_id", "filter", "position", "created_at")
    widgets = {"color": "color"}
    types = {
        "name": Name, "filter": Filter, "sort": Sort | None, "group_by": GroupBy, "color": Color | None,
        "position": Position,
    }  # fmt: skip
    filters = ("user_id", "project_id", "group_by", "created_at")
    search = ("name",)
    editable = ("name", "filter", "sort", "group_by", "color", "position")
    only_on_add = ("user_id", "project_id")
    verbs = ("view", "add", "change", "delete", "export")
    every_row = "views.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_VIEWS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """All projects of the owner come before a view of one of them."""
        await lock_projects_at(do, select(VIEW.project_id).where(VIEW.id == row_id))

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> ViewOut:
        person, project_id = values.pop("user_id", None), values.get("project_id")
        if person and project_id:
            raise Invalid.field("body.user_id", "Give the id of a person or that of a project, not both.")
        person = await owner_of(do, project_id) if project_id else person or do.actor.id
        if person is None:
            raise Invalid.field("body.user_id", "Give the id of a person, or that of a project.")
        if not project_id and person != do.actor.id and not do.actor.may(self.every_row):
            raise Invalid.field("body.user_id", "There is no such user.", "not_found")
        return await ViewService(do.session, do.actor, person).add(ViewIn(**values))

    async def change_row(self, do: ActionContext, row: View, values: dict[str, Any]) -> None:
        await (await _views(do, row)).change_fields(row.id, ViewPatch(**values), None)

    async def delete_row(self, do: ActionContext, row: View) -> None:
        await (await _views(do, row)).remove(row.id, None)


async def _views(do: ActionContext, row: View) -> ViewService:
    """The row itself has been found within the actor's scope already."""
    owner = await do.session.scalar(select(PROJECT.owner_id).where(PROJECT.id == row.project_id))
    return ViewService(do.session, do.actor, row.user_id or owner)
