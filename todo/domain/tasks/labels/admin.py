"""Labels, as operators see them."""

from sqlalchemy import ColumnElement

from todo.access import Actor
from todo.admin.declaration import ModelAdmin
from todo.database import ACTOR
from todo.domain.tasks.labels.models import LABEL, Label

OWN_LABELS = LABEL.user_id == ACTOR


class LabelAdmin(ModelAdmin[Label]):
    model = Label
    icon, group = "tag", "Work"
    display = "name"
    columns = ("name", "color", "favorite", "user_id", "created_at")
    filters = ("user_id", "favorite")
    search = ("name",)
    verbs = ("view", "export")
    every_row = "labels.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_LABELS
