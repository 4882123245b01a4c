"""Making the calls that wait in the outbox: at least once each, with a stable id.

A call is claimed with a lease and a token, made outside any transaction, and noted as made by the holder of the token
alone. Whoever is killed, or sleeps too long, leaves a lease that runs out: somebody else calls again, with the same id.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import func, or_, select, update

from todo.access import worker_origin
from todo.database import Database, WriteSession
from todo.domain.notifications.models import OUTGOING, Outgoing
from todo.domain.notifications.services.channels import CHANNELS, External

log = logging.getLogger(__name__)

BATCH = 20  # calls made side by side
PATIENCE = 15.0  # seconds for one call: well within its lease
LEASE = timedelta(seconds=60)
ATTEMPTS = 12  # within two days: the second after 10 seconds, then three times later each time, 12 hours at most


async def deliver_due(database: Database) -> int:
    """Make the calls that are due, up to a batch; how many that were. Any number of workers may do this at once."""
    async with database.session(worker_origin()) as session:
        items = await claim(session)
    await asyncio.gather(*(_deliver(database, item) for item in items))
    return len(items)


async def claim(session: WriteSession) -> Sequence[Outgoing]:
    """Take up to a batch of due calls, for a minute."""
    free = or_(OUTGOING.lease_until.is_(None), OUTGOING.lease_until < func.now())
    due = select(OUTGOING.id).where(OUTGOING.done_at.is_(None), OUTGOING.failed_at.is_(None), free)
    due = due.where(OUTGOING.run_at <= func.now()).order_by(OUTGOING.run_at, OUTGOING.id).limit(BATCH)
    lease = {"attempts": OUTGOING.attempts + 1, "lease_until": func.now() + LEASE, "lease_token": uuid4()}
    taken = due.with_for_update(skip_locked=True).cte("due")
    claimed = update(Outgoing).where(OUTGOING.id == taken.c.id).values(lease).returning(Outgoing)
    return (await session.scalars(claimed)).all()


async def _deliver(database: Database, item: Outgoing) -> None:
    try:
        channel = CHANNELS[item.channel]
        if not isinstance(channel, External):
            raise TypeError(f"{item.channel} makes no calls")
        async with asyncio.timeout(PATIENCE):
            await channel.deliver(item)
    except Exception as error:  # whatever it is, the call must neither get lost nor hold up the others
        log.warning("call %s was not taken, attempt %d: %s", item.id, item.attempts, type(error).__name__)
        outcome = _failure(item, error)
    else:
        outcome = {"done_at": func.now(), "last_error": None}
    mine = (OUTGOING.id == item.id, OUTGOING.lease_token == item.lease_token, OUTGOING.done_at.is_(None))
    async with database.session(worker_origin()) as session:
        await session.execute(
            update(Outgoing).where(*mine).values(outcome | {"lease_until": None, "lease_token": None})
        )


def _failure(item: Outgoing, error: Exception) -> dict[str, Any]:
    told = {"last_error": f"{type(error).__name__}: {error}".replace("\x00", "")[:500]}
    if item.attempts >= ATTEMPTS:
        return told | {"failed_at": func.now()}
    return told | {"run_at": func.now() + min(timedelta(seconds=10) * 3 ** (item.attempts - 1), timedelta(hours=12))}
