"""Labels in requests and responses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.projects.schemas import Color
from todo.domain.tasks.labels.rules import Label
from todo.schema import Schema

Position = Annotated[int, Meta(ge=0, le=1_000_000, description="Its place among your labels; equal ones by age.")]


class LabelIn(Schema):
    """A label for your palette. Tasks need none: any name can be put on a task."""

    name: Label
    color: Color | None = None
    favorite: bool = False
    position: Position = 0


class LabelPatch(Schema):
    """Absent fields stay; `null` clears. A new name is also that of the label on the tasks that you may edit."""

    name: Label | UnsetType = UNSET
    color: Color | None | UnsetType = UNSET
    favorite: bool | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class LabelOut(Struct):
    """A label of your palette."""

    id: UUID
    version: int
    name: str
    color: str | None
    favorite: bool
    position: int
    created_at: datetime
    updated_at: datetime
