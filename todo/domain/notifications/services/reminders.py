"""Add, change, snooze and delete a user's reminders."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import ColumnElement, bindparam, case, delete, func, insert, select, update

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import ACTOR, Direct, now
from todo.domain.accounts.models import USER
from todo.domain.notifications.guards import visible_to
from todo.domain.notifications.models import REMINDER, Reminder
from todo.domain.notifications.rules.reminders import TOLERANCE, key_of
from todo.domain.notifications.schemas import (
    Absolute,
    Relative,
    ReminderIn,
    ReminderOut,
    ReminderPatch,
    ReminderState,
    Snooze,
    Timing,
)  # fmt: skip
from todo.domain.notifications.services.preferences import person_of, preferences_of
from todo.domain.notifications.services.reminder_sending import decide, moments_of
from todo.domain.tasks import guards
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import TaskReads
from todo.domain.tasks.rules import CLOSED
from todo.errors import Conflict, Invalid, NotFound, Stale
from todo.listing import Listing, Sort
from todo.loops import LONGEST_SLEEP
from todo.queue import enqueue
from todo.schema import Instant, Page

MOST = 20  # reminders of one task
FURTHEST = timedelta(days=366)
EPOCH = datetime.fromtimestamp(0, UTC)

COLUMNS = (
    select(
        REMINDER.id, REMINDER.version, REMINDER.task_id, TASK.title, REMINDER.timing, REMINDER.urgent,
        REMINDER.template_id.is_not(None), REMINDER.remind_at, REMINDER.snoozed_until, REMINDER.sent_at,
        REMINDER.created_at, REMINDER.updated_at, TASK.status, TASK.due.is_not(None), TASK.start.is_not(None),
    )
    .join(Task, TASK.id == REMINDER.task_id)
    .where(visible_to(ACTOR))
)  # fmt: skip
TIMING = msgspec.json.Decoder[Timing](Timing)


def _listed(*values: Any) -> ReminderOut:
    """A row of `COLUMNS`."""
    timing, remind_at, sent_at = TIMING.decode(values[4]), values[7], values[9]
    state = state_of(timing, remind_at, sent_at, *values[-3:])
    return ReminderOut(*(*values[:4], timing, *values[5:8], state, *values[8:-3]))


SORTS = {
    "id": Sort(REMINDER.id, UUID, lambda reminder: reminder.id),
    "remind_at": Sort(REMINDER.remind_at, Instant, lambda reminder: reminder.remind_at),
}
OF_TASK = Listing(_listed, COLUMNS, filters={"task": REMINDER.task_id == bindparam("task")}, sorts=SORTS, default="id")
UPCOMING = Listing(
    _listed, COLUMNS.where(REMINDER.remind_at.is_not(None)), filters={}, sorts=SORTS, default="remind_at"
)


class ReminderReads:
    """The reminders that one user can see."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor

    async def of_task(self, task_id: UUID, **options: Any) -> Page[ReminderOut]:
        """Return a page of a task's reminders. Raise NotFound."""
        await TaskReads(self._reads, self._actor).one(task_id)
        return await OF_TASK.page(self._reads, {"task": task_id}, actor=self._actor.user_id, **options)

    async def upcoming(self, **options: Any) -> Page[ReminderOut]:
        return await UPCOMING.page(self._reads, {}, actor=self._actor.user_id, **options)


