"""Finding tasks: one person's, a page or one at a time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import String, any_, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.tasks.guards import trashed_by, visible_to
from todo.domain.tasks.models import FAR_AWAY, TASK, Task
from todo.domain.tasks.schemas import TaskOut, TaskSaved
from todo.errors import NotFound
from todo.listing import Listing, Sort
from todo.schema import Instant, Page

COLUMNS = select(
    TASK.id, TASK.version, TASK.title, TASK.notes, TASK.status, TASK.priority, TASK.due, TASK.due_at, TASK.start,
    TASK.deadline, TASK.estimate_minutes, TASK.parent_id, TASK.series_id, TASK.occurrence, TASK.created_at,
    TASK.updated_at, TASK.completed_at, TASK.owner_id,
)  # fmt: skip
Out = TypeVar("Out", bound=TaskOut)
FAR = datetime(9999, 12, 31, tzinfo=UTC)  # where tasks without a due date sort

READ = Query(TaskOut, COLUMNS.where(visible_to(ACTOR), TASK.id == bindparam("task")))
SORTS = {
    "id": Sort(TASK.id, UUID, lambda task: task.id),
    "created_at": Sort(TASK.created_at, Instant, lambda task: task.created_at),
    "updated_at": Sort(TASK.updated_at, Instant, lambda task: task.updated_at),
    "due_at": Sort(func.coalesce(TASK.due_at, literal_column(FAR_AWAY)), Instant, lambda task: task.due_at or FAR),
    "priority": Sort(TASK.priority, int, lambda task: task.priority),
}
FILTERS = {
    "status": TASK.status == any_(bindparam("status", type_=ARRAY(String))),
    "priority": TASK.priority == bindparam("priority"),
    "due_before": TASK.due_at < bindparam("due_before"),
    "due_after": TASK.due_at >= bindparam("due_after"),
    "parent_id": TASK.parent_id == bindparam("parent_id"),
    "series_id": TASK.series_id == bindparam("series_id"),
}
TASKS = Listing(TaskOut, COLUMNS.where(visible_to(ACTOR)), filters=FILTERS, sorts=SORTS, default="-created_at")
TRASH = Listing(TaskOut, COLUMNS.where(trashed_by(ACTOR)), filters={}, sorts=SORTS, default="-updated_at")


class TaskReads:
    """What one person can see of the tasks."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, task_id: UUID) -> TaskOut:
        """Raises NotFound."""
        task = await self._reads.one_or_none(READ, actor=self._actor, task=task_id)
        if task is None:
            raise NotFound
        return task

    async def page(self, filters: Mapping[str, Any], **options: Any) -> Page[TaskOut]:
        """Raises Invalid for an undeclared sort field or a cursor that is none of ours."""
        return await TASKS.page(self._reads, filters, actor=self._actor, **options)

    async def trash(self, **options: Any) -> Page[TaskOut]:
        return await TRASH.page(self._reads, {}, actor=self._actor, **options)


def task_out(task: Task) -> TaskOut:
    """A loaded row as the wire shows it."""
    return _out(TaskOut, task)


def task_saved(task: Task, warnings: list[str]) -> TaskSaved:
    """A row that was written, with what to expect of a series it began."""
    saved = _out(TaskSaved, task)
    saved.warnings = warnings or UNSET
    return saved


def _out(schema: type[Out], task: Task) -> Out:
    return schema(*(getattr(task, column.name) for column in COLUMNS.selected_columns))
