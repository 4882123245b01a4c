"""Worker loops, jobs and metrics of notifications."""

from sqlalchemy import func, select

from todo.cleanup import delete_expired
from todo.database import Database, Query
from todo.domain.notifications.models import REMINDER
from todo.domain.notifications.services import digests, endings, inbox, reminder_sending, shared_mails, shared_work
from todo.gauges import Gauge
from todo.loops import COUNTS, Loop
from todo.queue import Context, Cron


async def send_due(database: Database) -> float | None:
    """Send the reminders and digests that are due. Return the seconds until the next, or None when there is none."""
    reminders, readers = await reminder_sending.send_due_reminders(database), await digests.send_due(database)
    COUNTS["reminders_looked_at"] += reminders
    return 0 if reminders + readers else await reminder_sending.seconds_until_next(database)


async def notify_ended_series(database: Database) -> float | None:
    """Notify owners of series that have ended. Return 0 when there may be more, or None."""
    return 0 if await endings.notify_ended_series(database) else None


async def notify_shared_work(database: Database) -> float | None:
    """Notify of what others do with shared work, and write the mails. Return 0 when there may be more, or None."""
    done = await shared_work.notify_of_activities(database) + await shared_mails.write_due_mails(database)
    return 0 if done else None


async def delete_old_notifications(context: Context) -> None:
    """Delete notifications read more than a month ago, and unread ones older than a year."""
    await delete_expired(context["database"], *inbox.EXPIRED)


CRONS = [Cron(delete_old_notifications, "47 * * * *", timeout=600)]
LOOPS = [
    Loop("send_reminders", send_due),
    Loop("notify_ended_series", notify_ended_series),
    Loop("notify_shared_work", notify_shared_work),
]
# `run_at` at the epoch means "evaluate at once": such reminders are not late.
_oldest = select(func.min(REMINDER.run_at)).where(REMINDER.run_at > func.to_timestamp(0)).scalar_subquery()
GAUGES = [
    Gauge(
        "todo_reminders_lag_seconds",
        "Seconds by which the oldest unsent reminder is late.",
        Query(float, select(func.greatest(func.extract("epoch", func.now() - _oldest), 0))),
    ),
]
