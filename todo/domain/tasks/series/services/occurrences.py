"""Beginning series, opening and closing their occurrences, each once, and saving where a series stands."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import convert
from msgspec.structs import asdict, replace
from sqlalchemy import Select, Update, bindparam, case, delete, null, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm.attributes import set_committed_value

from todo.audit import AuditedService, record
from todo.database import now, table_of
from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.occurrences import after_completion, first, in_pause
from todo.domain.recurrence.rules.plan import Anchor, Opens, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import OpenOccurrence, next_run_at, opens_at, pause_ends_at, unmoved
from todo.domain.recurrence.rules.warn import nothing_happens
from todo.domain.recurrence.schemas import RecurrencePatch, rule_problems
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series, series_like
from todo.domain.tasks.series.rules import ScheduleState, Undo, following
from todo.domain.tasks.series.services.materialize import Closing, catch_up
from todo.domain.tasks.subtasks import Copied, copy_subtasks, descendants
from todo.errors import Invalid
from todo.loops import LONGEST_SLEEP
from todo.queue import enqueue

# Those that came with an occurrence follow the template of its series.
OWN_REMINDER = text("""
    SELECT EXISTS (
        SELECT FROM reminders WHERE task_id = :task AND (template_id IS NULL OR snoozed_until IS NOT NULL))""")

OTHER, CHILD = table_of(Occurrence).alias().c, table_of(Task).alias().c


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
        await self._enter(series, occurrence.original_start, task.id)
        return series.new_task_values(plan, occurrence.original_start)

    async def store(
        self, series: Series, plan: Plan, last: PlannedOccurrence, still_open: Sequence[OpenOccurrence]
    ) -> None:
        """Insert a series that has come as far as `last`."""
        state = ScheduleState.after(plan, last, following(plan, last), still_open, now())
        for name, value in asdict(state).items():
            setattr(series, name, value)
        await self.create(series, action="series.begin")
        await self._enqueue_when_due(state)

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
        written_at = now()
        if series.failures and state.next_run_at is not None:
            state = state.due(written_at)
        values = {**asdict(state), "updated_at": written_at}
        values |= {"failures": 0, "last_error": None} if state.status == "ended" else {}
        values["end_notice_at"] = written_at if came_to_end else None
        await self.session.execute(update(Series).where(SERIES.id == series.id).values(values))
        for name, value in values.items():
            set_committed_value(series, name, value)
        await self._enqueue_when_due(state)

    async def close_and_open_next(
        self, series: Series, task: Task, status: str, timezone: str, *, jump: bool = False
    ) -> Task | None:
        """Close a task's occurrence as done or skipped, and open the next one unless another is open already.

        First comes what the worker would have done by now, so that the history does not depend on it. In a pause, or
        before one in which the next is due, the next one waits until that is over; one that opens on time waits for its
        time. `timezone` is the owner's. `jump`: over all that is late, also where each is to open (`backfill`).
        """
        closed_at = now()
        came = await self.catch_up(series, closed_at, Closing(datetime.fromisoformat(task.occurrence or ""), jump))
        plan = series.plan()
        coming = await self._coming(series, plan, closed_at)
        alone, has_subtasks = await self._close(series, task, coming, status, closed_at)
        if series.status == "ended":
            return None
        if not alone:
            await self.advance_as_it_is(series)
            return await self.session.get(Task, came[0]) if came else None
        if coming is None:
            await self.save_state(series, series.state.ended(), came_to_end=True)
            return None
        if _waits(series, plan, coming, closed_at):
            await self.advance(series, plan, series.last, coming, ())
            return None
        successor = await self._open(series, plan, coming)
        if successor and has_subtasks:
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

    async def reopen(self, series: Series, task: Task) -> None:
        """Open the occurrence of a task again, and remove the one that its closing opened if nobody has changed that.

        So closing and reopening changes nothing. If the successor was changed, or the series has gone on, both are
        open and nothing is doubled.
        """
        row = await self.session.execute(
            select(OCCURRENCE.id, OCCURRENCE.undo).where(OCCURRENCE.task_id == task.id, OCCURRENCE.status != "open")
        )
        for occurrence_id, stored in row:
            opened = update(Occurrence).where(OCCURRENCE.id == occurrence_id)
            await self.session.execute(opened.values(status="open", closed_at=None, undo=None))
            if stored and await self._withdraw(series, undo := convert(stored, Undo)):
                await self.save_state(series, await self._restored(series, undo.before))
            else:  # two are open, and the older one may expire sooner
                await self.advance_as_it_is(series)

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
        self, series: Series, task: Task, coming: PlannedOccurrence | None, status: str, closed_at: datetime
    ) -> tuple[bool, bool]:
        """Close an occurrence; whether it was the only open one, and whether its task has subtasks."""
        others = select(OTHER.id).where(OTHER.series_id == series.id, OTHER.status == "open", OTHER.task_id != task.id)
        subtasks = select(CHILD.id).where(CHILD.parent_id == task.id, CHILD.deleted_at.is_(None))
        undo = bindparam(
            "undo", Undo(series.version, series.state, coming.original_start if coming else None), type_=JSONB
        )
        closed = _open_occurrence_of(task).values(
            status=status, closed_at=closed_at, undo=case((others.exists(), null()), else_=undo)
        )
        row = (await self.session.execute(closed.returning(~others.exists(), subtasks.exists()))).first()
        return (row[0], row[1]) if row else (False, False)

    async def _open(self, series: Series, plan: Plan, coming: PlannedOccurrence) -> Task | None:
        """Open the occurrence that follows a closed one; None when it came up before."""
        task = Task(owner_id=series.owner_id, **series.new_task_values(plan, coming.original_start))
        entered = await self._enter(series, coming.original_start, task.id)
        if entered:
            await TaskWriter(self.session, self.actor).create(task, action="tasks.open")
        still_open = [unmoved(plan, coming.original_start)] if entered else []
        await self.advance(series, plan, coming, following(plan, coming), still_open)
        return task if entered else None

    async def _enter(self, series: Series, original_start: datetime, task_id: UUID) -> bool:
        """Insert the row of an occurrence; False when there is one already."""
        row = Occurrence(series_id=series.id, original_start=original_start, task_id=task_id).model_dump()
        entered = await self.session.execute(
            insert(Occurrence).values(row).on_conflict_do_nothing().returning(OCCURRENCE.id)
        )
        return entered.first() is not None

    async def _withdraw(self, series: Series, undo: Undo) -> bool:
        """Remove the occurrence that a closing opened; whether the series is now as that closing left it."""
        if series.version != undo.version:
            return False
        if undo.next is None:
            return series.status == "ended"
        if series.last_original_start != undo.next:
            return series.next_original_start == undo.next and series.n == undo.before.n
        is_it = (OCCURRENCE.series_id == series.id, OCCURRENCE.original_start == undo.next)
        query = select(Task).join(Occurrence, OCCURRENCE.task_id == TASK.id).where(*is_it, OCCURRENCE.status == "open")
        successor: Task | None = await self.session.scalar(query.with_for_update(of=Task, key_share=True))
        fresh = Task(owner_id=series.owner_id, **series.new_task_values(series.plan(), undo.next))
        if successor is None or _content(successor) != _content(fresh) or await self._is_worked_on(successor):
            return False
        await self.session.execute(delete(Occurrence).where(*is_it))
        await self.session.execute(delete(Task).where(TASK.id == successor.id))
        before = successor.model_dump()
        await record(self.session, "tasks.undo", "tasks", subject_id=successor.id, before=before)
        return True

    async def _restored(self, series: Series, before: ScheduleState) -> ScheduleState:
        """The state before a closing; a vacation that began or ended since changes when it goes on."""
        if before.next_run_at is None:
            return before
        plan = series.plan()
        still_open = await self.open_occurrences(series, plan)
        return replace(before, next_run_at=next_run_at(plan, before.next_original_start, still_open))

    async def _is_worked_on(self, task: Task) -> bool:
        """Whether a subtask was changed or added, or a reminder set or snoozed, since the task came up."""
        if await self.session.scalar(OWN_REMINDER, {"task": task.id}):
            return True
        children = await descendants(self.session, [task.id])
        return any(child.version > 1 or child.created_at != task.created_at for child in children)

    async def _enqueue_when_due(self, state: ScheduleState) -> None:
        if state.next_run_at is not None and state.next_run_at < now() + timedelta(seconds=LONGEST_SLEEP):
            await enqueue(self.session, "materialize_due")


def fields_of(series: Series) -> dict[str, str]:
    """Where a request has what the rule of a series begins with."""
    return {"start": f"body.{series.repeats_by}", "timezone": f"body.{series.repeats_by}.timezone"}


def _waits(series: Series, plan: Plan, coming: PlannedOccurrence, closed_at: datetime) -> bool:
    """Whether an occurrence stays closed although the one before it closes now."""
    if series.status == "paused" or pause_ends_at(plan, closed_at) or in_pause(plan, coming.original_start):
        return True
    return plan.opens is Opens.ON_TIME and opens_at(plan, coming.original_start) > closed_at


def _content(task: Task) -> dict[str, Any]:
    """What a person can have changed; the due of an unchanged task follows its owner's time zone."""
    return task.model_dump(exclude={"id", "created_at", "updated_at", "version"})


def _open_occurrence_of(task: Task) -> Update:
    return update(Occurrence).where(OCCURRENCE.status == "open", OCCURRENCE.task_id == task.id)
