"""What operators ask about everything that is on its way out: mail, and the calls of the outbox."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, literal, select, union_all, update

from todo.audit import record
from todo.database import Query, WriteSession
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import OUTGOING, REMINDER, Outgoing
from todo.http.metrics import Gauge
from todo.mail import MAIL, Mail


class Pending(NamedTuple):
    """Something on its way out. `state` is waiting or failed; failed ones are not tried again by themselves."""

    id: UUID
    channel: str
    to: str
    about: str
    state: str
    attempts: int
    run_at: datetime
    last_error: str | None


MAILS = and_(MAIL.sent_at.is_(None), MAIL.failed_at.is_(None))
CALLS = and_(OUTGOING.done_at.is_(None), OUTGOING.failed_at.is_(None))


def _lag(column: Any, *where: Any) -> Any:
    """How many seconds the oldest is overdue; null when nothing is."""
    return select(func.extract("epoch", func.now() - func.min(column))).where(column <= func.now(), *where)


_waiting = select(OUTGOING.id).where(CALLS).limit(10_000).subquery()
_oldest = func.greatest(_lag(MAIL.send_at, MAILS).scalar_subquery(), _lag(OUTGOING.run_at, CALLS).scalar_subquery(), 0)
# Those at the epoch are asked to look at once, and have waited for nothing.
_late = _lag(REMINDER.run_at, REMINDER.run_at > func.to_timestamp(0))

GAUGES = [
    Gauge(
        "todo_outbox_waiting",
        "Calls to the world outside that are not made yet, up to 10,000.",
        Query(float, select(func.count()).select_from(_waiting)),
    ),
    Gauge(
        "todo_outbox_lag_seconds",
        "How late the oldest message is that should have gone out, by mail or otherwise.",
        Query(float, select(_oldest)),
    ),
    Gauge(
        "todo_reminders_lag_seconds",
        "How late the oldest reminder is that should have been told.",
        Query(float, select(func.coalesce(_late.scalar_subquery(), 0))),
    ),
]


async def pending(session: WriteSession, *, failed: bool, limit: int = 100) -> list[Pending]:
    """What has failed for good, or else what waits; the oldest first."""
    mails = select(
        MAIL.id, literal("email").label("channel"), MAIL.to, MAIL.subject.label("about"),
        literal("failed" if failed else "waiting").label("state"), MAIL.attempts, MAIL.send_at.label("run_at"),
        MAIL.last_error,
    ).where(MAIL.failed_at.is_not(None) if failed else MAILS)  # fmt: skip
    calls = select(
        OUTGOING.id, OUTGOING.channel, USER.email, OUTGOING.dedup,
        literal("failed" if failed else "waiting"), OUTGOING.attempts, OUTGOING.run_at, OUTGOING.last_error,
    ).join(User, USER.id == OUTGOING.user_id).where(OUTGOING.failed_at.is_not(None) if failed else CALLS)  # fmt: skip
    both = union_all(mails, calls).subquery()
    found = await session.execute(select(both).order_by(both.c.run_at, both.c.id).limit(limit))
    return [Pending(*row) for row in found]


async def retry(session: WriteSession, some_id: UUID | None = None) -> int:
    """Try again what has failed for good, one or all, with all attempts ahead; how many that were."""
    count = 0
    for model, columns, due in ((Mail, MAIL, "send_at"), (Outgoing, OUTGOING, "run_at")):
        again = update(model).where(columns.failed_at.is_not(None), *([columns.id == some_id] if some_id else []))
        values = {"failed_at": None, "attempts": 0, due: func.now(), "lease_until": None, "lease_token": None}
        count += len((await session.execute(again.values(values).returning(columns.id))).all())
    if count:
        await record(session, "outbox.retry", "outbox", subject_id=some_id, after={"count": count})
    return count
