"""Operations on the outbox: list, count and retry deliveries."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update

from todo.audit import record
from todo.database import Query, WriteSession
from todo.delivery.models import DELIVERY, PENDING, Delivery


class Item(NamedTuple):
    """A delivery without its payload."""

    id: UUID
    channel: str
    recipient: str
    subject: str
    attempts: int
    run_at: datetime
    last_error: str | None


COUNT = Query(float, select(func.count()).select_from(select(DELIVERY.id).where(PENDING).limit(10_000).subquery()))
_overdue = func.extract("epoch", func.now() - func.min(DELIVERY.run_at))
LAG = Query(float, select(func.greatest(_overdue, 0)).where(PENDING))


async def find(session: WriteSession, *, failed: bool, limit: int = 100) -> list[Item]:
    """List failed or else pending deliveries, oldest first."""
    columns = [DELIVERY[name] for name in Item._fields]
    found = select(*columns).where(DELIVERY.failed_at.is_not(None) if failed else PENDING)
    return [Item(*row) for row in await session.execute(found.order_by(DELIVERY.run_at, DELIVERY.id).limit(limit))]


async def retry(session: WriteSession, delivery_id: UUID | None = None) -> int:
    """Retry one failed delivery or all of them, with all attempts available. Return their number."""
    given_up = [DELIVERY.failed_at.is_not(None), *([DELIVERY.id == delivery_id] if delivery_id else [])]
    values = {"failed_at": None, "attempts": 0, "run_at": func.now(), "lease_until": None, "lease_token": None}
    again = update(Delivery).where(*given_up).values(values).returning(DELIVERY.id)
    count = len((await session.execute(again)).all())
    if count:
        await record(session, "deliveries.retry", "deliveries", subject_id=delivery_id, after={"count": count})
    return count
