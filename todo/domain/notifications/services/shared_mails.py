"""Mails about shared work. Who no longer sees the task gets none, not even one that waits to be delivered."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select, update

from todo.access import worker_origin
from todo.database import Database, Query, WriteSession
from todo.delivery.engine import add_deliveries
from todo.delivery.models import Delivery
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.guards import still_visible_to
from todo.domain.notifications.models import NOTIFICATION, Notification
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.services.channels import CHANNELS, Message
from todo.domain.notifications.services.preferences import preferences_of
from todo.domain.tasks import guards
from todo.domain.tasks.models import TASK, Task

AT_ONCE = 200
WANTED = Query(
    bool,
    select(
        exists().where(
            NOTIFICATION.id == bindparam("notification", type_=NOTIFICATION.id.type),
            still_visible_to(NOTIFICATION.user_id),
        )
    ),
)


async def write_due_mails(database: Database) -> int:
    """Write the mails whose time has come, up to 200. Return how many notifications were processed."""
    async with database.session(worker_origin()) as session:
        due = select(Notification).where(NOTIFICATION.mail_waits, NOTIFICATION.mail_at <= func.now())
        order = due.order_by(NOTIFICATION.mail_at).limit(AT_ONCE).with_for_update(skip_locked=True, key_share=True)
        rows = (await session.scalars(order)).all()
        if not rows:
            return 0
        processed = update(Notification).where(NOTIFICATION.id.in_([row.id for row in rows]))
        await session.execute(processed.values(mail_waits=False))
        deliveries = [
            CHANNELS["email"](database.settings, message)
            for message in await _messages(session, rows)
            if "email" in message.channels
        ]
        await add_deliveries(session, deliveries)
    return len(rows)


async def _messages(session: WriteSession, rows: Sequence[Notification]) -> list[Message]:
    """What to send of these notifications now: since then the task may be hidden, and preferences changed."""
    tasks = await _visible_tasks(session, rows)
    active = select(User).where(USER.id.in_({row.user_id for row in rows}), USER.status == "active")
    users = {user.id: user for user in await session.scalars(active)}
    preferences = await preferences_of(session, list(users))
    return [
        Message(row, user, preferences[user.id], [_section(tasks[row.id], user)])
        for row in rows
        if row.id in tasks and (user := users.get(row.user_id))
    ]


async def _visible_tasks(session: WriteSession, rows: Sequence[Notification]) -> Mapping[UUID, Task]:
    """The task of each notification whose user sees it."""
    seen = (TASK.id == NOTIFICATION.task_id, guards.visible_to(NOTIFICATION.user_id))
    found = select(NOTIFICATION.id, Task).join(Task, TASK.id == NOTIFICATION.task_id)
    found = found.where(NOTIFICATION.id.in_([row.id for row in rows]), *seen)
    return {row[0]: row[1] for row in await session.execute(found)}


def _section(task: Task, user: User) -> email_templates.Section:
    return email_templates.Section("", [email_templates.line_of(task.model_dump(), user.timezone)])


async def is_wanted(database: Database, delivery: Delivery) -> bool:
    """Return whether a mail is still to be delivered: its notification is there, and its user sees the task."""
    channel, _, notification_id = (delivery.dedup_key or "").partition(" ")
    if channel != "email":
        return True
    found: bool | None = await database.primary.one_or_none(WANTED, notification=UUID(notification_id))
    return bool(found)
