"""Mail: written in the transaction of the change it tells about, sent by the worker, again until it is taken."""

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, insert
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from todo.database import Row, WriteSession, columns, now
from todo.errors import Invalid
from todo.queue import enqueue

CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
PENDING = sql("sent_at IS NULL AND failed_at IS NULL")
ENDED = sql("coalesce(sent_at, failed_at) IS NOT NULL")


class Mail(Row, table=True):
    """One message to one address. `id` is its Message-ID, so that a receiver can drop a double.

    `headers` come besides the usual ones; `attachments` are `{"filename", "type", "parameters", "text"}`, where `type`
    is a kind of text (`calendar` for text/calendar).
    """

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_due", "send_at", postgresql_where=PENDING),
        Index("ix_mails_receiver", "to", "id", postgresql_where=PENDING),
        Index("ix_mails_ended", sql("coalesce(sent_at, failed_at)"), postgresql_where=ENDED),
    )

    to: str
    subject: str
    text: str
    html: str = ""
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    attachments: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    send_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    lease_token: UUID | None = None
    sent_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    failed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))  # given up
    last_error: str | None = None


MAIL = columns(Mail)


async def send(session: WriteSession, to: str, subject: str, text: str, html: str = "") -> None:
    """Leave a message in the caller's transaction: it goes out after the commit, and never after a rollback.

    Raises Invalid for an address or subject that could smuggle in a header.
    """
    await send_all(session, [Mail(to=to, subject=subject, text=text, html=html)])


def is_one_address(to: str) -> bool:
    """Whether mail can be written to this: one address on one line."""
    return to.count("@") == 1 and not CONTROL.search(to)


async def send_all(session: WriteSession, mails: Sequence[Mail]) -> None:
    """Leave several messages at once; raises Invalid as `send` does, and then leaves none."""
    for mail in mails:
        if CONTROL.search("".join([mail.subject, *mail.headers.values()])) or not is_one_address(mail.to):
            raise Invalid("The address, the subject and the headers of a mail are one line each.")
    if mails:
        await session.execute(insert(Mail), [mail.model_dump() for mail in mails])
        await enqueue(session, "deliver_mail")


def letter(*paragraphs: str, link: str = "") -> tuple[str, str]:
    """A few paragraphs, and a link to follow: as plain text, and the same as small HTML."""
    plain = "\n\n".join([*paragraphs, *([link] if link else [])]) + "\n"
    parts = [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]
    parts += [f'<p><a href="{escape(link)}">{escape(link)}</a></p>'] if link else []
    return plain, f'<!doctype html><html lang="en"><body>{"".join(parts)}</body></html>\n'
