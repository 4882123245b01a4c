"""The worker's part: look at the table and send what is due.

A message is claimed with a lease and a token, sent outside any transaction, and noted as sent by the holder of the
token alone. Whoever is killed in between leaves a lease that runs out: the message goes out again, with the same
Message-ID, if the server had it already.
"""

import asyncio
import logging
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from aiosmtplib import SMTPDataError, SMTPRecipientsRefused
from sqlalchemy import and_, exists, func, or_, select, update

from todo.access import worker_origin
from todo.cleanup import Expired
from todo.database import Database, Query, table_of
from todo.loops import COUNTS, Loop
from todo.mail import MAIL, Mail
from todo.mail.smtp import Server, hand_over, server_of
from todo.settings import Settings

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
PATIENCE = 30.0  # seconds for one message: well within its lease, so that nobody else takes it up meanwhile
SIDE_BY_SIDE = 4
STINT = 20.0  # seconds in which messages are taken up before others have their turn
ATTEMPTS = 12  # within two days: the second after 10 seconds, then three times later each time, 12 hours at most
KEPT = timedelta(days=30)

EARLIER = table_of(Mail).alias("earlier").c


async def deliver_due(database: Database, settings: Settings) -> int:
    """Send what is due, some messages side by side, for a while; how many. Any number of workers do this at once."""
    server = server_of(settings)

    end = monotonic() + STINT

    async def work() -> int:
        sent = 0
        while monotonic() < end and (mail := await _claim(database)):
            await _deliver(database, server, mail)
            sent += 1
        return sent

    outcomes = await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)), return_exceptions=True)
    for failure in outcomes:
        if isinstance(failure, BaseException):
            raise failure
    return sum(outcome for outcome in outcomes if isinstance(outcome, int))


async def look(database: Database) -> float | None:
    """Send the mail that is due."""
    tried = await deliver_due(database, database.settings)
    COUNTS["mails_tried"] += tried
    return 0 if tried else None


DELIVERY = Loop("deliver_mail", look)
WAITING = Query(
    float,
    select(func.count()).select_from(
        select(MAIL.id).where(MAIL.sent_at.is_(None), MAIL.failed_at.is_(None)).limit(10_000).subquery()
    ),
)


EXPIRED = Expired(Mail, func.coalesce(MAIL.sent_at, MAIL.failed_at) < func.now() - KEPT)


async def _claim(database: Database) -> Mail | None:
    """Take the next message, for a minute. One to an address waits until those before it are sent or given up."""
    before = and_(EARLIER.to == MAIL.to, EARLIER.id < MAIL.id, EARLIER.sent_at.is_(None), EARLIER.failed_at.is_(None))
    due = select(MAIL.id).where(
        MAIL.sent_at.is_(None), MAIL.failed_at.is_(None), MAIL.send_at <= func.now(),
        or_(MAIL.lease_until.is_(None), MAIL.lease_until < func.now()), ~exists().where(before),
    )  # fmt: skip
    due = due.order_by(MAIL.send_at, MAIL.id).limit(1).with_for_update(skip_locked=True)
    lease = {"attempts": MAIL.attempts + 1, "lease_until": func.now() + LEASE, "lease_token": uuid4()}
    async with database.session(worker_origin()) as session:
        claim = update(Mail).where(MAIL.id == due.scalar_subquery()).values(lease).returning(Mail)
        mail: Mail | None = (await session.scalars(claim)).one_or_none()
    return mail


async def _deliver(database: Database, server: Server, mail: Mail) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await hand_over(server, mail, PATIENCE)
    except Exception as error:  # whatever it is, the message must neither get lost nor hold up the others for ever
        log.warning("mail %s was not taken, attempt %d: %s", mail.id, mail.attempts, type(error).__name__)
        outcome = _failure(mail, error)
    else:
        # The text may hold a token, which nobody needs here any more.
        said = {"text": "", "html": "", "headers": {}, "attachments": []}
        outcome = {"sent_at": func.now(), "last_error": None} | said
    mine = (MAIL.id == mail.id, MAIL.lease_token == mail.lease_token, MAIL.sent_at.is_(None))
    async with database.session(worker_origin()) as session:
        await session.execute(update(Mail).where(*mine).values(outcome | {"lease_until": None, "lease_token": None}))


def _failure(mail: Mail, error: Exception) -> dict[str, Any]:
    """When to try again; given up after the last attempt, and at once when the server will never take it."""
    told = {"last_error": f"{type(error).__name__}: {error}".replace("\x00", "")[:500]}
    if mail.attempts >= ATTEMPTS or _is_final(error):
        return told | {"failed_at": func.now()}
    return told | {"send_at": func.now() + min(timedelta(seconds=10) * 3 ** (mail.attempts - 1), timedelta(hours=12))}


def _is_final(error: Exception) -> bool:
    """Whether the server refused this receiver or this text for good (RFC 5321 section 4.2.1: 5yz)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(refused.code >= 500 for refused in error.recipients)
    return isinstance(error, SMTPDataError) and error.code >= 500
