"""When to send a reminder, and whether it is still useful: always decided from the current tables.

Offsets in days are local days (same wall clock time), offsets in minutes are elapsed minutes; negative is before.
A whole day has no time: it counts from the user's `day_time`, unless the reminder has a `time`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Literal, NamedTuple

from todo.domain.notifications.rules.hours import after_quiet
from todo.domain.recurrence.rules.clock import to_instant
from todo.domain.tasks.rules import local_time_of

GRACE = timedelta(hours=6)  # later than this, reminders are combined into one message
TOLERANCE = timedelta(minutes=1)  # clock difference within which "now" is accepted

Timing = Mapping[str, Any]
Moments = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Person:
    """The user to remind: time zone and preferences."""

    timezone: str
    day_time: str = "09:00"
    quiet_begin: str | None = None
    quiet_end: str | None = None


@dataclass(frozen=True)
class State:
    """State of a reminder.

    `requested_at` is when its last evaluation was requested: reminders due before are not sent, except the one it was
    waiting for (`remind_at`). The key of the last sent reminder prevents sending it twice.
    """

    requested_at: datetime
    remind_at: datetime | None = None
    sent_key: str | None = None
    snoozed_until: datetime | None = None
    urgent: bool = False


class Decision(NamedTuple):
    """What to do: wait until `at`, send now what was due `at` (and store `key`), or wait for the next change."""

    action: Literal["wait", "send", "rest"]
    at: datetime | None = None
    key: str = ""


REST = Decision("rest")


def instant_of(timing: Timing, moments: Moments, person: Person) -> datetime | None:
    """Return the instant of a reminder, or None when the task lacks the date or the result is out of range."""
    if timing["kind"] == "absolute":
        return datetime.fromisoformat(timing["at"])
    moment = moments.get(timing["to"])
    if moment is None:
        return None
    clock = timing.get("time") or (person.day_time if moment["kind"] == "day" else None)
    try:
        local = local_time_of(dict(moment)) + timedelta(days=timing.get("days", 0))
        if clock:
            local = datetime.combine(local.date(), time.fromisoformat(clock))
        instant = to_instant(local, moment.get("timezone") or person.timezone)
        return instant + timedelta(minutes=timing.get("minutes", 0))
    except OverflowError:
        return None


def key_of(timing: Timing, moments: Moments) -> str:
    """Return the key of what a reminder is about. It has no time zone, so traveling users are not reminded twice."""
    if timing["kind"] == "absolute":
        return f"at {timing['at']}"
    moment = moments.get(timing["to"]) or {}
    words = [timing["to"], *(str(moment[name]) for name in ("date", "at", "timezone") if name in moment)]
    return " ".join([*words, f"{timing.get('days', 0)}d", f"{timing.get('minutes', 0)}m", timing.get("time") or ""])


def evaluate(timing: Timing, moments: Moments | None, person: Person, state: State, now: datetime) -> Decision:
    """Decide what a reminder does now. `moments` is None while its task is closed, deleted or not visible."""
    if moments is None:
        return REST
    key = key_of(timing, moments)
    if state.snoozed_until is not None:  # the user chose this time, so quiet hours do not apply
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
