"""Series: a rule and the template of the tasks it makes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from todo.database import Row, columns


class Series(Row, table=True):
    """Work that comes back. Times named `original_start` are wall-clock times in `timezone` (null: wherever the owner
    is).
    """

    __tablename__ = "series"
    __table_args__ = (
        Index("ix_series_due", "next_run_at", postgresql_where=text("next_run_at IS NOT NULL")),
        Index("ix_series_owner", "owner_id", "id"),
        Index("ix_series_set_aside", "id", postgresql_where=text("failures > 0")),
        Index("ix_series_predecessor", "predecessor_id", postgresql_where=text("predecessor_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 85}},
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    owner_timezone: str  # resolves floating times
    status: str = "active"  # active | paused | ended
    rrule: str
    start: datetime = Field(sa_type=DateTime(timezone=False))
    kind: str  # day | floating | zoned, as the first due was
    timezone: str | None = None
    anchor: str = "schedule"
    on_invalid_date: str = "backward"
    on_missed: str = "keep_one"
    opens: str = "on_time"
    lead_seconds: int = 0
    until: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    count: int | None = None
    max_open: int = 50
    expire_after_seconds: int | None = None
    holidays: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    shift: str | None = None
    pauses: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    exceptions: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    template: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    predecessor_id: UUID | None = Field(default=None, foreign_key="series.id", ondelete="SET NULL")

    n: int = 0  # number of the last occurrence that has come up
    last_original_start: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    next_original_start: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    next_n: int | None = None
    next_run_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))  # null: nothing to wait for
    failures: int = 0
    last_error: str | None = None


SERIES = columns(Series)
