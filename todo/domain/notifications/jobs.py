"""What the worker does for notifications."""

from todo.cleanup import delete_expired
from todo.database import Database
from todo.domain.notifications.services import digests, firing, inbox, outbox
from todo.loops import COUNTS, Loop
from todo.queue import Context, Cron


async def tell_due(database: Database) -> float | None:
    """Tell the reminders and digests whose time has come; how long until there is more to tell."""
    reminders, readers = await firing.fire_due(database), await digests.tell_due(database)
    COUNTS["reminders_looked_at"] += reminders
    return 0 if reminders + readers else await firing.seconds_until_next(database)


async def deliver_due(database: Database) -> float | None:
    """Make the calls of the outbox that are due."""
    calls = await outbox.deliver_due(database)
    COUNTS["calls_tried"] += calls
    return 0 if calls else None


async def forget_old_notifications(context: Context) -> None:
    """Delete messages read a month ago, and calls made a week ago."""
    await delete_expired(context["database"], *inbox.EXPIRED)


CRONS = [Cron(forget_old_notifications, "47 * * * *", timeout=600)]
# Apart, so that a slow receiver keeps no reminder waiting.
LOOPS = [Loop("send_reminders", tell_due), Loop("deliver_outbox", deliver_due)]
