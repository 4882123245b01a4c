"""Tables of the admin: saved views and background runs."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlmodel import Field, SQLModel

from todo.database import Row, columns

IMPORT = "import"  # the action of a run that imports a file


class SavedView(Row, table=True):
    """A saved list. `query` is the query string of its URL, without the `?`."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("owner_id", "resource", "name"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    resource: str
    name: str
    query: str = ""
    shared: bool = False  # visible to everyone with access to the resource


class Run(Row, table=True):
    """An action on many rows in the background, with the permissions its actor has at that time."""

    __tablename__ = "admin_runs"
    __table_args__ = (
        Index("ix_admin_runs_actor", "actor_id", "id"),
        Index("ix_admin_runs_updated_at", "updated_at"),
        Index("ix_admin_runs_draft", "updated_at", postgresql_where=text("status = 'draft'")),
        # A file at the command line is imported once, also by two commands at the same time.
        Index(
            "uq_admin_runs_file",
            "actor_id",
            "resource",
            text("(form ->> 'digest')"),
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text(
                "action = 'import' AND status <> 'draft' AND status <> 'cancelled'"
                " AND form ->> 'digest' <> '' AND form ->> 'reported' = 'false'"
            ),
        ),
    )

    # None: an import at the command line, by nobody who has an account
    actor_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")
    by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")  # who impersonates the actor
    scopes: list[str] | None = Field(default=None, sa_column=Column(ARRAY(TEXT)))
    resource: str
    action: str
    target: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))  # a `Selection`
    form: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    reason: str | None = None
    request_id: str = Field(default="", sa_column_kwargs={"server_default": ""})  # that of its audit events
    status: str = "waiting"  # draft (an import before it begins) | waiting | running | done | failed | cancelled
    total: int = 0  # at the start; rows may be added or deleted meanwhile
    done: int = 0
    failed: int = 0
    failures: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))  # the first hundred
    messages: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(TEXT), nullable=False))
    last_id: UUID | None = None  # rows up to this id are done


class ImportRow(SQLModel, table=True):
    """A row of a file that is not imported yet, or was refused. `values` are those of the file, by column."""

    __tablename__ = "admin_import_rows"

    run_id: UUID = Field(foreign_key="admin_runs.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True)  # counts from 1, without the header
    values: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    errors: list[str] | None = Field(default=None, sa_column=Column(ARRAY(TEXT)))


SAVED_VIEW, RUN, IMPORT_ROW = columns(SavedView), columns(Run), columns(ImportRow)
