"""Labels, as operators see them."""

from typing import Any

from sqlalchemy import ColumnElement

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.projects.schemas import Color
from todo.domain.tasks.labels import rules
from todo.domain.tasks.labels.models import LABEL, Label
from todo.domain.tasks.labels.schemas import LabelIn, LabelOut, LabelPatch, Position
from todo.domain.tasks.labels.services import LabelService
from todo.errors import Invalid

OWN_LABELS = LABEL.user_id == ACTOR


class LabelAdmin(ModelAdmin[Label]):
    model = Label
    icon, group = "tag", "Work"
    display = "name"
    help = "Names with a color for tasks. A new name is also that of the label on the tasks that its owner may edit."
    columns = ("name", "color", "favorite", "user_id", "created_at")
    types = {"name": rules.Label, "color": Color, "position": Position}
    widgets = {"color": "color"}
    filters = ("user_id", "favorite")
    search = ("name",)
    editable = ("name", "color", "favorite", "position")
    only_on_add = ("user_id",)
    defaults = {"user_id": lambda actor: actor.id}
    verbs = ("view", "add", "change", "delete", "export")
    every_row = "labels.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_LABELS

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> LabelOut:
        user_id = values.pop("user_id", None)
        if user_id is None:
            raise Invalid.field("body.user_id", "Give the id of the owner.")
        return await LabelService(do.session, do.actor, user_id).add(LabelIn(**values))

    async def change_row(self, do: ActionContext, row: Label, values: dict[str, Any]) -> None:
        await LabelService(do.session, do.actor, row.user_id).change_fields(row.id, LabelPatch(**values), None)

    async def delete_row(self, do: ActionContext, row: Label) -> None:
        await LabelService(do.session, do.actor, row.user_id).remove(row.id, None, from_tasks=False)
