"""Dependencies, as operators see them."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.tasks.dependencies.models import DEPENDENCY, Dependency
from todo.domain.tasks.dependencies.services import DependencyService
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.domain.tasks.series.locks import lock_owner

_VISIBLE = select(TASK.id).where(visible_to(ACTOR))
OF_VISIBLE_TASKS = DEPENDENCY.task_id.in_(_VISIBLE) & DEPENDENCY.blocker_id.in_(_VISIBLE)


class DependencyAdmin(ModelAdmin[Dependency]):
    model = Dependency
    label_one = "Dependency"
    icon, group = "clock", "Work"
    display = "task_id"
    columns = ("task_id", "blocker_id", "created_at")
    filters = ("task_id", "blocker_id", "task.project.name", "task.owner.email")
    only_on_add = ("task_id", "blocker_id")
    help_texts = {"task_id": "The task that waits.", "blocker_id": "The task that it waits for."}
    verbs = ("view", "add", "delete", "export")
    every_row = "tasks.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_VISIBLE_TASKS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """The owner of the waiting task comes before it."""
        waiting = select(DEPENDENCY.task_id).where(DEPENDENCY.id == row_id)
        await lock_owner(do.session, select(TASK.owner_id).where(TASK.id.in_(waiting)))

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Dependency:
        """For the owner of the waiting task, or as their role in its project allows."""
        task_id, blocker_id = values["task_id"], values["blocker_id"]
        owner = None
        if do.actor.may(self.every_row):
            owner = await do.session.scalar(select(TASK.owner_id).where(TASK.id == task_id))
        await DependencyService(do.session, do.actor, owner).add(task_id, blocker_id)
        pair = (DEPENDENCY.task_id == task_id, DEPENDENCY.blocker_id == blocker_id)
        return (await do.session.scalars(select(Dependency).where(*pair))).one()

    async def delete_row(self, do: ActionContext, row: Dependency) -> None:
        dependencies = DependencyService(do.session, do.actor)
        if do.actor.may(self.every_row):
            await dependencies.delete(row)
        else:
            await dependencies.remove(row.task_id, row.blocker_id)  # as their role in the project allows
