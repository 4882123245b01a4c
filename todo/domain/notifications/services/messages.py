"""Storing messages and passing them to their channels. All notifications are sent through this module."""

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert as upsert

from todo.database import WriteSession, table_of
from todo.delivery.engine import add_deliveries
from todo.domain.notifications.models import NOTIFICATION, Notification
from todo.domain.notifications.services.channels import CHANNELS, Message
from todo.settings import Settings


async def notify(session: WriteSession, settings: Settings, messages: Sequence[Message]) -> None:
    """Store new messages and pass them to their channels, in the caller's transaction. Skip those sent before.

    All of it is committed together, so a crash neither loses nor repeats a message.
    """
    wanted = [message for message in messages if message.channels]
    if not wanted:
        return
    rows = [message.row.model_dump() for message in wanted]
    stored = upsert(table_of(Notification)).on_conflict_do_nothing().returning(NOTIFICATION.id)
    new = {number for (number,) in await session.execute(stored, rows)}
    fresh = [message for message in wanted if message.row.id in new]
    deliveries = [CHANNELS[name](settings, m) for m in fresh for name in sorted(m.channels & CHANNELS.keys())]
    await add_deliveries(session, deliveries)
