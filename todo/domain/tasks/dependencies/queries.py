"""Finding what a task waits for, and what waits for it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, bindparam, exists, func, select
from sqlalchemy.sql.util import ClauseAdapter

from todo.database import ACTOR, Query, WriteSession, table_of
from todo.domain.projects.models import PROJECT
from todo.domain.tasks.dependencies.models import DEPENDENCY
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import COLUMNS, IS_OPEN, SORTS, TaskReads, task_row
from todo.domain.tasks.schemas import TaskPage
from todo.errors import Conflict
from todo.listing import Listing

ASKED = table_of(Task).alias("asked")


def _others(asked: ColumnElement[UUID], other: ColumnElement[UUID]) -> ColumnElement[bool]:
    """The condition that a task is visible, and the `other` of a dependency of the visible task that is asked about.

    An array, so that the planner reads these by their ids, whatever the order.
    """
    seen = exists().where(ASKED.c.id == asked, ClauseAdapter(ASKED).traverse(visible_to(ACTOR)))
    ids = select(other).where(asked == bindparam("task"), seen).scalar_subquery()
    return (TASK.id == any_(func.array(ids))) & visible_to(ACTOR)


_blockers = COLUMNS.where(_others(DEPENDENCY.task_id, DEPENDENCY.blocker_id))
BLOCKERS = Query(task_row, _blockers.order_by(TASK.created_at, TASK.id))
DEPENDENTS = Listing(
    task_row,
    COLUMNS.where(_others(DEPENDENCY.blocker_id, DEPENDENCY.task_id)),
    filters={},
    sorts={name: SORTS[name] for name in ("created_at", "due_at", "id")},
    default="created_at",
)


class DependencyReads(TaskReads):
    """What one person can see of the tasks that others wait for, and of those that wait."""

    async def blockers(self, task_id: UUID) -> TaskPage:
        """What a task waits for. Raises NotFound. Only an empty page asks twice."""
        found = await self._reads.all(BLOCKERS, actor=self._actor, task=task_id)
        if not found:
            await self.one(task_id)
        return TaskPage(found, None)

    async def dependents(self, task_id: UUID, **options: Any) -> TaskPage:
        """What waits for a task. Raises NotFound; Invalid for a cursor that is none of ours. Only an empty page asks
        twice.
        """
        page = await DEPENDENTS.page(self._reads, {}, actor=self._actor, task=task_id, **options)
        if not page.items:
            await self.one(task_id)
        return TaskPage(page.items, page.next_cursor, page.total, page.total_is_exact)


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
