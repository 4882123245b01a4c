"""Mail: written in the transaction of the change it tells about, sent by the worker, again until it is taken."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, text
from sqlmodel import Field

from todo.database import Row, now


class Mail(Row, table=True):
    """One message to one address. `id` is its Message-ID, so that a receiver can drop a double."""

    __tablename__ = "mails"
    __table_args__ = (Index("ix_mails_due", "send_at", postgresql_where=text("sent_at IS NULL AND failed_at IS NULL")),)

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
