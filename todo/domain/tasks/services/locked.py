"""Locking tasks on behalf of a person, who may do something with them."""

from collections.abc import Callable, Sequence
from functools import cached_property
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from todo.access import Actor
from todo.database import ACTOR, Database, Query, WriteSession, table_of
from todo.domain.projects.rules import Verb
from todo.domain.projects.services.places import lock_access, problem_of_row
from todo.domain.tasks.guards import allowed_to, trashed_by, visible_to
from todo.domain.tasks.held import Held, held
from todo.domain.tasks.models import FOLLOWING, TASK, Task
from todo.domain.tasks.queries import task_out
from todo.domain.tasks.series.locks import lock_owner_of
from todo.domain.tasks.series.models import Series
from todo.domain.tasks.series.services.occurrences import SeriesService, TaskWriter
from todo.errors import Contention, NotFound, Stale

ROW = Query(
    lambda *values: Task(**dict(zip(Task.model_fields, values, strict=True))),
    select(*(TASK[name] for name in Task.model_fields)).where(visible_to(ACTOR), TASK.id == bindparam("task")),
)
OTHER = table_of(Task).alias("other").c


class LockedTasks(TaskWriter):
    """Locks tasks on behalf of a person, inside the caller's transaction: of the actor, or of `person`.

    Raises NotFound for tasks that the person does not see, Forbidden where their role in the project is not enough.
    With `database` the transaction is this service's alone: what one statement can do may be committed outside of it.
    """

    def __init__(
        self, session: WriteSession, actor: Actor, person: UUID | None = None, database: Database | None = None
    ):
        super().__init__(session, actor)
        self.person = person or actor.user_id
        self._database = database

    @cached_property
    def series(self) -> SeriesService:
        return SeriesService(self.session, self.actor)

    async def _read(self, database: Database, task_id: UUID, if_match: frozenset[int] | None) -> Task:
        task = await database.primary.one_or_none(ROW, actor=self.person, task=task_id)
        if task is None:
            raise NotFound
        return current(task, if_match)

    async def locked_with_owner(
        self,
        task_id: UUID,
        verb: Verb,
        if_match: frozenset[int] | None = None,
        within: Callable[[UUID, Verb], ColumnElement[bool]] = allowed_to,
    ) -> tuple[Series | None, Task, str]:
        """A task, its series and the time zone of its owner, all locked; raises NotFound, Forbidden, Stale."""
        if found := self._held(task_id, within):
            return None, current(found.task, if_match), found.timezone
        there = (within(self.person, verb), TASK.id == task_id)
        try:
            owner_id, timezone = await lock_owner_of(self.session, select(TASK.owner_id).where(*there))
            series = await self.series.lock_of(select(TASK.series_id).where(*there))
            task = await self._locked_below(task_id, there)
        except NotFound:
            raise await self._problem_of(task_id, verb, within) from None
        if task.series_id != (series.id if series else None) or task.owner_id != owner_id:
            raise Contention  # it has changed its series or its owner while we waited for the lock
        await lock_access(self.session, self.person, owner_id, task.project_id, verb)
        return series, current(task, if_match), timezone

    def _held(self, task_id: UUID, within: Callable[[UUID, Verb], ColumnElement[bool]] = allowed_to) -> Held | None:
        """A task of the person that a batch has locked; None where its owner is somebody else."""
        found = held(self.session, task_id)
        if found is None or found.task.owner_id != self.person:
            return None
        deleted = found.task.deleted_at is not None
        return found if within is (trashed_by if deleted else allowed_to) else None

    async def _locked_below(self, task_id: UUID, there: Sequence[ColumnElement[bool]]) -> Task:
        """A task, locked after the one above it, whose progress changes with it; raises NotFound."""
        above = select(OTHER.parent_id).where(OTHER.id == task_id).scalar_subquery()
        both = select(Task).where(TASK.id.in_([task_id, above]), or_(TASK.id != task_id, and_(*there)))
        locked = both.order_by(TASK.id == task_id).with_for_update(key_share=True)
        rows = await self.session.scalars(locked.execution_options(populate_existing=True))
        for task in rows:
            if task.id == task_id:
                return task
        raise NotFound

    async def _followed(self, task: Task, changed: Sequence[Task]) -> Task:
        """A task with the progress that it has after a change of others, perhaps its subtasks."""
        if changed:
            await self.session.refresh(task, FOLLOWING)
        return task

    async def _problem_of(
        self, task_id: UUID, verb: Verb, within: Callable[[UUID, Verb], ColumnElement[bool]] = allowed_to
    ) -> Exception:
        seen = within(self.person, "see"), TASK.id == task_id
        return await problem_of_row(self.session, within(self.person, verb), *seen)


def current(task: Task, if_match: frozenset[int] | None) -> Task:
    if if_match is not None and task.version not in if_match:
        raise Stale(task_out(task))
    return task
