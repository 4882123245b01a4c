"""Letting tasks wait for others."""

from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession
from todo.domain.projects.models import ACCESS
from todo.domain.tasks.dependencies.models import DEPENDENCY, Dependency
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import FOLLOWING, TASK, Task
from todo.domain.tasks.queries import task_out
from todo.domain.tasks.rules import MAX_BLOCKERS
from todo.domain.tasks.schemas import TaskOut
from todo.domain.tasks.series.locks import lock_dependencies
from todo.domain.tasks.services.locked import LockedTasks
from todo.errors import Conflict, Invalid


class DependencyService(AuditedService[Dependency], model=Dependency):
    """Changes what tasks wait for, on behalf of a person, the actor or `person`, inside the caller's transaction.

    Raises NotFound, and Forbidden unless the person may edit the task.
    """

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.person = person or actor.user_id
        self.tasks = LockedTasks(session, actor, self.person)

    async def add(self, task_id: UUID, blocker_id: UUID) -> TaskOut:
        """Let a task wait for another one; nothing happens if it does. Raises Invalid, Conflict for too many."""
        both = select(TASK.owner_id).where(visible_to(self.person), TASK.id.in_([task_id, blocker_id]))
        await lock_dependencies(self.session, await self.session.scalars(both))
        _, task, _ = await self.tasks.locked_with_owner(task_id, "edit")
        blockers = (
            await self.session.scalars(select(DEPENDENCY.blocker_id).where(DEPENDENCY.task_id == task_id))
        ).all()
        await self._check_blocker(task, blocker_id)
        if blocker_id in blockers:
            return task_out(task)
        if len(blockers) >= MAX_BLOCKERS:
            raise Conflict(f"A task can wait for {MAX_BLOCKERS} others.", slug="too-many")
        await self.create(Dependency(task_id=task_id, blocker_id=blocker_id))
        await self.session.refresh(task, FOLLOWING)
        return task_out(task)

    async def remove(self, task_id: UUID, blocker_id: UUID) -> None:
        """Let a task no longer wait for another one; raises NotFound."""
        await self.tasks.locked_with_owner(task_id, "edit")
        seen = select(TASK.id).where(visible_to(self.person), TASK.id == blocker_id)
        here = (DEPENDENCY.task_id == task_id, DEPENDENCY.blocker_id == blocker_id)
        await self.delete(await self.locked(*here, DEPENDENCY.blocker_id.in_(seen)))

    async def _check_blocker(self, task: Task, blocker_id: UUID) -> None:
        """Lock the task to wait for, so that it stays as open as it is, and who sees it. Raises Invalid."""
        found = select(TASK.owner_id, TASK.project_id).where(visible_to(self.person), TASK.id == blocker_id)
        blocker = (await self.session.execute(found.with_for_update(read=True))).one_or_none()
        if blocker is None:
            raise Invalid.field("body.blocker_id", "There is no such task.", "not_found")
        theirs = select(ACCESS.role).where(ACCESS.user_id == task.owner_id, ACCESS.project_id == blocker.project_id)
        theirs = theirs.with_for_update(read=True, key_share=True)
        if task.owner_id not in (self.person, blocker.owner_id) and await self.session.scalar(theirs) is None:
            raise Invalid.field(
                "body.blocker_id", "The owner of the project of the waiting task does not see this task."
            )
        if blocker_id == task.id or await self.session.scalar(select(func.waits_for(blocker_id, task.id))):
            raise Invalid.field("body.blocker_id", "A task cannot wait for itself, not even by way of others.")
