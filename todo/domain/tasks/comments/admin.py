"""Comments, as operators see them."""

from uuid import UUID

from sqlalchemy import ColumnElement, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.tasks.comments.models import COMMENT, Comment
from todo.domain.tasks.comments.services import CommentService
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.domain.tasks.series.locks import lock_owner

OF_VISIBLE_TASKS = COMMENT.task_id.in_(select(TASK.id).where(visible_to(ACTOR)))


class CommentAdmin(ModelAdmin[Comment]):
    model = Comment
    icon, group = "message", "Work"
    display = "task_id"
    columns = ("task_id", "author_id", "created_at", "edited_at")
    filters = ("task_id", "author_id", "created_at", "author.email", "task.project.name")
    search = ("text",)
    heavy = ("text",)
    widgets = {"text": "markdown"}
    verbs = ("view", "delete", "export")
    every_row = "comments.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_VISIBLE_TASKS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """The owner of the task comes before its comments."""
        await lock_owner(do.session, select(TASK.owner_id).join(Comment).where(COMMENT.id == row_id))

    async def delete_row(self, do: ActionContext, row: Comment) -> None:
        comments = CommentService(do.session, do.actor)
        if do.actor.may(self.every_row):
            await comments.erase(row)
        else:
            await comments.remove(row.task_id, row.id, None)  # as their role in the project allows