class ReminderService(AuditedService[Reminder], model=Reminder):
    """Change one user's reminders, in the caller's transaction.

    The task is locked first, to wait for a concurrent change of it; a later change sees the reminder.
    """

    async def add(self, task_id: UUID, data: ReminderIn) -> ReminderOut:
        """Add a reminder. Raise NotFound, Invalid, or Conflict when the task has too many."""
        task = await self._task(TASK.id == task_id)
        mine = select(func.count()).where(REMINDER.task_id == task_id, REMINDER.user_id == self.actor.user_id)
        if (await self.session.scalar(mine) or 0) >= MOST:
            raise Conflict(f"A task can have at most {MOST} reminders.")
        reminder = Reminder(
            user_id=self.actor.user_id, task_id=task_id, timing=stored(data.timing), urgent=data.urgent
        )  # fmt: skip
        relative = not isinstance(data.timing, Absolute)
        every_occurrence = (
            relative and task.series_id is not None if data.every_occurrence is None else data.every_occurrence
        )
        if every_occurrence:
            reminder.template_id = await self._template(reminder, task)
        await self._place(reminder, task)
        return shown(await self.create(reminder, action="reminders.add"), task)

    async def change_fields(
        self, reminder_id: UUID, data: ReminderPatch, if_match: frozenset[int] | None
    ) -> ReminderOut:
        """Change a reminder, or those of every occurrence. Raise NotFound, Stale or Invalid."""
        reminder, task = await self._own(reminder_id, if_match)
        values = data.sent()
        every_occurrence = values.pop("every_occurrence", UNSET)
        if "timing" in values:
            values |= {"timing": stored(values["timing"]), "snoozed_until": None}
        if every_occurrence is False:
            await self._stop_repeating(reminder)
            values["template_id"] = None
        await self.update(values, reminder, action="reminders.change")
        if every_occurrence is True and reminder.template_id is None:
            template_id = await self._template(reminder, task)
            await self.update({"template_id": template_id}, reminder, action="reminders.change")
        elif reminder.template_id is not None:
            await self._pass_on(reminder, retimed="timing" in values)
        # A reminder that waits for the end of quiet hours is not over: made urgent, it is sent at once.
        waits = "timing" not in values and reminder.remind_at is not None
        await self._keep(reminder, task, EPOCH if waits else None)
        return shown(reminder, task)

    async def snooze(self, reminder_id: UUID, data: Snooze, if_match: frozenset[int] | None) -> ReminderOut:
        """Postpone a reminder, instead of its own time if that is still to come.

        Raise NotFound, Stale, Invalid or Conflict.
        """
        until = _until(data, now())
        reminder, task = await self._own(reminder_id, if_match)
        if task.status in CLOSED:
            raise Conflict("The task is closed. Reopen it first.", slug="task-closed")
        values = {"snoozed_until": until, "sent_key": key_of(reminder.timing, moments_of(task))}
        await self.update(values, reminder, action="reminders.snooze")
        await self._keep(reminder, task)
        return shown(reminder, task)

    async def discard(self, reminder_id: UUID, if_match: frozenset[int] | None, *, every_occurrence: bool) -> None:
        """Delete a reminder, with `every_occurrence` in all occurrences. Raise NotFound or Stale."""
        reminder, _ = await self._own(reminder_id, if_match)
        if every_occurrence:
            await self._stop_repeating(reminder)
        await self.delete(reminder, action="reminders.delete")

    async def _task(self, *where: ColumnElement[bool]) -> Task:
        mine = select(Task).where(guards.visible_to(self.actor.user_id), *where)
        task: Task | None = await self.session.scalar(mine.with_for_update(key_share=True))
        if task is None:
            raise NotFound
        return task

    async def _own(self, reminder_id: UUID, if_match: frozenset[int] | None) -> tuple[Reminder, Task]:
        mine = (visible_to(self.actor.user_id), REMINDER.id == reminder_id)
        task_id = await self.session.scalar(select(REMINDER.task_id).where(*mine))
        task = await self._task(TASK.id == task_id)
        reminder = await self.locked(*mine)
        if if_match is not None and reminder.version not in if_match:
            raise Stale(shown(reminder, task))
        return reminder, task

    async def _place(self, reminder: Reminder, task: Task, requested_at: datetime | None = None) -> None:
        """Schedule a reminder. The worker sends one whose time has just come.

        Times that had passed at `requested_at` (default: now) are skipped.
        """
        user_id, moment = self.actor.user_id, now()
        preferences = (await preferences_of(self.session, [user_id]))[user_id]
        timezone = await self.session.scalar(select(USER.timezone).where(USER.id == user_id))
        person = person_of(preferences, timezone or self.actor.timezone)
        there = None if task.status in CLOSED else task
        decision = decide(reminder, there, person, requested_at or moment, moment)
        reminder.remind_at = reminder.run_at = decision.at
        if decision.at is not None and decision.at < moment + timedelta(seconds=LONGEST_SLEEP):
            await enqueue(self.session, "send_reminders")

    async def _keep(self, reminder: Reminder, task: Task, requested_at: datetime | None = None) -> None:
        """Store the schedule of a changed reminder. Neither versioned nor audited."""
        await self._place(reminder, task, requested_at)
        await self.session.flush()

    async def _template(self, reminder: Reminder, task: Task) -> UUID:
        """Store the template for future occurrences. Raise Invalid for a reminder that cannot recur."""
        if task.series_id is None:
            raise Invalid.field("body.every_occurrence", "The task does not recur.")
        if reminder.timing["kind"] == "absolute":
            raise Invalid.field("body.every_occurrence", "A fixed time cannot recur. Use a time relative to the task.")
        template = Reminder(
            user_id=reminder.user_id, series_id=task.series_id, timing=reminder.timing, urgent=reminder.urgent
        )
        await self.session.execute(insert(Reminder).values(template.model_dump()))
        return template.id

    async def _pass_on(self, reminder: Reminder, *, retimed: bool) -> None:
        """Apply the change of a reminder to its template and to the unsent reminders of other occurrences."""
        if reminder.timing["kind"] == "absolute":
            raise Invalid.field("body.timing", "A fixed time cannot recur. First set `every_occurrence` to false.")
        values = {"timing": reminder.timing, "urgent": reminder.urgent, "version": REMINDER.version + 1}
        template = update(Reminder).where(REMINDER.id == reminder.template_id)
        await self.session.execute(template.values(values))
        others = update(Reminder).where(REMINDER.template_id == reminder.template_id, REMINDER.id != reminder.id)
        waiting = case((REMINDER.remind_at.is_not(None), func.to_timestamp(0)), else_=REMINDER.run_at)
        values["run_at"] = func.now() if retimed else waiting
        await self.session.execute(others.where(REMINDER.sent_at.is_(None)).values(values))

    async def _stop_repeating(self, reminder: Reminder) -> None:
        """Delete the template and the unsent reminders of other occurrences."""
        if reminder.template_id is None:
            return
        others = (REMINDER.template_id == reminder.template_id, REMINDER.id != reminder.id, REMINDER.sent_at.is_(None))
        await self.session.execute(delete(Reminder).where(*others))
        await self.session.execute(delete(Reminder).where(REMINDER.id == reminder.template_id))


