"""What notifications know of why people were or were not reminded of a task, for the admin."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, String, bindparam, cast, or_, select

from todo.admin.explanations import Explainer, ExplanationEntry, Subject, entry, worker_entries
from todo.database import ACTOR, Query
from todo.delivery.models import DELIVERY, Delivery
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.guards import still_visible_to
from todo.domain.notifications.models import (
    NOTIFICATION,
    PREFERENCES,
    REMINDER,
    Notification,
    Preferences,
    Reminder,
)
from todo.domain.notifications.rules.reminders import Person, instant_of
from todo.domain.notifications.services.reminders import TIMING, state_of

MOST = 50  # reminders, and notifications
WORKERS = ("send_reminders", "deliver_due")
STATES = {
    "task_closed": "The task is closed.",
    "waiting_for_due": "The task has no due date.",
    "waiting_for_start": "The task has no start date.",
    "past": "Its time had passed when it was set, or when the task came back.",
    "sent": "It was sent before, and the date has not changed since.",
}


class ReminderRow(NamedTuple):
    """A reminder, whose it is, and how they want to be reminded."""

    id: UUID
    name: str
    status: str
    timezone: str
    timing: msgspec.Raw
    series_id: UUID | None
    urgent: bool
    remind_at: datetime | None
    run_at: datetime | None
    snoozed_until: datetime | None
    sent_at: datetime | None
    last_error: str | None
    channels: msgspec.Raw | None
    day_time: str | None


class MessageRow(NamedTuple):
    """A notification about the task and, where there is one, its e-mail."""

    id: UUID
    name: str
    kind: str
    created_at: datetime
    in_app: bool
    read_at: datetime | None
    mail_waits: bool
    mail_at: datetime | None
    delivery_id: UUID | None
    done_at: datetime | None
    failed_at: datetime | None
    run_at: datetime | None
    attempts: int | None
    last_error: str | None


_every = bindparam("every", type_=Boolean())
_reminders = (
    select(
        REMINDER.id, USER.name, USER.status, USER.timezone, REMINDER.timing, REMINDER.series_id, REMINDER.urgent,
        REMINDER.remind_at, REMINDER.run_at, REMINDER.snoozed_until, REMINDER.sent_at, REMINDER.last_error,
        PREFERENCES.reminder, PREFERENCES.day_time,
    )
    .join_from(Reminder, User, USER.id == REMINDER.user_id)
    .outerjoin(Preferences, PREFERENCES.user_id == USER.id)
    .where(or_(_every, REMINDER.user_id == ACTOR))
    .order_by(REMINDER.created_at, REMINDER.id)
    .limit(MOST)
)  # fmt: skip
REMINDERS = Query(ReminderRow, _reminders.where(REMINDER.task_id == bindparam("task")))
TEMPLATES = Query(ReminderRow, _reminders.where(REMINDER.series_id == bindparam("series")))
MESSAGES = Query(
    MessageRow,
    select(
        NOTIFICATION.id, USER.name, NOTIFICATION.kind, NOTIFICATION.created_at, NOTIFICATION.in_app,
        NOTIFICATION.read_at, NOTIFICATION.mail_waits, NOTIFICATION.mail_at, DELIVERY.id, DELIVERY.done_at,
        DELIVERY.failed_at, DELIVERY.run_at, DELIVERY.attempts, DELIVERY.last_error,
    )
    .join_from(Notification, User, USER.id == NOTIFICATION.user_id)
    .outerjoin(Delivery, DELIVERY.dedup_key == "email " + cast(NOTIFICATION.id, String))
    .where(
        NOTIFICATION.task_id == bindparam("task"),
        or_(_every, (NOTIFICATION.user_id == ACTOR) & still_visible_to(ACTOR)),
    )
    .order_by(NOTIFICATION.created_at.desc(), NOTIFICATION.id)
    .limit(MOST),
)  # fmt: skip


async def explain_task(subject: Subject) -> list[ExplanationEntry]:
    """Explain who was reminded of a task, and what became of the messages. Runs three statements."""
    reads, actor, row = subject.database.reads, subject.actor, subject.row
    values = {"task": row.id, "actor": actor.id}
    reminders = await reads.all(REMINDERS, every=actor.may("reminders.all"), **values)
    messages = await reads.all(MESSAGES, every=actor.may("notifications.all"), **values)
    entries = [found for one in reminders for found in _reminder(one, row)]
    entries += [] if reminders else [entry("reminder", "Nobody has set a reminder that you may see")]
    shows_mail = actor.may("deliveries.view")
    entries += [found for one in messages for found in _message(one, shows_mail=shows_mail)]
    return entries + await worker_entries(subject.database, *WORKERS)


async def explain_series(subject: Subject) -> list[ExplanationEntry]:
    """Name the reminders that every occurrence gets. Runs one statement."""
    every = subject.actor.may("reminders.all")
    found = await subject.database.reads.all(TEMPLATES, series=subject.row.id, every=every, actor=subject.actor.id)
    return [entry("reminder", f"Every occurrence reminds {one.name}", of=("reminders", one.id)) for one in found]


EXPLAINERS = [Explainer("tasks", explain_task), Explainer("series", explain_series)]


def _reminder(one: ReminderRow, task: Any) -> Iterator[ExplanationEntry]:
    of = ("reminders", one.id)
    if one.sent_at:
        yield entry("reminder", f"Reminder of {one.name} sent", at=one.sent_at, of=of)
    if one.remind_at:
        yield entry("reminder", f"Reminder of {one.name} scheduled", _postponed(one, task), one.remind_at, of=of)
    elif not one.sent_at:
        state = state_of(TIMING.decode(one.timing), None, None, task.status, bool(task.due), bool(task.start))
        yield entry("reminder", f"Reminder of {one.name} is not scheduled", STATES[state], blocks=True, of=of)
    if one.last_error:
        what = f"Reminder of {one.name} failed, and is tried again"
        yield entry("reminder", what, one.last_error, one.run_at, blocks=True, of=of)
    unsent = f"Reminder of {one.name} is not sent"
    if one.status != "active":
        yield entry("reminder", unsent, f"The account is {one.status}.", blocks=True, of=of)
    if one.channels is not None and msgspec.json.decode(one.channels) == []:
        why = "Reminders are switched off in their notification settings."
        yield entry("reminder", unsent, why, blocks=True, of=of)


def _postponed(one: ReminderRow, task: Any) -> str:
    """Say why a reminder is sent at another time than it was set for."""
    if one.snoozed_until:
        return "Snoozed until then."
    timing = msgspec.json.decode(one.timing)
    person = Person(one.timezone, one.day_time or Person.day_time)
    meant = instant_of(timing, {"due": task.due, "start": task.start}, person)
    return "" if meant is None or meant == one.remind_at else "After the quiet hours of that person."


def _message(one: MessageRow, *, shows_mail: bool) -> Iterator[ExplanationEntry]:
    kind = one.kind.replace("_", " ")
    why = "In the list of notifications." if one.in_app else "By e-mail only."
    yield entry("message", f"{one.name} was notified: {kind}", why, one.created_at, of=("notifications", one.id))
    if one.read_at:
        yield entry("message", f"{one.name} read it", at=one.read_at, of=("notifications", one.id))
    if one.mail_waits and one.mail_at:
        yield entry("message", f"An e-mail to {one.name} is to be written", at=one.mail_at)
    if shows_mail and one.delivery_id:
        yield _mail(one)


def _mail(one: MessageRow) -> ExplanationEntry:
    of = ("deliveries", one.delivery_id)
    if one.done_at:
        return entry("message", f"E-mail to {one.name} accepted by the mail server", at=one.done_at, of=of)
    why = f"{one.attempts} attempts. {one.last_error or ''}".strip()
    if one.failed_at:
        return entry("message", f"E-mail to {one.name} failed", why, one.failed_at, blocks=True, of=of)
    return entry("message", f"E-mail to {one.name} is to be sent", why, one.run_at, blocks=bool(one.last_error), of=of)
