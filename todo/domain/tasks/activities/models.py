"""What people did with shared work."""

from typing import Literal
from uuid import UUID

from sqlalchemy import ARRAY, Column, Uuid
from sqlmodel import Field, SQLModel

from todo.database import columns, new_id

Kind = Literal["assigned", "mentioned", "commented", "completed"]


class Activity(SQLModel, table=True):
    """One activity, written with the change and deleted once those whom it concerns are notified.

    It holds ids only, without foreign keys: what is gone by then concerns nobody, and nobody waits for it.
    """

    __tablename__ = "activities"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str  # of `Kind`
    task_id: UUID
    comment_id: UUID | None = None
    actor_id: UUID | None = None
    people: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(Uuid), nullable=False))  # newly named by it


ACTIVITY = columns(Activity)
