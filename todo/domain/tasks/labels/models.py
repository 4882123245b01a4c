"""The labels that a person has chosen, with their colors."""

from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from todo.database import Row, columns


class Label(Row, table=True):
    """A label in a person's palette. Tasks have the name, whether or not it is in a palette."""

    __tablename__ = "labels"
    __table_args__ = (
        Index("uq_labels_user_name", "user_id", text("lower(name)"), unique=True),
        Index("ix_labels_user_position", "user_id", "position", "id"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    name: str
    color: str | None = None
    favorite: bool = False
    position: int = 0


LABEL = columns(Label)
