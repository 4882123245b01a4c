"""Finding what a task waits for."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.sql.util import ClauseAdapter

from todo.database import ACTOR, Query, WriteSession, table_of
from todo.domain.projects.models import PROJECT
from todo.domain.tasks.dependencies.models import DEPENDENCY
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import COLUMNS, IS_OPEN, TaskReads, task_row
from todo.domain.tasks.schemas import TaskPage
from todo.errors import Conflict

WAITING = table_of(Task).alias("waiting")
_seen = exists().where(WAITING.c.id == DEPENDENCY.task_id, ClauseAdapter(WAITING).traverse(visible_to(ACTOR)))
_blockers = select(DEPENDENCY.blocker_id).where(DEPENDENCY.task_id == bindparam("task"), _seen)
BLOCKERS = Query(task_row, COLUMNS.where(TASK.id.in_(_blockers), visible_to(ACTOR)).order_by(TASK.created_at, TASK.id))


class DependencyReads(TaskReads):
    """What one person can see of the tasks that others wait for."""

    async def blockers(self, task_id: UUID) -> TaskPage:
        """What a task waits for. Raises NotFound. Only an empty page asks twice."""
        found = await self._reads.all(BLOCKERS, actor=self._actor, task=task_id)
        if not found:
            await self.one(task_id)
        return TaskPage(found, None)


async def check_unblocked(session: WriteSession, tasks: Sequence[Task]) -> None:
    """Raise Conflict where tasks of one project, locked to be completed together, must wait for others."""
    blocked = [task.id for task in tasks if task.blocked]
    if not blocked:
        return
    enforced = select(PROJECT.id).where(PROJECT.id == tasks[0].project_id, PROJECT.enforce_dependencies)
    others = (TASK.deleted_at.is_(None), IS_OPEN, TASK.id.not_in([task.id for task in tasks]))
    blockers = select(DEPENDENCY.blocker_id).where(DEPENDENCY.task_id.in_(blocked))
    if await session.scalar(select(TASK.id).where(TASK.id.in_(blockers), enforced.exists(), *others).limit(1)):
        raise Conflict(
            "This task waits for others: complete them first, or delete the dependency.", slug="task-blocked"
        )
