"""Bringing up the occurrences of series as tasks, each once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, bindparam, case, delete, null, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from todo.access import Actor
from todo.actions import Action
from todo.audit import AuditedService, record
from todo.database import WriteSession, now, table_of
from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.occurrences import after_completion
from todo.domain.recurrence.rules.plan import Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import is_paused, resumes_on
from todo.domain.recurrence.schemas import RecurrencePatch
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import (
    OCCURRENCE,
    Occurrence,
    Series,
    new_task_values,
    occurrence_values,
    series_like,
)
from todo.domain.tasks.series.services.schedule import SeriesService, following
from todo.domain.tasks.subtasks import copy_subtasks, descendants
from todo.errors import Conflict, Invalid

PLACE = ("status", "last_original_start", "n", "next_original_start", "next_n", "next_run_at")  # what undoing puts back


def _content(task: Task) -> dict[str, Any]:
    """What somebody can have changed; the due of a task that nobody has changed follows its owner's time zone."""
    return task.model_dump(exclude={"id", "created_at", "updated_at", "version"})


def _place(series: Series) -> dict[str, Any]:
    return {name: getattr(series, name) for name in PLACE}


def _read_place(written_down: dict[str, Any]) -> dict[str, Any]:
    """A place as it comes back from JSON."""
    times = {"last_original_start", "next_original_start", "next_run_at"}
    return {n: datetime.fromisoformat(v) if n in times and v else v for n, v in written_down.items()}


class TaskWriter(AuditedService[Task], model=Task):
    """Writes tasks with their trail."""


