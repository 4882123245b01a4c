"""The admin's own tables: views that people keep, and actions that go on in the background."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlmodel import Field

from todo.database import Row, columns


class SavedView(Row, table=True):
    """A list as somebody wants to find it again; `query` is what its URL says after the `?`."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("owner_id", "resource", "name"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    resource: str
    name: str
    query: str = ""
    shared: bool = False  # whether everybody who may see the resource finds it too


class Run(Row, table=True):
    """An action on many rows, carried out in the background with the rights its actor has then."""

    __tablename__ = "admin_runs"
    __table_args__ = (Index("ix_admin_runs_actor", "actor_id", "id"),)

    actor_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")  # who acts as the actor
    scopes: list[str] | None = Field(default=None, sa_column=Column(ARRAY(TEXT)))
    resource: str
    action: str
    target: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))  # a `Selection`
    form: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    reason: str | None = None
    status: str = "waiting"  # waiting | running | done | failed
    total: int = 0  # when it was asked for; rows may come and go meanwhile
    done: int = 0
    failed: int = 0
    failures: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))  # the first hundred
    messages: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(TEXT), nullable=False))
    last_id: UUID | None = None  # rows up to this one are through


SAVED_VIEW, RUN = columns(SavedView), columns(Run)
