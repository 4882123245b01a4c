"""What is true of tasks wherever they are kept: when a due date falls, when work counts as closed."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from todo.domain.recurrence.rules.clock import to_instant, to_local, written

CLOSED = frozenset({"done", "cancelled"})
MAX_ASSIGNEES = 20  # of a task
MAX_BLOCKERS = 50  # of a task
LAST_DAY = "9999-12-31"  # no day ends after it
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)  # before any task was added anywhere


def local_time_of(moment: Mapping[str, Any]) -> datetime:
    """The local wall-clock time of a `due` or `start`; a day begins at its midnight. Raises ValueError."""
    if moment["kind"] == "day":
        return datetime.combine(date.fromisoformat(moment["date"]), time.min)
    return datetime.fromisoformat(moment["at"])


def instant_of(moment: dict[str, Any], owner_timezone: str) -> datetime:
    """The instant (UTC) a `due` or `start` means for its owner. Raises ValueError.

    A wall-clock time that a clock change leaves out moves forward by the gap; one that comes twice means the first.
    """
    try:
        return to_instant(local_time_of(moment), moment.get("timezone") or owner_timezone)
    except OverflowError as error:
        raise ValueError("out of range") from error


def overdue_at(due: dict[str, Any], owner_timezone: str) -> datetime:
    """The instant (UTC) after which open work is late: its due or, when that is a day, the end of it."""
    if due["kind"] != "day" or due["date"] == LAST_DAY:
        return instant_of(due, owner_timezone)
    return to_instant(local_time_of(due) + timedelta(days=1), owner_timezone)


def instants_of(due: dict[str, Any] | None, owner_timezone: str) -> dict[str, datetime | None]:
    """The columns that follow from `due`. Raises ValueError."""
    if due is None:
        return {"due_at": None, "overdue_at": None}
    due_at = instant_of(due, owner_timezone)
    return {"due_at": due_at, "overdue_at": overdue_at(due, owner_timezone) if due["kind"] == "day" else due_at}


def day_of(moment: datetime, timezone: str, days: int = 0) -> datetime:
    """The instant (UTC) at which the day of a moment begins there, or a day so many days later."""
    midnight = datetime.combine(to_local(moment, timezone).date() + timedelta(days=days), time.min)
    return to_instant(midnight, timezone)


def moment_at(original_start: datetime, kind: str, timezone: str | None) -> dict[str, Any]:
    """The `due` of an occurrence, in the kind its series began with."""
    if kind == "day":
        return {"kind": "day", "date": written(original_start, all_day=True)}
    if kind == "zoned":
        return {"kind": "zoned", "at": written(original_start), "timezone": timezone}
    return {"kind": "floating", "at": written(original_start)}


def shifted(moment: dict[str, Any], distance: timedelta) -> dict[str, Any]:
    """The same kind of `due` or `start`, this far away on the wall clock; days move by whole days."""
    return moment_at(local_time_of(moment) + distance, moment["kind"], moment.get("timezone"))


def search_terms(text: str) -> tuple[str, str] | None:
    """The words of a search, and the last one as a prefix, quoted for PostgreSQL; None where there are no words."""
    *words, last = text.split() or [""]
    if not re.search(r"[^\W_]", text) or any(ord(character) < 32 for character in text):
        return None
    escaped = last.replace("\\", "\\\\").replace("'", "''")
    return " ".join(words), f"'{escaped}':*"
