"""Tasks in requests and responses."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.accounts.schemas.second_factor import ReauthenticationIn
from todo.domain.recurrence.schemas import Recurrence, RecurrencePatch
from todo.domain.tasks.labels.rules import Labels
from todo.domain.tasks.rules import MAX_ASSIGNEES
from todo.schema import ONE_LINE, Instant, Schema, Text
from todo.titles import MOST

Status = Literal["open", "in_progress", "waiting", "done", "cancelled"]
Scope = Literal["this", "following", "all"]
Children = Literal["complete", "leave", "refuse"]
SeriesStatus = Literal["active", "paused", "ended"]
Local = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.000(001)?)?)?$",
        description="A wall-clock time without offset, in whole seconds; `:00.000001` marks the second of two equal"
        " ones.",
        examples=["2026-12-31T09:00"],
    ),
]
Zone = Annotated[str, Meta(min_length=1, max_length=64, description="An IANA name.", examples=["Europe/Berlin"])]


class Day(Struct, tag_field="kind", tag="day", forbid_unknown_fields=True):
    """A day, wherever the owner is."""

    date: date


class Floating(Struct, tag_field="kind", tag="floating", forbid_unknown_fields=True):
    """A wall-clock time, wherever the owner is."""

    at: Local


class Zoned(Struct, tag_field="kind", tag="zoned", forbid_unknown_fields=True):
    """A wall-clock time in one place."""

    at: Local
    timezone: Zone


Moment = Day | Floating | Zoned
Title = Annotated[str, Meta(min_length=1, max_length=MOST, pattern=ONE_LINE, examples=["Pay the rent"])]
PRIORITY_NAMES = {0: "none", 1: "low", 2: "medium", 3: "high", 4: "urgent"}
Priority = Annotated[
    int,
    Meta(ge=0, le=4, description="0 none, 1 low, 2 medium, 3 high, 4 urgent"),
]
Minutes = Annotated[int, Meta(ge=1, le=525_600)]
Assignees = Annotated[
    list[UUID],
    Meta(
        max_length=MAX_ASSIGNEES,
        description="Ids of people who have access to the project; who loses it is no longer assigned.",
    ),
]


class Progress(Struct):
    """How many of the tasks directly below a task are done. What is in the trash or cancelled does not count."""

    done: int
    total: int


class AccountDeletion(ReauthenticationIn):
    """Your password, a code or a passkey, and what becomes of your projects that others use."""

    shared_projects: Annotated[Literal["hand_over", "delete"], Meta(title="SharedProjects")] | None = None


class TaskIn(Schema):
    """A new task. With `recurrence` it is the first of a series.

    A task from elsewhere brings its history: a closed `status`, when it was added, and when it was closed.
    """

    title: Title
    notes: Text = ""
    status: Status = "open"
    priority: Priority = 0
    due: Moment | None = None
    start: Moment | None = None
    deadline: date | None = None
    estimate_minutes: Minutes | None = None
    labels: Labels = []
    assignee_ids: Assignees | None = None
    project_id: UUID | None = None
    section_id: UUID | None = None
    parent_id: UUID | None = None
    recurrence: Recurrence | None = None
    created_at: Instant | None = None
    completed_at: Instant | None = None


class TaskPatch(Schema):
    """Absent fields stay; `null` clears. Completing has its own route, so that a series goes on.

    `recurrence` makes the task the first occurrence of a series (then `rrule` is needed), or changes the series it
    belongs to; `null` ends that series and leaves this occurrence open.
    """

    title: Title | UnsetType = UNSET
    notes: Text | UnsetType = UNSET
    status: Literal["open", "in_progress", "waiting"] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    due: Moment | None | UnsetType = UNSET
    start: Moment | None | UnsetType = UNSET
    deadline: date | None | UnsetType = UNSET
    estimate_minutes: Minutes | None | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    assignee_ids: Assignees | None | UnsetType = UNSET
    project_id: UUID | UnsetType = UNSET
    section_id: UUID | None | UnsetType = UNSET
    parent_id: UUID | None | UnsetType = UNSET
    recurrence: RecurrencePatch | None | UnsetType = UNSET


class Move(Schema):
    """Another due for a task; an occurrence of a series stays the occurrence it is."""

    due: Moment


class MoveAfter(Schema):
    """The task to come after, which has the same project and parent; `null`: before all others.

    Absent, `section_id` is that of the task to come after, or stays.
    """

    after_id: UUID | None
    section_id: UUID | None | UnsetType = UNSET


class SeriesSummary(Struct):
    """The rule of a series, and where it stands. `GET /api/series/{id}` has the rest."""

    id: UUID
    version: int
    status: SeriesStatus
    sentence: str
    rrule: str
    timezone: str | None
    count: int | None
    until: str | None


class Subtask(Struct):
    """A task directly below another, without its notes."""

    id: UUID
    version: int
    title: str
    status: Status
    priority: Priority
    due: Moment | None
    due_at: datetime | None
    overdue_at: datetime | None
    overdue: bool
    start: Moment | None
    deadline: date | None
    estimate_minutes: int | None
    labels: list[str]
    assignee_ids: list[UUID]
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    blocked: bool
    progress: Progress | None


class TaskOut(Struct):
    """A task. `overdue_at` is the instant after which it is late while it is open: its due, or the end of that day."""

    id: UUID
    version: int
    title: str
    notes: str
    status: Status
    priority: Priority
    due: Moment | None
    due_at: datetime | None
    overdue_at: datetime | None
    overdue: bool
    start: Moment | None
    deadline: date | None
    estimate_minutes: int | None
    labels: list[str]
    assignee_ids: list[UUID]
    project_id: UUID
    section_id: UUID | None
    position: str
    parent_id: UUID | None
    series_id: UUID | None
    occurrence: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    created_by: UUID
    blocked: bool
    progress: Progress | None


class TaskDetails(TaskOut):
    """A task that was read, with what `include` asked for."""

    series: SeriesSummary | None | UnsetType = UNSET
    subtasks: list[Subtask] | UnsetType = UNSET
    subtasks_cut_off: bool | UnsetType = UNSET
    rank: int | UnsetType = UNSET


class TrashedTask(TaskOut):
    """A task in the trash."""

    deleted_at: datetime
    purge_at: datetime


class TrashEmptied(Struct):
    """How many tasks were deleted permanently, and whether there are more: repeat the request."""

    deleted: int
    more: bool


class TaskSaved(TaskOut):
    """A task that was added or changed.

    `warnings`, where there are any, say what to expect of a series that it began, as a preview does: the first
    occurrence is not at the due that was sent, the rule is rare, and so on.
    """

    warnings: list[str] | UnsetType = UNSET


class Completed(TaskOut):
    """The task that was completed or skipped, and the one its series opened."""

    next_task: TaskOut | None


class Upcoming(Struct):
    """A future occurrence: computed, not stored. `note` says what moved it.

    `blocked_by` is an overdue task of its series: while that is open, this one does not open, and is missed once it is
    late. Null when nothing stops it.
    """

    series_id: UUID
    occurrence: str
    title: str
    due: Moment | None  # null where the series repeats by start
    due_at: datetime | None
    start: Moment | None
    deadline: date | None
    note: str | None
    blocked_by: UUID | None


class TaskPage(Struct, omit_defaults=True):
    """Some tasks, and where to go on; with `include=upcoming` also occurrences to come, the soonest first."""

    items: list[TaskDetails]
    next_cursor: str | None
    total: int | UnsetType = UNSET
    total_is_exact: bool | UnsetType = UNSET
    upcoming: list[Upcoming] | UnsetType = UNSET
    upcoming_cut_off: bool | UnsetType = UNSET  # whether there are more until then than the 500 shown
