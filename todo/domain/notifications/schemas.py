"""API schemas of reminders, notifications and preferences."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.schema import Instant, Schema

Clock = Annotated[
    str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)", description="A local time of day.", examples=["09:00"])
]
Kind = Literal[
    "reminder", "missed", "digest", "overdue", "series_ended", "assigned", "mentioned", "commented", "completed"
]
Channel = Literal["app", "email"]
Level = Literal["all", "mentions", "none"]
Channels = Annotated[list[Channel], Meta(max_length=2, description="An empty list turns this off.")]


class Relative(Struct, tag_field="kind", tag="relative", forbid_unknown_fields=True):
    """Relative to a task's `due` or `start`: before (negative) or after. It moves with the date.

    `days` are local days at the same wall clock time; `minutes` are elapsed minutes. A whole day counts from `time` or,
    when that is null, from the user's `day_time`; a date with time keeps its time unless `time` is given.
    """

    to: Literal["due", "start"] = "due"
    days: Annotated[int, Meta(ge=-366, le=366)] = 0
    minutes: Annotated[int, Meta(ge=-525_600, le=525_600)] = 0
    time: Clock | None = None


class Absolute(Struct, tag_field="kind", tag="absolute", forbid_unknown_fields=True):
    """At a fixed time, independent of the task's dates."""

    at: Instant


Timing = Relative | Absolute


class ReminderIn(Schema):
    """A new reminder. In a series, a relative reminder also applies to future occurrences, unless disabled.

    `urgent` reminders are also sent in quiet hours.
    """

    timing: Timing
    urgent: bool = False
    every_occurrence: bool | None = None


class ReminderPatch(Schema):
    """Absent fields are unchanged. A reminder for every occurrence changes in all open and future occurrences."""

    timing: Timing | UnsetType = UNSET
    urgent: bool | UnsetType = UNSET
    every_occurrence: bool | UnsetType = UNSET


class Snooze(Schema):
    """How long to wait: `minutes` from now, or `until` a time. Give exactly one."""

    minutes: Annotated[int, Meta(ge=1, le=527_040, examples=[10])] | None = None
    until: Instant | None = None


ReminderState = Literal["scheduled", "waiting_for_due", "waiting_for_start", "task_closed", "sent", "past"]


class ReminderOut(Struct):
    """A reminder. `remind_at` is its scheduled time; where that is null, `state` says why."""

    id: UUID
    version: int
    task_id: UUID
    task_title: str
    timing: Timing
    urgent: bool
    every_occurrence: bool
    remind_at: datetime | None
    state: ReminderState
    snoozed_until: datetime | None
    sent_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NotificationOut(Struct):
    """A notification: `reminder`, `missed` (several reminders, sent late), `digest`, `overdue`, `series_ended`, or, of
    shared work, `assigned`, `mentioned`, `commented` or `completed`: these are there while you see the task.
    """

    id: UUID
    version: int
    kind: Kind
    title: str
    text: str
    task_id: UUID | None
    comment_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class Unread(Struct):
    """The number of unread notifications."""

    unread: int


class Marked(Struct):
    """The number of notifications that were marked as read."""

    marked: int


class QuietHours(Struct, forbid_unknown_fields=True):
    """Local hours in which only urgent notifications are sent; others wait until the end. They may span midnight."""

    begin: Clock
    end: Clock


class ProjectLevel(Struct, forbid_unknown_fields=True):
    """What you are notified of in one project: `all`, `mentions` (with what is assigned to you), or `none`."""

    project_id: UUID
    level: Level


class PreferencesOut(Struct):
    """Your preferences. What cannot be sent by e-mail (`email` is off or unconfirmed) is only in the list."""

    version: int
    timezone: str
    email: bool
    email_confirmed: bool
    reminder: Channels
    missed: Channels
    digest: Channels
    overdue: Channels
    series_ended: Channels
    assigned: Channels
    mentioned: Channels
    commented: Channels
    completed: Channels
    projects: list[ProjectLevel]
    digest_time: str
    day_time: str
    quiet_hours: QuietHours | None


ProjectLevels = Annotated[
    list[ProjectLevel],
    Meta(max_length=200, description="Projects with another level than `all`, in place of those before."),
]


class PreferencesPatch(Schema):
    """Absent fields are unchanged. `digest` and `overdue` are sent once a day at `digest_time` to their channels."""

    email: bool | UnsetType = UNSET
    reminder: Channels | UnsetType = UNSET
    missed: Channels | UnsetType = UNSET
    digest: Channels | UnsetType = UNSET
    overdue: Channels | UnsetType = UNSET
    series_ended: Channels | UnsetType = UNSET
    assigned: Channels | UnsetType = UNSET
    mentioned: Channels | UnsetType = UNSET
    commented: Channels | UnsetType = UNSET
    completed: Channels | UnsetType = UNSET
    projects: ProjectLevels | UnsetType = UNSET
    digest_time: Clock | UnsetType = UNSET
    day_time: Clock | UnsetType = UNSET
    quiet_hours: QuietHours | None | UnsetType = UNSET