class OccurrenceService(AuditedService[Occurrence], model=Occurrence):
    """Brings up the occurrences of series as tasks, each once: the occurrences' unique (series, original start) sees to
    that.
    """

    def __init__(self, session: WriteSession, actor: Actor):
        super().__init__(session, actor)
        self.series = SeriesService(session, actor)

    async def begin(self, task: Task, recurrence: RecurrencePatch, timezone: str) -> Task:
        """Store a new task as the first occurrence of a series; without a due it begins today. Raises Invalid."""
        series, plan, occurrence = await self.series.begin(recurrence, series_like(task, timezone))
        opened = await self._open(series, plan, occurrence, "tasks.add", task)
        if opened is None:
            raise Conflict("This occurrence is there already.")
        return opened

    async def begin_with(self, task: Task, recurrence: RecurrencePatch, timezone: str) -> dict[str, Any]:
        """Make a stored task the first occurrence of a series; the columns it must change. Raises Invalid."""
        series, plan, occurrence = await self.series.begin(recurrence, series_like(task, timezone))
        await self._enter(series, occurrence.original_start, task_id=task.id)
        return new_task_values(series, plan, occurrence.original_start)

    async def succeed(self, series: Series, task: Task, status: str) -> Task | None:
        """Close a task's occurrence as done or skipped, and bring up the next unless another is open already.

        One that falls into a pause, or comes while the series rests, waits until that is over.
        """
        closed_at, plan = now(), series.plan()
        occurrence = None
        if series.status != "ended" and series.last_original_start is not None:
            occurrence = after_completion(
                plan, series.last_original_start, to_local(closed_at, plan.timezone), series.n
            )
        alone, has_subtasks = await self._close(series, task, occurrence, status, closed_at)
        if not alone or series.status == "ended":
            return None
        if occurrence is None:
            await self.series.end(series)
            return None
        if series.status == "paused" or is_paused(plan, closed_at) or resumes_on(plan, occurrence.original_start):
            await self.series.wait(series, plan, occurrence)
            return None
        return await self._follow(series, plan, occurrence, task if has_subtasks else None)

    async def reopen(self, series: Series | None, task: Task) -> None:
        """Open the occurrence of a task that is open again; what its closing brought up goes, if nobody has touched it.

        So closing and reopening is exactly nothing. If the successor has been touched, or the series has gone on, both
        are open and nothing is doubled.
        """
        if series is None:
            return
        row = await self.session.execute(
            select(OCCURRENCE.id, OCCURRENCE.undo).where(OCCURRENCE.task_id == task.id, OCCURRENCE.status != "open")
        )
        for occurrence_id, undo in row:
            opened = update(Occurrence).where(OCCURRENCE.id == occurrence_id)
            await self.session.execute(opened.values(status="open", closed_at=None, undo=None))
            if undo and await self._withdraw(series, undo):
                await self.series.keep(series, _read_place(undo["before"]))

    async def note_due(self, series: Series, task: Task, values: dict[str, Any]) -> None:
        """Note in the occurrences whether an occurrence is due when its rule says; raises Invalid when it would lose
        its due.
        """
        if values["due"] is None:
            raise Invalid.field("body.due", "An occurrence of a series has a due: move it, skip it, or end the series.")
        own = occurrence_values(series, series.plan(), datetime.fromisoformat(task.occurrence or ""))
        moved_to = None if values["due"] == own["due"] else values["due_at"]
        entry = self._occurrences_in("open").where(OCCURRENCE.task_id == task.id)
        await self.session.execute(entry.values(moved_to=moved_to))

    async def open_starts(self, series: Series) -> Sequence[datetime]:
        """The original starts of the occurrences that are open, in order."""
        return await self._open_starts(series)

    async def _close(
        self, series: Series, task: Task, occurrence: PlannedOccurrence | None, status: str, closed_at: datetime
    ) -> tuple[bool, bool]:
        """Close an occurrence; whether it was the only open one, and whether its task has subtasks."""
        other, child = table_of(Occurrence).alias().c, table_of(Task).alias().c
        others = select(other.id).where(other.series_id == series.id, other.status == "open", other.task_id != task.id)
        subtasks = select(child.id).where(child.parent_id == task.id, child.deleted_at.is_(None))
        undo = {
            "version": series.version,
            "before": _place(series),
            "next": occurrence.original_start if occurrence else None,
        }
        values = {
            "status": status,
            "closed_at": closed_at,
            "undo": case((others.exists(), null()), else_=bindparam("undo", undo, type_=JSONB)),
        }
        closed = self._occurrences_in("open").where(OCCURRENCE.task_id == task.id).values(values)
        row = (await self.session.execute(closed.returning(~others.exists(), subtasks.exists()))).first()
        return (row[0], row[1]) if row else (False, False)

    async def _follow(
        self, series: Series, plan: Plan, occurrence: PlannedOccurrence, parent: Task | None
    ) -> Task | None:
        """Open the occurrence that follows a closed one, with copies of what is below that one."""
        opened = await self._open(series, plan, occurrence, "tasks.open")
        if opened and parent:
            await copy_subtasks(self.session, [(parent.id, opened.id)])
        still_open = [occurrence.original_start] if opened else []
        await self.series.advance(series, plan, occurrence, following(plan, occurrence), still_open)
        return opened

    async def _withdraw(self, series: Series, undo: dict[str, Any]) -> bool:
        """Take back the occurrence that a closing brought up; whether the series is as that closing left it now."""
        original_start = datetime.fromisoformat(undo["next"]) if undo["next"] else None
        if series.version != undo["version"]:
            return False
        if original_start is None:
            return series.status == "ended"
        if series.last_original_start != original_start:
            return bool(series.next_original_start == original_start and _place(series)["n"] == undo["before"]["n"])
        is_it = (OCCURRENCE.series_id == series.id, OCCURRENCE.original_start == original_start)
        query = select(Task).join(Occurrence, OCCURRENCE.task_id == TASK.id).where(*is_it, OCCURRENCE.status == "open")
        successor: Task | None = await self.session.scalar(query.with_for_update(of=Task, key_share=True))
        fresh = Task(owner_id=series.owner_id, **new_task_values(series, series.plan(), original_start))
        if successor is None or _content(successor) != _content(fresh) or await self._is_worked_on(successor):
            return False
        await self.session.execute(delete(Occurrence).where(*is_it))
        await self.session.execute(delete(Task).where(TASK.id == successor.id))
        before = successor.model_dump()
        await record(self.session, "tasks.undo", "tasks", subject_id=successor.id, before=before)
        return True

    async def _is_worked_on(self, task: Task) -> bool:
        """Whether anything below a task is other than it came."""
        children = await descendants(self.session, [task.id])
        return any(child.version > 1 or child.created_at != task.created_at for child in children)

    async def _open(
        self, series: Series, plan: Plan, occurrence: PlannedOccurrence, action: Action, task: Task | None = None
    ) -> Task | None:
        """Write an occurrence's task and its occurrence row; None when it has come up before."""
        task = task or Task(owner_id=series.owner_id, title="")
        for name, value in new_task_values(series, plan, occurrence.original_start).items():
            setattr(task, name, value)
        if not await self._enter(series, occurrence.original_start, task_id=task.id):
            return None
        return await TaskWriter(self.session, self.actor).create(task, action=action)

    async def _enter(self, series: Series, original_start: datetime, **values: Any) -> bool:
        """Claim an occurrence's place in the occurrences; False when somebody has it."""
        row = Occurrence(series_id=series.id, original_start=original_start, **values).model_dump()
        entered = await self.session.execute(
            insert(Occurrence).values(row).on_conflict_do_nothing().returning(OCCURRENCE.id)
        )
        return entered.first() is not None

    async def _open_starts(self, series: Series) -> Sequence[datetime]:
        still = select(OCCURRENCE.original_start).where(OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open")
        return (await self.session.scalars(still.order_by(OCCURRENCE.original_start))).all()

    def _occurrences_in(self, *statuses: str) -> Update:
        return update(Occurrence).where(OCCURRENCE.status.in_(statuses))
