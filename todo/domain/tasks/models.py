"""Tasks."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from todo.database import Row, columns

# Where tasks without a due date sort: spelled out in SQL, so that index and query agree.
FAR_AWAY = "'9999-12-31 00:00:00+00'::timestamptz"


class Task(Row, table=True):
    """A piece of work. `due` and `start` are kept as the client said them, `due_at` is the instant that means."""

    __tablename__ = "tasks"
    __table_args__ = (
        # One for every order a list can have; ties end on id, in the same direction.
        Index("ix_tasks_created", "owner_id", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_updated", "owner_id", "updated_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_priority", "owner_id", "priority", "id", postgresql_where=text("deleted_at IS NULL")),
        Index(
            "ix_tasks_due",
            "owner_id",
            text(f"coalesce(due_at, {FAR_AWAY})"),
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_tasks_status", "owner_id", "status", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_trash", "owner_id", "updated_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_tasks_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("uq_tasks_series_id_id", "series_id", "id", unique=True),  # what occurrences refer to
        # The same orders over everybody's tasks, for operators.
        Index("ix_tasks_all_created", "created_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_all_updated", "updated_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_all_priority", "priority", "id", postgresql_where=text("deleted_at IS NULL")),
        Index(
            "ix_tasks_all_due", text(f"coalesce(due_at, {FAR_AWAY})"), "id", postgresql_where=text("deleted_at IS NULL")
        ),
        Index("ix_tasks_all_status", "status", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_tasks_all_trash", "created_at", "id", postgresql_where=text("deleted_at IS NOT NULL")),
        # Words anywhere in it, three letters or longer.
        Index("ix_tasks_title_trigrams", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}),
        Index("ix_tasks_notes_trigrams", "notes", postgresql_using="gin", postgresql_ops={"notes": "gin_trgm_ops"}),
        Index("ix_tasks_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    title: str
    notes: str = ""
    status: str = "open"  # open | in_progress | waiting | done | cancelled
    priority: int = 0  # 0 none .. 4 urgent
    due: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    start: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    deadline: date | None = None
    estimate_minutes: int | None = None
    parent_id: UUID | None = Field(default=None, foreign_key="tasks.id", ondelete="CASCADE")
    series_id: UUID | None = Field(default=None, foreign_key="series.id", ondelete="SET NULL")
    occurrence: str | None = None  # the original start within the series, as the wire shows it
    completed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


TASK = columns(Task)
