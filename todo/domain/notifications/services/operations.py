"""What operators ask about everything that is on its way out: mail, and the calls of the outbox."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, func, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.audit import record
from todo.database import Direct, Query
from todo.domain.accounts.models import USER, User
from todo.domain.notifications.models import OUTGOING, REMINDER, Outgoing
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


class Depth(NamedTuple):
    """How much waits to go out, reminders to be told included, and how many seconds the oldest is overdue."""

    waiting: int
    failed: int
    oldest_seconds: float


MAILS = and_(MAIL.sent_at.is_(None), MAIL.failed_at.is_(None))
CALLS = and_(OUTGOING.done_at.is_(None), OUTGOING.failed_at.is_(None))


def _count(column: Any, where: Any) -> Any:
    return select(func.count(column)).where(where).scalar_subquery()


def _depth() -> Select[Any]:
    waiting = _count(MAIL.id, MAILS) + _count(OUTGOING.id, CALLS)
    failed = _count(MAIL.id, MAIL.failed_at.is_not(None)) + _count(OUTGOING.id, OUTGOING.failed_at.is_not(None))
    oldest = func.least(
        select(func.min(MAIL.send_at)).where(MAILS).scalar_subquery(),
        select(func.min(OUTGOING.run_at)).where(CALLS).scalar_subquery(),
        # Those at the epoch are asked to look at once, and have waited for nothing.
        select(func.min(REMINDER.run_at)).where(REMINDER.run_at > func.to_timestamp(0)).scalar_subquery(),
    )
    age = func.greatest(0, func.coalesce(func.extract("epoch", func.now() - oldest), 0))
    return select(waiting, failed, age)


DEPTH = Query(lambda waiting, failed, age: Depth(waiting, failed, float(age)), _depth())


async def depth(reads: Direct) -> Depth:
    """For metrics: one round trip."""
    return await reads.one_or_none(DEPTH) or Depth(0, 0, 0.0)


async def pending(session: AsyncSession, *, failed: bool, limit: int = 100) -> list[Pending]:
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


async def retry(session: AsyncSession, actor: Actor, some_id: UUID | None = None) -> int:
    """Try again what has failed for good, one or all, with all attempts ahead; how many that were."""
    count = 0
    for model, columns, due in ((Mail, MAIL, "send_at"), (Outgoing, OUTGOING, "run_at")):
        again = update(model).where(columns.failed_at.is_not(None), *([columns.id == some_id] if some_id else []))
        values = {"failed_at": None, "attempts": 0, due: func.now(), "lease_until": None, "lease_token": None}
        count += len((await session.execute(again.values(values).returning(columns.id))).all())
    if count:
        await record(session, actor, "outbox.retry", "outbox", subject_id=some_id, after={"count": count})
    return count
