"""The private notes of people."""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from todo.database import Row, columns


class PrivateNote(Row, table=True):
    """What one person wrote about a task. The audit log says that it changed, not what it says."""

    SECRET: ClassVar[frozenset[str]] = frozenset({"text"})

    __tablename__ = "private_notes"
    __table_args__ = (
        Index("uq_private_notes_user_task", "user_id", "task_id", unique=True),
        Index("ix_private_notes_task", "task_id"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    task_id: UUID = Field(foreign_key="tasks.id", ondelete="CASCADE")
    text: str


PRIVATE_NOTE = columns(PrivateNote)
