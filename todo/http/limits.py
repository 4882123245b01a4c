"""Rate limits that hold whatever the number of processes."""

from datetime import datetime

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


class RateLimit(SQLModel, table=True):
    """Where a key stands: `tat` is the theoretical arrival time (GCRA). Unlogged: a crash forgives."""

    __tablename__ = "rate_limits"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 70}},)

    key: str = Field(primary_key=True)
    tat: datetime = Field(sa_type=DateTime(timezone=True), index=True)
