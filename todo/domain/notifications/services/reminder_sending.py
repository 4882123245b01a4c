"""The worker's part: evaluate the reminders that are due, and send those that are still useful.

A worker claims users, not reminders, so that all missed reminders of a user become one message. Reminders are locked
before their tasks are read: a change that commits in between has requested another evaluation.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select

from todo.access import worker_origin
from todo.database import Database, WriteSession
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import REMINDER, Notification, Preferences, Reminder
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.rules.reminders import GRACE, Decision, Moments, Person, State, evaluate
from todo.domain.notifications.services.channels import Message
from todo.domain.notifications.services.messages import notify
from todo.domain.notifications.services.preferences import person_of, preferences_of
from todo.domain.tasks import guards
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.rules import CLOSED
from todo.settings import Settings

log = logging.getLogger(__name__)

PEOPLE = 200  # processed in one transaction
REMINDERS = 2000
ASIDE = timedelta(hours=1)  # delay of a reminder that cannot be evaluated


class DueReminder(NamedTuple):
    """A reminder to send now."""

    reminder: Reminder
    task: Task
    decision: Decision


async def send_due_reminders(database: Database) -> int:
    """Send the due reminders of up to 200 users. Return how many reminders were evaluated."""
    async with database.session(worker_origin()) as session:
        # Due times are compared with the clock of the database.
        moment: datetime = (await session.execute(select(func.now()))).scalar_one()
        people = await _claim_people(session)
        reminders = await _claim_reminders(session, list(people))
        preferences = await preferences_of(session, list(people))
        tasks = await _tasks_of(session, reminders)
        messages: list[Message] = []
        for user_id, theirs in _by_person(reminders).items():
            messages += _evaluate_all(theirs, tasks, people[user_id], preferences[user_id], moment, database.settings)
        await session.flush()
        await notify(session, database.settings, messages)
    return len(reminders)


async def seconds_until_next(database: Database) -> float | None:
    """Return the seconds until the next reminder, or None when there is none."""
    async with database.session(worker_origin()) as session:
        wait = select(func.extract("epoch", func.min(REMINDER.run_at) - func.now()))
        found: Any = await session.scalar(wait)
    return None if found is None else max(0.25, float(found))


async def _claim_people(session: WriteSession) -> dict[UUID, User]:
    """Return the users with due reminders, locked against other workers only: requests are not blocked."""
    due = select(REMINDER.user_id).where(REMINDER.run_at <= func.now()).order_by(REMINDER.run_at).limit(PEOPLE)
    locked = select(User).where(USER.id.in_(due)).with_for_update(key_share=True, skip_locked=True)
    return {user.id: user for user in await session.scalars(locked)}


async def _claim_reminders(session: WriteSession, user_ids: Sequence[UUID]) -> Sequence[Reminder]:
    due = select(Reminder).where(REMINDER.user_id.in_(user_ids), REMINDER.run_at <= func.now())
    order = due.order_by(REMINDER.user_id, REMINDER.run_at, REMINDER.id).limit(REMINDERS)
    return (await session.scalars(order.with_for_update(skip_locked=True))).all()


async def _tasks_of(session: WriteSession, reminders: Sequence[Reminder]) -> dict[UUID, Task]:
    """Return the current task of each reminder, without tasks that are closed or no longer visible to the user."""
    ids = [reminder.id for reminder in reminders]
    there = (TASK.id == REMINDER.task_id, guards.visible_to(REMINDER.user_id), TASK.status.not_in(CLOSED))
    found = select(REMINDER.id, Task).join(Task, TASK.id == REMINDER.task_id).where(REMINDER.id.in_(ids), *there)
    return {row[0]: row[1] for row in await session.execute(found)}


def _by_person(reminders: Iterable[Reminder]) -> dict[UUID, list[Reminder]]:
    found = defaultdict(list)
    for reminder in reminders:
        found[reminder.user_id].append(reminder)
    return found


def _evaluate_all(
    reminders: Sequence[Reminder],
    tasks: dict[UUID, Task],
    user: User,
    preferences: Preferences,
    moment: datetime,
    settings: Settings,
) -> list[Message]:
    """Update one user's reminders. Return those to send, in order of their due time."""
    sent, person = [], person_of(preferences, user.timezone)
    for reminder in reminders:
        try:
            task = tasks.get(reminder.id) if user.status == "active" else None
            decision = decide(reminder, task, person, reminder.run_at or moment, moment)
            _note(reminder, decision, moment)
            if decision.action == "send" and task is not None:
                sent.append(DueReminder(reminder, task, decision))
        except Exception as error:  # a reminder that fails must not stop the others
            log.exception("reminder %s failed and is postponed", reminder.id)
            reminder.run_at, reminder.last_error = moment + ASIDE, repr(error)[:500]
    sent.sort(key=lambda one: (one.decision.at or moment, one.reminder.id))
    late = [one for one in sent if one.decision.at and one.decision.at < moment - GRACE]
    messages = [_missed(late, user, preferences)] if late else []
    return messages + [_single(one, user, preferences, moment, settings) for one in sent if one not in late]


def decide(reminder: Reminder, task: Task | None, person: Person, requested_at: datetime, moment: datetime) -> Decision:
    """Evaluate a reminder by the rules. `task` is None unless it exists and is open."""
    state = State(requested_at, reminder.remind_at, reminder.sent_key, reminder.snoozed_until, reminder.urgent)
    return evaluate(reminder.timing, moments_of(task) if task else None, person, state, moment)


def moments_of(task: Task) -> Moments:
    """Return the dates a reminder can be relative to."""
    return {"due": task.due, "start": task.start}


def _note(reminder: Reminder, decision: Decision, moment: datetime) -> None:
    reminder.remind_at = reminder.run_at = decision.at if decision.action == "wait" else None
    reminder.last_error = None
    if decision.action != "send":
        return
    reminder.sent_at = moment
    if reminder.snoozed_until is None:
        reminder.sent_key = decision.key
    else:  # the task's own date may have moved meanwhile
        reminder.snoozed_until, reminder.run_at = None, moment


def _single(one: DueReminder, user: User, preferences: Preferences, moment: datetime, settings: Settings) -> Message:
    from todo.domain.tasks import calendar  # noqa: PLC0415 -- most processes send none

    title, due = email_templates.line_of(one.task.model_dump(), user.timezone)
    host = urlsplit(settings.public_url).hostname or "todo"
    row = Notification(
        user_id=user.id,
        kind="reminder",
        dedup=f"reminder {one.reminder.id} {one.decision.key}",
        title=email_templates.one_line(f"Reminder: {title}"),
        text=title + (f"\n{due}" if due else ""),
        task_id=one.task.id,
    )
    event = calendar.event(one.task.model_dump(), host, moment)
    return Message(row, user, preferences, [email_templates.Section("", [(title, due)])], event)


def _missed(late: Sequence[DueReminder], user: User, preferences: Preferences) -> Message:
    """Return one message for all reminders that could not be sent in time."""
    lines = [email_templates.line_of(one.task.model_dump(), user.timezone) for one in late]
    section = email_templates.Section("Missed while we were away", lines)
    row = Notification(
        user_id=user.id,
        kind="missed",
        dedup=f"missed {late[0].reminder.id} {late[0].decision.key}",
        title=f"Missed while we were away: {email_templates.tasks(len(late))}",
        text=email_templates.plain([section]),
    )
    return Message(row, user, preferences, [section])
