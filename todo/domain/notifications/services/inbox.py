"""The list of a user's notifications."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, select, update

from todo.access import Actor
from todo.audit import AuditedService, record
from todo.cleanup import Expired
from todo.database import ACTOR, Direct, Query, now
from todo.domain.notifications.guards import visible_in_list
from todo.domain.notifications.models import NOTIFICATION, Notification
from todo.domain.notifications.schemas import Marked, NotificationOut, Unread
from todo.listing import Listing, Sort
from todo.schema import Page

READ_KEPT, KEPT = timedelta(days=30), timedelta(days=365)

COLUMNS = select(
    NOTIFICATION.id, NOTIFICATION.version, NOTIFICATION.kind, NOTIFICATION.title, NOTIFICATION.text,
    NOTIFICATION.task_id, NOTIFICATION.comment_id, NOTIFICATION.created_at, NOTIFICATION.read_at,
).where(visible_in_list(ACTOR))  # fmt: skip
SORTS = {"id": Sort(NOTIFICATION.id, UUID, lambda notification: notification.id)}
FILTERS = {"unread": NOTIFICATION.read_at.is_(None) == bindparam("unread")}
LIST = Listing(NotificationOut, COLUMNS, filters=FILTERS, sorts=SORTS, default="-id")
UNREAD = Query(
    Unread, select(func.count()).select_from(Notification).where(visible_in_list(ACTOR), NOTIFICATION.read_at.is_(None))
)


class NotificationReads:
    """The notifications of one user."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def page(self, unread: bool | None, **options: Any) -> Page[NotificationOut]:
        """Return a page, newest first."""
        return await LIST.page(self._reads, {"unread": unread}, actor=self._actor, **options)

    async def unread(self) -> Unread:
        return await self._reads.one_or_none(UNREAD, actor=self._actor) or Unread(0)


class NotificationService(AuditedService[Notification], model=Notification):
    """Mark one user's notifications as read, in the caller's transaction."""

    async def read(self, notification_id: UUID) -> NotificationOut:
        """Mark a notification as read; repeating it changes nothing. Raise NotFound."""
        row = await self.locked(visible_in_list(self.actor.user_id), NOTIFICATION.id == notification_id)
        if row.read_at is None:
            await self.update({"read_at": now()}, row, action="notifications.read")
        return NotificationOut(*(getattr(row, column.name) for column in COLUMNS.selected_columns))

    async def read_all(self) -> Marked:
        unread = update(Notification).where(visible_in_list(self.actor.user_id), NOTIFICATION.read_at.is_(None))
        values = {"read_at": func.now(), "updated_at": func.now(), "version": NOTIFICATION.version + 1}
        marked = await self.session.execute(unread.values(values).returning(NOTIFICATION.id))
        count = len(marked.all())
        if count:
            await record(self.session, "notifications.read_all", "notifications", after={"marked": count})
        return Marked(count)


# Deleted a month after being read (or sent by e-mail only); unread ones after a year.
EXPIRED = [
    Expired(Notification, NOTIFICATION.read_at < func.now() - READ_KEPT),
    Expired(
        Notification,
        and_(~NOTIFICATION.in_app, NOTIFICATION.read_at.is_(None), NOTIFICATION.created_at < func.now() - READ_KEPT),
    ),
    Expired(Notification, NOTIFICATION.created_at < func.now() - KEPT),
]
