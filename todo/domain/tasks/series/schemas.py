"""Series and their occurrences in requests and responses."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, field

from todo.domain.recurrence.schemas import (
    Anchor,
    Count,
    ExpireAfter,
    Lead,
    MaxOpen,
    OnInvalidDate,
    OnMissed,
    Opens,
    Pause,
    RecurrencePatch,
    Shift,
)  # fmt: skip
from todo.domain.tasks.labels.rules import Labels
from todo.domain.tasks.schemas import Assignees, Minutes, Priority, SeriesStatus, TaskOut, Title
from todo.schema import Schema, Text


class StartOffset(Struct):
    """How long after its due a task starts, on the wall clock; negative is before. A day counts from the due's day."""

    kind: Literal["day", "floating", "zoned"]
    timezone: str | None
    seconds: int


class Template(Struct):
    """What every occurrence of a series begins with, beside its subtasks and reminders."""

    title: str
    notes: str
    priority: int
    estimate_minutes: int | None
    labels: list[str]
    assignee_ids: list[UUID]
    start_offset: StartOffset | None
    deadline_offset_days: int | None  # from the day it is due


RepeatsBy = Annotated[
    Literal["due", "start"], Meta(description="The date of a task that the rule gives: `start` for tasks without due.")
]
OccurrenceStatus = Literal["open", "moved", "done", "skipped", "missed", "paused", "cancelled"]


class SeriesOut(Struct):
    """A series: its rule in full and in words, the template of its occurrences, and its place."""

    id: UUID
    version: int
    status: SeriesStatus
    sentence: str
    template: Template
    rrule: str
    repeats_by: RepeatsBy
    start: str
    timezone: str | None
    anchor: Anchor
    on_invalid_date: OnInvalidDate
    on_missed: OnMissed
    expire_after_seconds: ExpireAfter | None
    opens: Opens
    lead_seconds: Lead
    until: str | None
    count: Count | None
    holidays: list[date]
    shift: Shift | None
    pauses: list[Pause]
    exceptions: list[str]
    max_open: MaxOpen
    predecessor_id: UUID | None
    occurrence_count: int  # the number of the last one that has opened
    last_occurrence: str | None
    next_occurrence: str | None
    next_due_at: datetime | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


class SeriesPatch(RecurrencePatch):
    """Absent fields stay; `null` clears. Changes what is not open yet; the past stays as it was."""

    title: Title | UnsetType = UNSET
    notes: Text | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    estimate_minutes: Minutes | None | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    assignee_ids: Assignees | None | UnsetType = UNSET


class PauseSeries(Schema):
    """From one day to another, both included; without days until it is resumed."""

    begin: date | None = field(default=None, name="from")
    until: date | None = None


class EndSeries(Schema):
    """What happens to the open occurrences: they stay, or they are moved to the trash."""

    open: Literal["keep", "cancel"] = "keep"


class SkippedMissed(Struct):
    """How many overdue occurrences were skipped, of how many series, and the tasks that opened instead."""

    skipped: int
    series: int
    next_tasks: list[TaskOut]
    more: bool  # whether more series have overdue occurrences: repeat the request


class OccurrenceOut(Struct):
    """What became of an occurrence. `moved` is open with another due, at `moved_to`; done, it is `done`."""

    id: UUID
    occurrence: str
    status: OccurrenceStatus
    task_id: UUID | None
    moved_to: datetime | None
    closed_at: datetime | None
    created_at: datetime
