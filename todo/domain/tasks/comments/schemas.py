"""Comments in requests and responses."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from todo.domain.tasks.comments.rules import CommentText
from todo.schema import Schema


class CommentIn(Schema):
    """What to write below a task."""

    text: CommentText


class CommentPatch(Schema):
    """Another text. People whom it no longer names are no longer mentioned."""

    text: CommentText


class Named(Struct):
    """Somebody, by their name."""

    user_id: UUID
    name: str


class CommentOut(Struct):
    """A comment. `author` is null when that account has been erased."""

    id: UUID
    version: int
    task_id: UUID
    author: Named | None
    text: str
    mentions: list[Named]
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
