"""What reminders, notifications and preferences look like on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from todo.schema import Instant, Schema

Clock = Annotated[
    str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)", description="A local time of day.", examples=["09:00"])
]
Kind = Literal["reminder", "missed", "digest", "overdue"]
Channel = Literal["app", "email"]
Channels = Annotated[list[Channel], Meta(max_length=2, description="Empty for none.")]


class Relative(Struct, tag_field="kind", tag="relative", forbid_unknown_fields=True):
    """Before (negative) or after a task's `due` or `start`, and moving with it.

    `days` are local days, at the same wall clock; `minutes` are real minutes. A moment that is a whole day counts from
    `time` or, when that is null, from the person's `day_time`; another moment keeps its own clock unless there is a
    `time`.
    """

    to: Literal["due", "start"] = "due"
    days: Annotated[int, Meta(ge=-366, le=366)] = 0
    minutes: Annotated[int, Meta(ge=-525_600, le=525_600)] = 0
    time: Clock | None = None


class Absolute(Struct, tag_field="kind", tag="absolute", forbid_unknown_fields=True):
    """At an instant, whatever becomes of the task's dates."""

    at: Instant


Timing = Relative | Absolute


class ReminderIn(Schema):
    """A new reminder. Of a task in a series, a relative one is for every occurrence to come as well, unless stated
    otherwise.

    `urgent` ones are sent in quiet hours too.
    """

    timing: Timing
    urgent: bool = False
    every_occurrence: bool | None = None


class ReminderPatch(Schema):
    """Absent fields stay. Of a reminder for every occurrence, all open occurrences and those to come follow."""

    timing: Timing | UnsetType = UNSET
    urgent: bool | UnsetType = UNSET
    every_occurrence: bool | UnsetType = UNSET


class Snooze(Schema):
    """How long to wait: `minutes` from now, or `until` an instant; one of the two."""

    minutes: Annotated[int, Meta(ge=1, le=527_040, examples=[10])] | None = None
    until: Instant | None = None


class ReminderOut(Struct):
    """A reminder. `remind_at` is what it waits for; null when that is over, the task closed, or without such a date."""

    id: UUID
    version: int
    task_id: UUID
    task_title: str
    timing: Timing
    urgent: bool
    every_occurrence: bool
    remind_at: datetime | None
    snoozed_until: datetime | None
    sent_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NotificationOut(Struct):
    """A message: `reminder`, `missed` (several reminders, sent late), `digest` or `overdue`."""

    id: UUID
    version: int
    kind: Kind
    title: str
    text: str
    task_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class Unread(Struct):
    """How many messages wait to be read."""

    unread: int


class Marked(Struct):
    """How many messages were marked as read."""

    marked: int


class QuietHours(Struct, forbid_unknown_fields=True):
    """Local hours in which only urgent notifications are sent; they may span midnight. Others wait until their end."""

    begin: Clock
    end: Clock


class PreferencesOut(Struct):
    """Your preferences. What cannot be sent by email (`email` is off, or the address unconfirmed) is in the list."""

    version: int
    timezone: str
    email: bool
    email_confirmed: bool
    reminder: Channels
    missed: Channels
    digest: Channels
    overdue: Channels
    digest_time: str
    day_time: str
    quiet_hours: QuietHours | None


class PreferencesPatch(Schema):
    """Absent fields stay. `digest` and `overdue` come once a day at `digest_time`, when they have a channel."""

    email: bool | UnsetType = UNSET
    reminder: Channels | UnsetType = UNSET
    missed: Channels | UnsetType = UNSET
    digest: Channels | UnsetType = UNSET
    overdue: Channels | UnsetType = UNSET
    digest_time: Clock | UnsetType = UNSET
    day_time: Clock | UnsetType = UNSET
    quiet_hours: QuietHours | None | UnsetType = UNSET
