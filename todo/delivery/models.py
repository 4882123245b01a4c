"""The table of the outbox."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from todo.database import Row, columns, now

ENDED_AT = "coalesce(done_at, failed_at)"
IS_PENDING = text("done_at IS NULL AND failed_at IS NULL")


def _instant(**options: Any) -> Any:
    return Field(sa_type=DateTime(timezone=True), **options)


class Delivery(Row, table=True):
    """One message to one recipient through one channel, delivered at least once.

    `id` is the same for every attempt, so that the receiver can drop duplicates: an e-mail has it in its Message-ID.
    `payload` is for the channel and may hold secrets: it is cleared when the message is delivered.
    A delivery with a `user_id` is deleted with that user. `dedup_key` is unique.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_due", "run_at", postgresql_where=IS_PENDING),
        Index("ix_deliveries_recipient", "channel", "recipient", "id", postgresql_where=IS_PENDING),
        Index("ix_deliveries_ended", text(ENDED_AT), postgresql_where=text(f"{ENDED_AT} IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 70}},
    )

    channel: str
    recipient: str
    subject: str
    user_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE", index=True)
    dedup_key: str | None = Field(default=None, unique=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    run_at: datetime = _instant(default_factory=now)
    attempts: int = 0
    lease_until: datetime | None = _instant(default=None)
    lease_token: UUID | None = None
    done_at: datetime | None = _instant(default=None)
    failed_at: datetime | None = _instant(default=None)  # after the last attempt
    last_error: str | None = None


DELIVERY = columns(Delivery)
PENDING: ColumnElement[bool] = DELIVERY.done_at.is_(None) & DELIVERY.failed_at.is_(None)
