"""Notifications of series that have come to their end by themselves: `series.end_notice_at` says which."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select, update

from todo.access import worker_origin
from todo.database import Database, WriteSession, table_of
from todo.domain.accounts.models import User
from todo.domain.notifications.models import Notification, Preferences
from todo.domain.notifications.rules import email_templates
from todo.domain.notifications.services.channels import Message
from todo.domain.notifications.services.messages import notify
from todo.domain.notifications.services.preferences import preferences_of
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.locks import unlocked_owners
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.queries import series_out

OTHER = table_of(Occurrence).alias().c
SERIES_AT_ONCE = 200  # in one transaction


async def notify_ended_series(database: Database) -> int:
    """Notify the owners of up to 200 series. Return how many series were processed."""
    async with database.session(worker_origin()) as session:
        waiting = select(Series).where(SERIES.end_notice_at.is_not(None)).order_by(SERIES.end_notice_at)
        locked = waiting.limit(SERIES_AT_ONCE).with_for_update(key_share=True, skip_locked=True)
        claimed = (await session.scalars(locked)).all()
        owners = unlocked_owners({series.owner_id for series in claimed})
        users = {user.id: user for user in await session.scalars(owners)} if claimed else {}
        ended = [series for series in claimed if series.owner_id in users]
        if not ended:
            return 0
        preferences, tasks = await preferences_of(session, list(users)), await _last_tasks(session, ended)
        messages = [
            _message(series, user, preferences[user.id], tasks.get(series.id))
            for series in ended
            if (user := users[series.owner_id]).status == "active"
        ]
        done = update(Series).where(SERIES.id.in_([series.id for series in ended]))
        await session.execute(done.values(end_notice_at=None))
        await notify(session, database.settings, messages)
    return len(ended)


async def _last_tasks(session: WriteSession, ended: Sequence[Series]) -> Mapping[UUID, UUID]:
    """Return the task of each series' last occurrence, where it is not in the trash."""
    ids = [series.id for series in ended]
    last = select(func.max(OTHER.original_start)).where(OTHER.series_id == OCCURRENCE.series_id).scalar_subquery()
    found = select(OCCURRENCE.series_id, TASK.id).join(Task, TASK.id == OCCURRENCE.task_id)
    found = found.where(OCCURRENCE.series_id.in_(ids), OCCURRENCE.original_start == last, TASK.deleted_at.is_(None))
    return {series_id: task_id for series_id, task_id in await session.execute(found)}


def _message(series: Series, user: User, preferences: Preferences, task_id: UUID | None) -> Message:
    title = email_templates.one_line(str(series.template.get("title", "")))
    rule = series_out(series).sentence
    row = Notification(
        user_id=user.id,
        kind="series_ended",
        dedup=f"series_ended {series.id}",
        title=email_templates.one_line(f"Series ended: {title}"),
        text=f"{title}\n{rule}\nNo more tasks will be created.",
        task_id=task_id,
    )
    return Message(row, user, preferences, [email_templates.Section("No more tasks will be created", [(title, rule)])])