def stored(timing: Timing) -> dict[str, Any]:
    """Return a timing as stored, with instants in UTC. Raise Invalid when it has passed or is out of range."""
    if isinstance(timing, Absolute):
        timing = Absolute(_in_utc("body.timing.at", timing.at))
        if timing.at < now() - TOLERANCE:
            raise Invalid.field("body.timing.at", "This time has passed. It must be in the future.")
    kept: dict[str, Any] = msgspec.to_builtins(timing)
    return kept


def _in_utc(field: str, moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Invalid.field(field, "The time is out of range.") from None


def _until(data: Snooze, moment: datetime) -> datetime:
    if (data.minutes is None) == (data.until is None):
        raise Invalid.field("body.minutes", "Give exactly one of `minutes` and `until`.")
    until = moment + timedelta(minutes=data.minutes or 0) if data.until is None else _in_utc("body.until", data.until)
    if not moment < until <= moment + FURTHEST:
        raise Invalid.field("body.until", "The time must be within the next 366 days.")
    return until


def state_of(
    timing: Timing, remind_at: datetime | None, sent_at: datetime | None, status: str, has_due: bool, has_start: bool
) -> ReminderState:
    """Where a reminder of a task stands: why it is not scheduled, when it is not."""
    if remind_at is not None:
        return "scheduled"
    if status in CLOSED:
        return "sent" if sent_at else "task_closed"
    if isinstance(timing, Relative) and not (has_due if timing.to == "due" else has_start):
        return "waiting_for_due" if timing.to == "due" else "waiting_for_start"
    return "sent" if sent_at else "past"


def shown(reminder: Reminder, task: Task) -> ReminderOut:
    """Convert a loaded row to the API schema."""
    timing = msgspec.convert(reminder.timing, Timing)
    dates = task.due is not None, task.start is not None
    return ReminderOut(
        reminder.id, reminder.version, task.id, task.title, timing, reminder.urgent, reminder.template_id is not None,
        reminder.remind_at, state_of(timing, reminder.remind_at, reminder.sent_at, task.status, *dates),
        reminder.snoozed_until, reminder.sent_at, reminder.created_at, reminder.updated_at,
    )  # fmt: skip
