"""Tasks, as operators see them."""

from sqlalchemy import ColumnElement

from todo.access import Actor
from todo.admin.declaration import EVERY_ROW, ModelAdmin
from todo.database import ACTOR
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import Minutes, Moment, Priority, Status, Title
from todo.schema import Text

OWN = TASK.owner_id == ACTOR


class TaskAdmin(ModelAdmin[Task]):
    model = Task
    icon, group = "check", "Work"
    display = "title"
    columns = ("title", "status", "priority", "due_at", "owner_id", "created_at")
    types = {
        "title": Title, "notes": Text, "status": Status, "priority": Priority, "due": Moment, "start": Moment,
        "estimate_minutes": Minutes,
    }  # fmt: skip
    filters = ("status", "priority", "due_at", "owner_id", "series_id", "created_at")
    search = ("title", "notes")
    sorts = ("created_at", "due_at", "priority", "updated_at")
    date_hierarchy = "created_at"
    heavy = ("notes",)
    editable = ("title", "notes", "priority", "due", "start", "deadline", "estimate_minutes")
    only_on_add = ("owner_id",)
    trash = "deleted_at"
    verbs = ("view", "add", "change", "delete", "export", "import")

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(f"tasks.{EVERY_ROW}") else OWN


ADMINS = [TaskAdmin]
