"""Mail: written in the transaction of the change it tells about, sent by the worker, again until it is taken."""

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from html import escape
from textwrap import indent
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

from aiosmtplib import SMTPConnectError, SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPServerDisconnected
from aiosmtplib import send as send_by_smtp
from sqlalchemy import DateTime, Index, Update, and_, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from todo.database import Database, Row, columns, now
from todo.errors import Invalid
from todo.settings import Settings, SettingsError

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
PATIENCE = 30.0  # seconds for one message: well within the lease, so that nobody else sends it meanwhile
TURN = 20.0  # seconds after which a run takes up nothing new
SIDE_BY_SIDE = 4
ATTEMPTS = 12  # in about two days: 10 seconds later, then three times as long each time, twelve hours at most
KEPT = timedelta(days=30)
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
PENDING = "sent_at IS NULL AND failed_at IS NULL"


class Mail(Row, table=True):
    """One message to one address. `id` is its Message-ID, so that a receiver can drop a double."""

    __tablename__ = "mails"
    __table_args__ = (Index("ix_mails_due", "send_at", postgresql_where=text(PENDING)),)

    to: str
    subject: str
    text: str
    html: str = ""
    send_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    lease_token: UUID | None = None
    sent_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    failed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))  # given up
    last_error: str | None = None


MAIL, EARLIER = columns(Mail), Mail.__table__.alias("earlier").c


class Server(NamedTuple):
    """Where `TODO_MAIL_URL` points to; a scheme of `console` sends nothing and writes to the log."""

    scheme: str
    host: str
    port: int | None
    user: str | None
    password: str | None


def server_of(settings: Settings) -> Server:
    """Raises SettingsError; the message does not repeat the URL, which may hold a password."""
    parts = urlsplit(settings.mail_url.get_secret_value())
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"console", "smtp", "smtps"} or (parts.scheme != "console" and not parts.hostname):
        raise SettingsError("TODO_MAIL_URL: write console://, smtp://user:password@host:587 or smtps://... .")
    if port == -1:
        raise SettingsError("TODO_MAIL_URL: the port is not a number.")
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return Server(parts.scheme, parts.hostname or "", port, user, password)


async def send(session: AsyncSession, to: str, subject: str, text: str, html: str = "") -> None:
    """Leave a message in the caller's transaction: it goes out after the commit, and never after a rollback.

    Raises Invalid for an address or subject that could smuggle in a header.
    """
    if CONTROL.search(to + subject) or to.count("@") != 1:
        raise Invalid("A mail's address and subject are one line each.")
    values = Mail(to=to, subject=subject, text=text, html=html).model_dump()
    await session.execute(insert(Mail).values(values))


def letter(*paragraphs: str, link: str = "") -> tuple[str, str]:
    """The same few paragraphs, and a link to follow, as plain text and as small HTML."""
    plain = "\n\n".join([*paragraphs, *([link] if link else [])]) + "\n"
    parts = [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]
    parts += [f'<p><a href="{escape(link)}">{escape(link)}</a></p>'] if link else []
    return plain, f'<!doctype html><html lang="en"><body>{"".join(parts)}</body></html>\n'


async def deliver_due(database: Database, settings: Settings) -> None:
    """Send what is due, a few messages side by side. Killed at any moment, it loses nothing: leases run out."""
    server, end = server_of(settings), asyncio.get_running_loop().time() + TURN

    async def work() -> None:
        while asyncio.get_running_loop().time() < end and (mail := await _claim(database)):
            await _deliver(database, settings, server, mail)

    await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)))


async def forget_old_mail(session: AsyncSession) -> None:
    """Delete what went out, or was given up, a month ago."""
    over = func.coalesce(MAIL.sent_at, MAIL.failed_at) < func.now() - KEPT
    await session.execute(delete(Mail).where(over))


async def _claim(database: Database) -> Mail | None:
    """Take the next message for a minute; later ones to the same address wait until this one is settled."""
    waits = and_(EARLIER.sent_at.is_(None), EARLIER.failed_at.is_(None), EARLIER.to == MAIL.to, EARLIER.id < MAIL.id)
    due = select(MAIL.id).where(
        text("mails.sent_at IS NULL AND mails.failed_at IS NULL"),
        MAIL.send_at <= func.now(),
        or_(MAIL.lease_until.is_(None), MAIL.lease_until < func.now()),
        ~exists().where(waits),
    )
    due = due.order_by(MAIL.send_at, MAIL.id).limit(1).with_for_update(skip_locked=True)
    lease = {"attempts": MAIL.attempts + 1, "lease_until": func.now() + LEASE, "lease_token": uuid4()}
    claim = update(Mail).where(MAIL.id == due.scalar_subquery()).values(lease).returning(Mail)
    async with database.session() as session:
        return (await session.scalars(claim)).one_or_none()


async def _deliver(database: Database, settings: Settings, server: Server, mail: Mail) -> None:
    """Send outside any transaction, then note what came of it."""
    try:
        async with asyncio.timeout(PATIENCE):
            await _hand_over(server, mail, message_of(mail, settings))
    except (SMTPException, OSError, ValueError) as error:
        log.warning("mail %s, attempt %d: %s", mail.id, mail.attempts, type(error).__name__)
        await _settle(database, mail, _failure(mail, error))
    else:
        # The text may hold a token; a row that is done with needs it no more.
        await _settle(database, mail, {"sent_at": func.now(), "text": "", "html": "", "last_error": None})


async def _hand_over(server: Server, mail: Mail, message: EmailMessage) -> None:
    if server.scheme == "console":
        log.warning("mail to %s: %s\n%s", mail.to, mail.subject, indent(mail.text, "    "))
        return
    await send_by_smtp(
        message,
        recipients=[address_of(mail.to).addr_spec],
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.scheme == "smtps",
        # A password is never sent in the clear; without one, encryption is used where it is offered.
        start_tls=False if server.scheme == "smtps" else True if server.password else None,
        timeout=PATIENCE,
    )


def message_of(mail: Mail, settings: Settings) -> EmailMessage:
    """The row as a message; the same each time it is made."""
    name, sender = parseaddr(settings.mail_from)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = address_of(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message
