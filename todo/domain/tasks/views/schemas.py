"""Views in requests and responses."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.projects.schemas import Color, Name
from todo.domain.tasks.filters.syntax import MAX_LENGTH
from todo.schema import Schema

MAX_OF_PERSON, MAX_OF_PROJECT = 200, 100  # as the trigger `views_count` has them
GroupBy = Literal["none", "project", "section", "priority", "due", "status", "label", "assignee"]
Filter = Annotated[
    str,
    Meta(
        max_length=MAX_LENGTH,
        description="A filter, as `GET /api/tasks?filter=` takes it; empty: everything. Days, `me` and names are those"
        " of who looks.",
        examples=["due < today+7d and not closed"],
    ),
]
Sort = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="As `sort` of `GET /api/tasks`; null: as the filter says. `position` only in a view of a project.",
        examples=["-priority,due_at"],
    ),
]
Position = Annotated[int, Meta(ge=0, le=1_000_000, description="Its place among the views; equal ones by age.")]
Grouping = Annotated[GroupBy, Meta(description="By what clients show groups of its tasks; their order stays `sort`.")]


class ViewIn(Schema):
    """A filter to keep: for you, or with `project_id` for all who see the project, about its tasks."""

    name: Name
    filter: Filter = ""
    sort: Sort | None = None
    group_by: Grouping = "none"
    color: Color | None = None
    position: Position = 0
    project_id: UUID | None = None


class ViewPatch(Schema):
    """Absent fields stay; `null` clears."""

    name: Name | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET
    sort: Sort | None | UnsetType = UNSET
    group_by: Grouping | UnsetType = UNSET
    color: Color | None | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class ViewOut(Struct):
    """A view of yours, or of a project that you see."""

    id: UUID
    version: int
    project_id: UUID | None
    name: str
    filter: str
    sort: str | None
    group_by: GroupBy
    color: str | None
    position: int
    created_at: datetime
    updated_at: datetime


class BuiltInView(Struct):
    """A view that everybody has. Its name stands for its id."""

    name: str
    description: str
    filter: str
    sort: str | None = None
    group_by: GroupBy = "none"


class ViewPage(Struct, omit_defaults=True):
    """Some views, and where to go on; besides, those that everybody has."""

    items: list[ViewOut]
    next_cursor: str | None
    built_in: list[BuiltInView]
    total: int | UnsetType = UNSET
    total_is_exact: bool | UnsetType = UNSET
