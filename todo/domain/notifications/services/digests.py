"""The daily digest and the summary of overdue tasks, at most once per user, local day and kind."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Text, Uuid, and_, column, func, literal, literal_column, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY, array

from todo.access import worker_origin
from todo.database import Database, WriteSession
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import PREFERENCES, Notification, Preferences
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.rules.hours import day_of, latest_at, next_at
from todo.domain.notifications.rules.reminders import GRACE
from todo.domain.notifications.services.channels import Message
from todo.domain.notifications.services.messages import notify
from todo.domain.projects.models import ACCESS, Access
from todo.domain.tasks.models import FAR_AWAY, TASK
from todo.domain.tasks.queries import due_until
from todo.domain.tasks.rules import CLOSED, day_after

PEOPLE = 500  # in one transaction
MOST_TASKS = 100  # of one person, the longest overdue first


class Reader(NamedTuple):
    """A user whose digest is due, with the local day and its start and end."""

    user: User
    preferences: Preferences
    day: str
    begin: datetime
    end: datetime


async def send_due(database: Database) -> int:
    """Send the digests of up to 500 users. Return how many users were processed."""
    async with database.session(worker_origin()) as session:
        moment: datetime = (await session.execute(select(func.now()))).scalar_one()
        due = select(Preferences).where(PREFERENCES.next_digest_at <= func.now()).order_by(PREFERENCES.next_digest_at)
        claimed = (await session.scalars(due.limit(PEOPLE).with_for_update(skip_locked=True))).all()
        users = {user.id: user for user in await session.scalars(_users(claimed))}
        readers = [_advance(row, users[row.user_id], moment) for row in claimed]
        reading = [reader for reader in readers if reader]
        tasks = await _open_tasks(session, reading)
        messages = [m for reader in reading for m in _messages(reader, tasks.get(reader.user.id, ()))]
        await session.flush()
        await notify(session, database.settings, messages)
    return len(claimed)


def _users(claimed: Sequence[Preferences]) -> Any:
    return select(User).where(USER.id.in_([row.user_id for row in claimed]))


def _advance(row: Preferences, user: User, moment: datetime) -> Reader | None:
    """Schedule the next digest. Return the reader, or None when this digest is too late to be useful."""
    row.next_digest_at = next_at(row.digest_time, user.timezone, moment)
    day, meant = latest_at(row.digest_time, user.timezone, moment)
    if user.status != "active" or moment - meant > GRACE:
        return None
    return Reader(user, row, day.isoformat(), *day_of(moment, user.timezone))


async def _open_tasks(session: WriteSession, readers: Sequence[Reader]) -> Mapping[UUID, list[dict[str, Any]]]:
    """Return all users' open tasks that are due by the end of their day, own and assigned ones, in one query."""
    if not readers:
        return {}
    instant = DateTime(timezone=True)
    lists = func.unnest(
        literal([reader.user.id for reader in readers], ARRAY(Uuid())),
        literal([reader.end for reader in readers], ARRAY(instant)),
        literal([day_after(reader.end, reader.user.timezone) for reader in readers], ARRAY(Text())),
    )
    columns = (column("user_id", Uuid()), column("until", instant), column("until_day", Text()))
    theirs = lists.table_valued(*columns, name="reader").render_derived()
    # The same expression as in the index on the order of dates.
    order = func.coalesce(TASK.due_at, literal_column(FAR_AWAY))
    reader = theirs.c.user_id
    due = select(TASK.title, TASK.due, TASK.overdue_at, TASK.id.label("task_id"), order.label("at")).where(
        TASK.deleted_at.is_(None), TASK.status.not_in(CLOSED), due_until(theirs.c.until, theirs.c.until_day)
    )
    seen = and_(ACCESS.project_id == TASK.project_id, ACCESS.user_id == reader)
    assigned = due.join(Access, seen).where(TASK.assignee_ids.contains(array([reader])))
    parts = (part.order_by(order, TASK.id).limit(MOST_TASKS) for part in (due.where(TASK.owner_id == reader), assigned))
    both = union_all(*(part.correlate(theirs).subquery().select() for part in parts)).subquery()
    first = select(both.c.title, both.c.due, both.c.overdue_at).order_by(both.c.at, both.c.task_id).limit(MOST_TASKS)
    found = first.lateral("due")
    tasks = defaultdict(list)
    for user_id, *values in await session.execute(select(theirs.c.user_id, found).join(found, true())):
        tasks[user_id].append(dict(zip(("title", "due", "overdue_at"), values, strict=True)))
    return tasks


def _messages(reader: Reader, tasks: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return the messages for one user; none when there are no tasks."""
    zone = reader.user.timezone
    first = day_after(reader.begin, zone)
    late = [email_templates.line_of(task, zone) for task in tasks if _is_late(task, reader.begin, first)]
    today = [email_templates.line_of(task, zone) for task in tasks if not _is_late(task, reader.begin, first)]
    sections = [email_templates.Section("Today", today), email_templates.Section("Overdue", late)]
    sent = [section for section in sections if section.lines]
    found = []
    if sent and reader.preferences.digest:
        counts = [f"{email_templates.tasks(len(today))} today"] * bool(today) + [f"{len(late)} overdue"] * bool(late)
        found.append(_message(reader, "digest", ", ".join(counts), sent))
    if late and reader.preferences.overdue:
        found.append(_message(reader, "overdue", f"Overdue: {email_templates.tasks(len(late))}", sections[1:]))
    return found


def _is_late(task: Mapping[str, Any], begin: datetime, today: str) -> bool:
    """Whether a task was due before a day began; a day is the same one wherever its reader is."""
    day = task["due"].get("date")
    return bool(day < today if day else task["overdue_at"] <= begin)


def _message(reader: Reader, kind: str, title: str, sections: Sequence[email_templates.Section]) -> Message:
    row = Notification(
        user_id=reader.user.id,
        kind=kind,
        dedup=f"{kind} {reader.user.id} {reader.day}",
        title=title,
        text=email_templates.plain(sections),
    )
    return Message(row, reader.user, reader.preferences, sections)
