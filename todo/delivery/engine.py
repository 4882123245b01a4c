"""Write deliveries, and send those that are due.

The worker claims a delivery with a lease and a token, sends it outside any transaction, and only the holder of the
token records the result. When a worker is killed or suspended, its lease expires and another worker sends the
message again with the same id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from todo import tracing
from todo.access import worker_origin
from todo.cleanup import Expired
from todo.database import Database, WriteSession, table_of
from todo.delivery.models import DELIVERY, PENDING, Delivery
from todo.loops import COUNTS, Loop, to_its_end
from todo.queue import enqueue
from todo.settings import Settings

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
TIMEOUT = 30.0  # seconds for one attempt; shorter than its lease, so that no other worker claims it meanwhile
CONCURRENCY = 4
BATCH_SECONDS = 20.0  # seconds of sending before other jobs run
MAX_ATTEMPTS = 12  # within two days: the second after 10 seconds, then each after three times as long, 12 hours at most
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=12)
KEPT = timedelta(days=30)
TRACEPARENT = "traceparent"  # of a payload: the span that added the delivery

EARLIER = table_of(Delivery).alias("earlier").c
EXPIRED = Expired(Delivery, func.coalesce(DELIVERY.done_at, DELIVERY.failed_at) < func.now() - KEPT)


class Rejected(Exception):
    """The receiver rejected the message permanently: it is not retried."""


class Channel(Protocol):
    """A way to send messages. `name` is the `channel` of its deliveries."""

    @property
    def name(self) -> str: ...

    async def deliver(self, delivery: Delivery) -> None:
        """Send a message. Raise Rejected for a permanent failure; any other error is retried."""


async def add_deliveries(session: WriteSession, deliveries: Sequence[Delivery]) -> None:
    """Write deliveries in the caller's transaction. They are sent after its commit, and never after a rollback.

    Deliveries with an existing `dedup_key` are skipped.
    """
    if deliveries:
        rows = [_row(delivery, session.origin.request_id) for delivery in deliveries]
        await session.execute(insert(table_of(Delivery)).on_conflict_do_nothing(index_elements=["dedup_key"]), rows)
        await enqueue(session, "deliver_due")


def _row(delivery: Delivery, request_id: str) -> dict[str, Any]:
    """Return the row of a delivery. An e-mail names the request, or the job, that it comes from."""
    row = delivery.model_dump()
    if span := tracing.traceparent():
        row["payload"] = row["payload"] | {TRACEPARENT: span}
    if delivery.channel == "email":
        headers = {"X-Request-ID": request_id, **row["payload"].get("headers", {})}
        row["payload"] = row["payload"] | {"headers": headers}
    return row


IsWanted = Callable[[Database, Delivery], Awaitable[bool]]


async def _always(_: Database, __: Delivery) -> bool:
    return True


def delivery_loop(make_channels: Sequence[Callable[[Settings], Channel]], is_wanted: IsWanted = _always) -> Loop:
    """Return the worker loop that sends through these channels. `add_deliveries` wakes it.

    What is no longer wanted at the time of an attempt is deleted instead.
    """

    async def work(database: Database) -> float | None:
        """Send the deliveries that are due."""
        tried = await deliver_due(database, [make(database.settings) for make in make_channels], is_wanted)
        COUNTS["deliveries_tried"] += tried
        return 0 if tried else None

    return Loop("deliver_due", work)


async def deliver_due(database: Database, channels: Sequence[Channel], is_wanted: IsWanted = _always) -> int:
    """Send the due deliveries of these channels, several at once, for a limited time. Return the number of attempts.

    Any number of workers may run this at once. Deliveries of other channels are left pending.
    """
    by_name = {channel.name: channel for channel in channels}
    end = monotonic() + BATCH_SECONDS

    async def work() -> int:
        tried = 0
        while monotonic() < end and await to_its_end(_deliver_next(database, by_name, is_wanted)):
            tried += 1
        return tried

    outcomes = await asyncio.gather(*(work() for _ in range(CONCURRENCY)), return_exceptions=True)
    for failure in outcomes:
        if isinstance(failure, BaseException):
            raise failure
    return sum(outcome for outcome in outcomes if isinstance(outcome, int))


async def _deliver_next(database: Database, channels: Mapping[str, Channel], is_wanted: IsWanted) -> bool:
    """Send the next delivery, or delete it. Return whether there was one."""
    delivery = await _claim(database, channels)
    if delivery and await is_wanted(database, delivery):
        await _deliver(database, channels[delivery.channel], delivery)
    elif delivery:
        await _withdraw(database, delivery)
    return delivery is not None


async def _claim(database: Database, channels: Mapping[str, Channel]) -> Delivery | None:
    """Lease the next delivery. A recipient's earlier deliveries must have ended first."""
    before = and_(
        EARLIER.channel == DELIVERY.channel, EARLIER.recipient == DELIVERY.recipient, EARLIER.id < DELIVERY.id,
        EARLIER.done_at.is_(None), EARLIER.failed_at.is_(None),
    )  # fmt: skip
    free = or_(DELIVERY.lease_until.is_(None), DELIVERY.lease_until < func.now())
    due = select(DELIVERY.id).where(
        PENDING, DELIVERY.run_at <= func.now(), free, DELIVERY.channel.in_(channels), ~exists().where(before)
    )
    due = due.order_by(DELIVERY.run_at, DELIVERY.id).limit(1).with_for_update(skip_locked=True)
    lease = {"attempts": DELIVERY.attempts + 1, "lease_until": func.now() + LEASE, "lease_token": uuid4()}
    claim = update(Delivery).where(DELIVERY.id == due.scalar_subquery()).values(lease).returning(Delivery)
    async with database.session(worker_origin()) as session:
        delivery: Delivery | None = (await session.scalars(claim)).one_or_none()
    return delivery


async def _withdraw(database: Database, delivery: Delivery) -> None:
    async with database.session(worker_origin()) as session:
        await session.execute(delete(Delivery).where(*_held(delivery)))


def _held(delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a claimed delivery is still that of the worker which claimed it."""
    return DELIVERY.id == delivery.id, DELIVERY.lease_token == delivery.lease_token, DELIVERY.done_at.is_(None)


async def _deliver(database: Database, channel: Channel, delivery: Delivery) -> None:
    parent = delivery.payload.get(TRACEPARENT)
    try:
        with tracing.span(f"deliver {channel.name}", "client", parent, **{"todo.delivery": str(delivery.id)}):
            async with asyncio.timeout(TIMEOUT):
                await channel.deliver(delivery)
    except Exception as error:  # any error: the message must not get lost, nor block the others
        log.warning(
            "a delivery by %s failed: %s", delivery.channel, type(error).__name__,
            extra={"delivery": str(delivery.id), "attempt": delivery.attempts},
        )  # fmt: skip
        outcome = _failure(delivery, error)
    else:
        outcome = {"done_at": func.now(), "last_error": None, "payload": {}}
    async with database.session(worker_origin()) as session:
        released = outcome | {"lease_until": None, "lease_token": None}
        await session.execute(update(Delivery).where(*_held(delivery)).values(released))


def _failure(delivery: Delivery, error: Exception) -> dict[str, Any]:
    """Return the time of the next attempt; None after the last attempt or a permanent failure."""
    noted = {"last_error": f"{type(error).__name__}: {error}".replace("\x00", "")[:500]}
    if delivery.attempts >= MAX_ATTEMPTS or isinstance(error, Rejected):
        return noted | {"failed_at": func.now()}
    return noted | {"run_at": func.now() + min(FIRST_PAUSE * 3 ** (delivery.attempts - 1), LONGEST_PAUSE)}
