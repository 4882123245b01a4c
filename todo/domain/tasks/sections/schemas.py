"""Sections in requests and responses."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.projects.schemas import Name
from todo.schema import Schema

Position = Annotated[int, Meta(ge=0, le=1_000_000, description="Its place in the project; equal ones by age.")]


class SectionIn(Schema):
    """A new section of a project."""

    name: Name
    position: Position = 0


class SectionPatch(Schema):
    """Absent fields stay."""

    name: Name | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class SectionOut(Struct):
    """A part of a project."""

    id: UUID
    version: int
    project_id: UUID
    name: str
    position: int
    created_at: datetime
    updated_at: datetime
