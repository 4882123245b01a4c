"""Private notes in requests and responses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from todo.schema import Schema


class PrivateNoteIn(Schema):
    """The whole text of your note."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]


class PrivateNoteOut(Struct):
    """Your note about a task, which nobody else sees."""

    task_id: UUID
    version: int
    text: str
    created_at: datetime
    updated_at: datetime
