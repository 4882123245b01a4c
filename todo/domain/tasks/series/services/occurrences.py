"""Beginning series, opening and closing their occurrences, each once, and saving where a series stands."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import Select, Update, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm.attributes import set_committed_value

from todo.actions import Action
from todo.audit import AuditedService
from todo.database import now
from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.occurrences import after_completion, first, in_pause
from todo.domain.recurrence.rules.plan import Anchor, Opens, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import OpenOccurrence, opens_at, pause_ends_at, unmoved
from todo.domain.recurrence.rules.warn import nothing_happens
from todo.domain.recurrence.schemas import RecurrencePatch, rule_problems
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series, series_like
from todo.domain.tasks.series.rules import ScheduleState, Undo, following
from todo.domain.tasks.series.services.materialize import Closing, catch_up
from todo.domain.tasks.series.statements import SAVE_END, SAVE_STATE, closing, opening, prefixed
from todo.domain.tasks.subtasks import Copied, copy_subtasks
from todo.errors import Invalid
from todo.loops import LONGEST_SLEEP
from todo.queue import enqueue


class TaskChange(NamedTuple):
    """The change of a task that closes its occurrence."""

    values: Mapping[str, Any]
    action: Action
    status: str  # of the occurrence: done or skipped


class Closed(NamedTuple):
    """What was found in the statement that closed an occurrence."""

    alone: bool  # no other is open
    is_taken: bool  # there is an occurrence already at the next original start
    has_subtasks: bool


class TaskWriter(AuditedService[Task], model=Task):
    """Writes tasks with their audit events."""


class SeriesService(AuditedService[Series], model=Series):
    """One person's series, or for the worker everybody's, inside the caller's transaction.

    The unique (series, original start) of the occurrences makes each open once.
    """

    @property
    def hourly(self) -> bool:
        """Whether new rules may repeat by the hour here."""
        return self.session.settings.hourly_rules

    async def lock_of(self, series_id: Select[Any]) -> Series | None:
        """The series that a query for its id finds, locked; None when there is none.

        The caller checks after this that it is still the one: it may have waited for the lock.
        """
        found = select(Series).where(SERIES.id == series_id.scalar_subquery()).with_for_update(key_share=True)
        series: Series | None = await self.session.scalar(found.execution_options(populate_existing=True))
        return series

    async def begin(self, task: Task, recurrence: RecurrencePatch, timezone: str) -> dict[str, Any]:
        """Store a series with a task as its first occurrence; the columns of that task. Raises Invalid.

        A series of a task without a due repeats by its start; without both, the task is due today.
        """
        like = series_like(task, timezone)
        with rule_problems("body.recurrence", **fields_of(like)):
            series = like.changed(recurrence.columns(), hourly=self.hourly)
            plan = series.plan()
            occurrence = first(plan)
        if occurrence is None:
            raise Invalid.field("body.recurrence.rrule", nothing_happens(plan))
        await self.store(series, plan, occurrence, [unmoved(plan, occurrence.original_start)])
        entry = Occurrence(series_id=series.id, original_start=occurrence.original_start, task_id=task.id)
        await self.session.execute(insert(Occurrence).values(entry.model_dump()))
        return series.new_task_values(plan, occurrence.original_start) | {"created_by": task.created_by}

    async def store(
        self, series: Series, plan: Plan, last: PlannedOccurrence, still_open: Sequence[OpenOccurrence]
    ) -> None:
        """Insert a series that has come as far as `last`."""
        state = ScheduleState.after(plan, last, following(plan, last), still_open, now())
        for name, value in asdict(state).items():
            setattr(series, name, value)
        await self.create(series, action="series.begin")
        await self._wake_worker(state)

    async def replan(self, series: Series, sent: Mapping[str, Any], last: PlannedOccurrence, body: str) -> None:
        """Change a locked series that has come as far as `last`, and compute its next occurrence; raises Invalid."""
        still_open = await self.open_occurrences(series, series.plan())
        with rule_problems(body, **fields_of(series)):
            changed = series.changed(sent, hourly=self.hourly)
            plan = changed.plan()
            coming = following(plan, last)
        names = sent.keys() | {"rrule", "count", "until"}
        await self.update({name: getattr(changed, name) for name in names}, series, action="series.change")
        if plan.anchor is Anchor.COMPLETION and series.coming and not still_open:
            coming = None if plan.is_beyond_end(series.coming) else series.coming
        await self.advance(series, plan, last, coming, still_open)

    async def pause(self, series: Series) -> None:
        """Open nothing until the series is resumed, and record nothing as missed."""
        await self.update({"status": "paused"}, series, action="series.pause")
        await self.save_state(series, series.state.paused())

    async def resume(self, series: Series) -> None:
        """Open occurrences again, from the first that is not over; those before it are recorded as paused."""
        await self.update({"status": "active"}, series, action="series.resume")
        plan, resumed_at = series.plan(), now()
        decision = decide_missed(plan, series.coming, (), resumed_at, series.last, is_paused=True)
        rows = [
            Occurrence(series_id=series.id, original_start=other.original_start, status="paused", closed_at=resumed_at)
            for other in decision.paused
        ]
        if rows:
            entries = insert(Occurrence).values([row.model_dump() for row in rows]).on_conflict_do_nothing()
            await self.session.execute(entries)
        last = decision.last or series.last
        await self.advance(series, plan, last, decision.next, await self.open_occurrences(series, plan))

    async def stop(self, series: Series) -> None:
        """End a series because somebody asks for it."""
        await self.update({"status": "ended"}, series, action="series.end")
        await self.save_state(series, series.state.ended())

    async def move(self, series: Series, timezone: str) -> None:
        """Move a floating series to the new time zone of its owner; the worker evaluates it again."""
        await self.update({"owner_timezone": timezone}, series, action="series.change")
        moved = select(Occurrence, Task).join(Task, TASK.id == OCCURRENCE.task_id)
        moved = moved.where(OCCURRENCE.series_id == series.id, OCCURRENCE.moved_to.is_not(None))
        for occurrence, task in await self.session.execute(moved.where(OCCURRENCE.status == "open")):
            occurrence.moved_to = rules.instant_of(series.date_of(task) or {}, timezone)
        if series.next_run_at is not None:  # for the next occurrence, or for the expiry of an open one
            await self.save_state(series, series.state.due(now()))

    async def advance(
        self,
        series: Series,
        plan: Plan,
        last: PlannedOccurrence,
        coming: PlannedOccurrence | None,
        still_open: Sequence[OpenOccurrence],
    ) -> None:
        """Save which occurrence came up last, which is next and which are open; a paused series stays paused."""
        state = ScheduleState.after(plan, last, coming, still_open, now())
        await self.save_state(series, state.paused() if series.status == "paused" else state)

    async def advance_as_it_is(self, series: Series) -> None:
        """Save when a series is evaluated again, after its open occurrences have changed."""
        if series.status == "ended":
            return
        plan = series.plan()
        await self.advance(series, plan, series.last, series.coming, await self.open_occurrences(series, plan))

    async def save_state(self, series: Series, state: ScheduleState, *, came_to_end: bool = False) -> None:
        """Write where a locked series stands: no new version and no audit event, nobody has changed it.

        `came_to_end`: it has ended by itself, and its owner is to be notified. An error stays until the worker has
        evaluated the series without one, which it tries at once, or until the series ends.
        """
        state, values = _stored(series, state, came_to_end=came_to_end)
        statement = SAVE_END if state.status == "ended" else SAVE_STATE
        await self.session.execute(statement, {"series": series.id} | prefixed("state", values))
        await self._note_stored(series, state, values)

    async def _note_stored(self, series: Series, state: ScheduleState, values: Mapping[str, Any]) -> None:
        ended = {"failures": 0, "last_error": None} if state.status == "ended" else {}
        for name, value in {**values, **ended}.items():
            set_committed_value(series, name, value)
        await self._wake_worker(state)

    async def _wake_worker(self, state: ScheduleState) -> None:
        if state.next_run_at is not None and state.next_run_at < now() + timedelta(seconds=LONGEST_SLEEP):
            await enqueue(self.session, "materialize_due")

    async def close_and_open_next(
        self, series: Series, task: Task, change: TaskChange, timezone: str, *, jump: bool = False
    ) -> Task | None:
        """Close a task's occurrence by a change of the task, and open the next one unless another is open already.

        First comes what the worker would have done by now, so that the history does not depend on it. In a pause, or
        before one in which the next is due, the next one waits until that is over; one that opens on time waits for its
        time. `timezone` is the owner's. `jump`: over all that is late, also where each is to open (`backfill`).
        """
        closed_at = now()
        came = await self.catch_up(series, closed_at, Closing(datetime.fromisoformat(task.occurrence or ""), jump))
        plan = series.plan()
        coming = await self._coming(series, plan, closed_at)
        closed = await self._close(series, task, change, coming, closed_at)
        if series.status == "ended":
            return None
        if not closed.alone:
            await self.advance_as_it_is(series)
            return await self.session.get(Task, came[0]) if came else None
        if coming is None:
            await self.save_state(series, series.state.ended(), came_to_end=True)
            return None
        if _waits(series, plan, coming, closed_at):
            await self.advance(series, plan, series.last, series.coming, ())
            return None
        if closed.is_taken:
            await self.advance(series, plan, coming, following(plan, coming), ())
            return None
        successor = await self._open(series, plan, coming)
        if closed.has_subtasks:
            await copy_subtasks(self.session, [Copied(task, successor, timezone)])
        return successor

    async def _coming(self, series: Series, plan: Plan, closed_at: datetime) -> PlannedOccurrence | None:
        """What follows an occurrence that closes now; while a series is paused, nothing is jumped over."""
        if series.status == "ended" or (series.status == "paused" and plan.anchor is Anchor.SCHEDULE):
            return series.coming
        last, closed_local = series.last, to_local(closed_at, plan.timezone)
        taken: Sequence[datetime] = ()
        if plan.anchor is Anchor.COMPLETION:
            others = select(OCCURRENCE.original_start).where(OCCURRENCE.series_id == series.id)
            taken = (await self.session.scalars(others.where(OCCURRENCE.original_start > closed_local))).all()
        return after_completion(plan, last.original_start, closed_local, last.n, taken)

    async def catch_up(self, series: Series, moment: datetime, closing: Closing | None = None) -> list[UUID]:
        """What the worker has not done yet for this series; the ids of the tasks that opened."""
        is_due = series.next_run_at is not None and series.next_run_at <= moment
        if series.status != "active" or not (is_due or (closing and closing.jump)):
            return []
        return await catch_up(self.session, series, moment, closing)

    async def note_moved(self, series: Series, task: Task, values: Mapping[str, Any]) -> None:
        """Record in an occurrence whether it is when its rule says; raises Invalid when it would lose that date."""
        name = series.repeats_by
        if name not in values:
            return
        moment = values[name]
        if moment is None:
            sentence = f"An occurrence of this series has a {name}: move it, skip it, or end the series."
            raise Invalid.field(f"body.{name}", sentence)
        own = series.occurrence_values(series.plan(), datetime.fromisoformat(task.occurrence or ""))
        moved_to = None if moment == own[name] else rules.instant_of(moment, series.owner_timezone)
        await self.session.execute(_open_occurrence_of(task).values(moved_to=moved_to))

    async def open_occurrences(self, series: Series, plan: Plan) -> Sequence[OpenOccurrence]:
        """The occurrences that are open, in order."""
        moment = TASK.due if series.repeats_by == "due" else TASK.start
        still = select(OCCURRENCE.original_start, moment).outerjoin_from(
            Occurrence, Task, TASK.id == OCCURRENCE.task_id
        )
        still = still.where(OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open")
        rows = await self.session.execute(still.order_by(OCCURRENCE.original_start))
        return [series.open_occurrence(plan, *row) for row in rows]

    async def _close(
        self, series: Series, task: Task, change: TaskChange, coming: PlannedOccurrence | None, closed_at: datetime
    ) -> Closed:
        closed = prefixed("closed", {"status": change.status, "closed_at": closed_at})
        next_start = coming.original_start if coming else None
        undo = Undo(series.version, series.state, next_start)
        result = await TaskWriter(self.session, self.actor).update_with(
            task, change.values, change.action, closing, series=series.id, undo=undo, coming=next_start, **closed
        )
        return Closed._make(result.one()[:3])

    async def _open(self, series: Series, plan: Plan, coming: PlannedOccurrence) -> Task:
        """Open the occurrence that follows a closed one."""
        task = Task(**series.new_task_values(plan, coming.original_start))
        still_open = [unmoved(plan, coming.original_start)]
        state = ScheduleState.after(plan, coming, following(plan, coming), still_open, now())
        state, values = _stored(series, state)
        entry = Occurrence(series_id=series.id, original_start=coming.original_start, task_id=task.id).model_dump()
        await TaskWriter(self.session, self.actor).create_with(
            task, "tasks.open", opening, series=series.id, **prefixed("entry", entry), **prefixed("state", values)
        )
        await self._note_stored(series, state, values)
        return task


def _stored(series: Series, state: ScheduleState, *, came_to_end: bool = False) -> tuple[ScheduleState, dict[str, Any]]:
    """The state to store, and its columns; a series with an error is evaluated at once."""
    written_at = now()
    if series.failures and state.next_run_at is not None:
        state = state.due(written_at)
    return state, {**asdict(state), "updated_at": written_at, "end_notice_at": written_at if came_to_end else None}


def fields_of(series: Series) -> dict[str, str]:
    """Where a request has what the rule of a series begins with."""
    return {"start": f"body.{series.repeats_by}", "timezone": f"body.{series.repeats_by}.timezone"}


def _waits(series: Series, plan: Plan, coming: PlannedOccurrence, closed_at: datetime) -> bool:
    """Whether an occurrence stays closed although the one before it closes now."""
    if series.status == "paused" or pause_ends_at(plan, closed_at) or in_pause(plan, coming.original_start):
        return True
    return plan.opens is Opens.ON_TIME and opens_at(plan, coming.original_start) > closed_at


def _open_occurrence_of(task: Task) -> Update:
    return update(Occurrence).where(OCCURRENCE.status == "open", OCCURRENCE.task_id == task.id)
