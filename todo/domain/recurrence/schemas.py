"""Rules in requests and responses."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from todo.domain.recurrence.rules.grammar import END_OF_DAY, RuleError
from todo.domain.recurrence.rules.plan import default_opens
from todo.errors import Invalid
from todo.schema import ONE_LINE, Schema

Rrule = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=300,
        description="An RFC 5545 rule. BYHOUR and BYMINUTE give at most 24 times a day, without BYSETPOS.",
        examples=["FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=DAILY;BYHOUR=9,21"],
    ),
]
LocalText = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.000001)?)?)?$",
        max_length=26,
        description="A local day or wall-clock time, without offset; `:00.000001` marks the second of two equal ones.",
        examples=["2026-12-31", "2026-12-31T09:00"],
    ),
]
Lead = Annotated[
    int,
    Meta(
        ge=0, le=31_622_400, description="How many seconds before its due time an occurrence appears; at most 366 days."
    ),
]
ExpireAfter = Annotated[
    int,
    Meta(ge=1, le=31_622_400, description="How many seconds after its due time an open occurrence closes as missed."),
]
Count = Annotated[int, Meta(ge=1, le=10_000, description="How many occurrences there are in all.")]
MaxOpen = Annotated[int, Meta(ge=1, le=100, description="How many occurrences may be open at once (backfill).")]
Anchor = Annotated[
    Literal["schedule", "completion"],
    Meta(description="Counted from the calendar, or from when the work was done."),
]
OnInvalidDate = Annotated[
    Literal["backward", "forward", "omit"],
    Meta(description="The 31st of a short month: its last day, the 1st of the next, or not at all (RFC 7529)."),
]
OnMissed = Annotated[
    Literal["keep_one", "skip_to_next", "backfill", "expire"],
    Meta(
        description="When the next comes while one is open: the open one stays; it closes as missed; each opens; each"
        " closes as missed `expire_after_seconds` past its due time."
    ),
]
Opens = Annotated[
    Literal["either", "on_close", "on_time"],
    Meta(
        title="Opens",
        description="When the next appears. `on_close`: when the one before it is done, skipped or deleted. `on_time`:"
        " when its time minus `lead_seconds` comes, so that done work stays out of sight until then. `either`: at"
        " the first of these.",
    ),
]
Shift = Annotated[
    Literal["previous", "next", "nearest", "skip"],
    Meta(
        title="Shift",
        description="Where a due day on a holiday or weekend goes; `skip`: that occurrence does not happen.",
    ),
]
Holidays = Annotated[list[date], Meta(max_length=1_000, description="Days on which nobody works.")]
Exceptions = Annotated[list[LocalText], Meta(max_length=1_000, description="Original starts that do not happen.")]
TimezoneName = Annotated[str, Meta(min_length=1, max_length=64, pattern=ONE_LINE, examples=["Europe/Berlin"])]


class Pause(Struct, forbid_unknown_fields=True):
    """A window, its first and last day: what is due in it does not happen, and nothing opens."""

    begin: date = msgspec.field(name="from")
    until: date


Pauses = Annotated[list[Pause], Meta(max_length=100)]


class RecurrencePatch(Schema):
    """How work comes back. Absent fields stay; `null` clears. `until` as a day means to the end of it."""

    rrule: Rrule | UnsetType = UNSET
    anchor: Anchor | UnsetType = UNSET
    on_invalid_date: OnInvalidDate | UnsetType = UNSET
    on_missed: OnMissed | UnsetType = UNSET
    expire_after_seconds: ExpireAfter | None | UnsetType = UNSET
    opens: Opens | None | UnsetType = UNSET
    lead_seconds: Lead | UnsetType = UNSET
    until: LocalText | None | UnsetType = UNSET
    count: Count | None | UnsetType = UNSET
    holidays: Holidays | UnsetType = UNSET
    shift: Shift | None | UnsetType = UNSET
    pauses: Pauses | UnsetType = UNSET
    exceptions: Exceptions | UnsetType = UNSET
    max_open: MaxOpen | UnsetType = UNSET

    def columns(self) -> dict[str, Any]:
        """What was sent, as columns of a series; raises ValueError for an `until` that is no day or time."""
        values = {name: value for name, value in self.sent().items() if name in RecurrencePatch.__struct_fields__}
        if values.get("until"):
            values["until"] = last_moment(values["until"])
        if "holidays" in values:
            values["holidays"] = sorted({day.isoformat() for day in values["holidays"]})
        if "pauses" in values:
            values["pauses"] = sorted([pause.begin.isoformat(), pause.until.isoformat()] for pause in values["pauses"])
        if values.get("opens") is None and ("opens" in values or "anchor" in values):
            values["opens"] = default_opens(values.get("anchor", "schedule"))
        return values


class Recurrence(RecurrencePatch, kw_only=True):
    """How work comes back. The first occurrence is due when the task is. A task with a start and no due repeats by its
    start, and gets no due; without both, it is due today. Where the rule does not give that time, the task moves to the
    first that it gives after it, and `warnings` say so.

    Unless said otherwise: counted from the schedule, a 31st in a short month moves to its last day (`backward`), the
    open occurrence stays when the next comes (`keep_one`), the next appears when this one is closed or its own time
    comes (`either`; counted from completion `on_close`), without end. The end by number or day may stand in `rrule` or
    in `count` or `until`.
    """

    rrule: Rrule


class PreviewIn(Recurrence, kw_only=True):
    """A series nobody has saved. `count` is how many occurrences to show; for an end by number say COUNT in `rrule`."""

    start: LocalText
    timezone: TimezoneName | None = None
    count: Annotated[int, Meta(ge=1, le=100, description="How many occurrences to show.")] = 12

    def columns(self) -> dict[str, Any]:
        return {name: value for name, value in super().columns().items() if name != "count"}


class CalendarIn(Schema):
    """A calendar file, as text."""

    ics: Annotated[str, Meta(min_length=1, max_length=262_144, description="What the `.ics` file holds.")]


class DayOff(Struct):
    """A day on which nobody works, and what it is called."""

    day: date
    name: str


class HolidaysOut(Struct):
    """The days off of a calendar, the first first; `notes` say what was passed over."""

    days: list[DayOff]
    notes: list[str]


class PreviewOccurrence(Struct):
    """An occurrence: its original start, the instant it is due, and what moved it."""

    original_start: str
    at: datetime
    note: str | None


class PreviewOut(Struct):
    """What a series would do: its first occurrences, the rule as it would be stored, in words, and what to expect."""

    occurrences: list[PreviewOccurrence]
    rrule: str
    sentence: str
    warnings: list[str]


def last_moment(text: str) -> datetime:
    """The last local moment that counts; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if "T" in text else datetime.combine(moment, END_OF_DAY)


# Fields of a plan that the wire calls otherwise.
WIRE_NAMES = {"lead": "lead_seconds", "expire_after": "expire_after_seconds"}


@contextmanager
def rule_problems(body: str, **fields: str) -> Iterator[None]:
    """Turn RuleError into Invalid, which names the field under `body`, or the one that `fields` gives for it."""
    try:
        yield
    except RuleError as error:
        field = fields.get(error.field) or f"{body}.{WIRE_NAMES.get(error.field, error.field)}"
        raise Invalid.field(field, error.message) from None
    except (ValueError, OverflowError):  # text in the form of a day or time that does not exist
        raise Invalid.field(f"{body}.until", "There is no such day or time.") from None
