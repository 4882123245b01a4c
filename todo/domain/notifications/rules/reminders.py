"""When a reminder is told, and whether it still makes sense: decided from the tables at that moment, never remembered.

Offsets of days are local days (the same wall clock), offsets of minutes are real minutes; negative is before.
A day has no hour of its own: there the person's `day_time` counts, unless the reminder names a `time`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Literal, NamedTuple

from todo.domain.notifications.rules.hours import after_quiet
from todo.domain.recurrence.rules.clock import to_instant
from todo.domain.tasks.rules import local_time_of

GRACE = timedelta(hours=6)  # later than this, reminders are folded into one message
TOLERANCE = timedelta(minutes=1)  # "now" is still now when it arrives here

Timing = Mapping[str, Any]
Moments = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Person:
    """Whom to remind: where they are, and what they prefer."""

    timezone: str
    day_time: str = "09:00"
    quiet_begin: str | None = None
    quiet_end: str | None = None


@dataclass(frozen=True)
class State:
    """What a reminder has been through.

    `requested_at` is when it was last asked to look at its task: what was over by then is not told any more, unless it
    was waiting for just that (`remind_at`). `told` names what it has told last, so that nothing is told twice.
    """

    requested_at: datetime
    remind_at: datetime | None = None
    sent_key: str | None = None
    snoozed_until: datetime | None = None
    urgent: bool = False


class Decision(NamedTuple):
    """What to do: wait until `at`, tell now what was due `at` (and note it as `key`), or rest until asked again."""

    action: Literal["wait", "send", "rest"]
    at: datetime | None = None
    key: str = ""


REST = Decision("rest")


def instant_of(timing: Timing, moments: Moments, person: Person) -> datetime | None:
    """The instant a reminder means; None when the task lacks the moment, or it lies outside the calendar."""
    if timing["kind"] == "absolute":
        return datetime.fromisoformat(timing["at"])
    moment = moments.get(timing["to"])
    if moment is None:
        return None
    clock = timing.get("time") or (person.day_time if moment["kind"] == "day" else None)
    try:
        original_start = local_time_of(dict(moment)) + timedelta(days=timing.get("days", 0))
        if clock:
            original_start = datetime.combine(original_start.date(), time.fromisoformat(clock))
        instant = to_instant(original_start, moment.get("timezone") or person.timezone)
        return instant + timedelta(minutes=timing.get("minutes", 0))
    except OverflowError:
        return None


def key_of(timing: Timing, moments: Moments) -> str:
    """Names what a reminder tells of. It knows no zone: who travels is not told the same twice."""
    if timing["kind"] == "absolute":
        return f"at {timing['at']}"
    moment = moments.get(timing["to"]) or {}
    words = [timing["to"], *(str(moment[name]) for name in ("date", "at", "timezone") if name in moment)]
    return " ".join([*words, f"{timing.get('days', 0)}d", f"{timing.get('minutes', 0)}m", timing.get("time") or ""])


def evaluate(timing: Timing, moments: Moments | None, person: Person, state: State, now: datetime) -> Decision:
    """What a reminder should do now; `moments` is None while its task is closed, deleted or out of sight."""
    if moments is None:
        return REST
    key = key_of(timing, moments)
    if state.snoozed_until is not None:  # "until eleven" was said knowing about quiet hours
        meant = when = state.snoozed_until
        key = f"snoozed until {meant.isoformat()}"
    else:
        base = instant_of(timing, moments, person)
        if base is None or key == state.sent_key:
            return REST
        meant = base
        when = meant if state.urgent else after_quiet(meant, person.quiet_begin, person.quiet_end, person.timezone)
    if when != state.remind_at and meant < state.requested_at - TOLERANCE:
        return REST
    return Decision("wait" if when > now else "send", when, key)
