"""What is true of tasks wherever they are kept: when a due date falls, when work counts as closed."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

CLOSED = frozenset({"done", "cancelled"})


def nominal_of(moment: dict[str, Any]) -> datetime:
    """The local wall-clock time of a `due` or `start`; a day begins at its midnight. Raises ValueError."""
    if moment["kind"] == "day":
        return datetime.combine(date.fromisoformat(moment["date"]), time.min)
    return datetime.fromisoformat(moment["at"])


def instant_of(moment: dict[str, Any], owner_timezone: str) -> datetime:
    """The instant (UTC) a `due` or `start` means for its owner. Raises ValueError.

    A wall-clock time that a clock change leaves out moves forward by the gap; one that comes twice means the first.
    """
    zone = ZoneInfo(moment.get("timezone") or owner_timezone)
    try:
        return nominal_of(moment).replace(tzinfo=zone, fold=0).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def local_text(nominal: datetime) -> str:
    """A wall-clock time as the wire shows it: to the minute, unless seconds matter."""
    return nominal.isoformat(timespec="seconds" if nominal.second else "minutes")


def occurrence_text(nominal: datetime, kind: str) -> str:
    """The identity of an occurrence as the wire shows it: a day, or a wall-clock time."""
    return nominal.date().isoformat() if kind == "day" else local_text(nominal)


def moment_at(nominal: datetime, kind: str, timezone: str | None) -> dict[str, Any]:
    """The `due` of an occurrence, in the kind its series began with."""
    if kind == "day":
        return {"kind": "day", "date": nominal.date().isoformat()}
    if kind == "zoned":
        return {"kind": "zoned", "at": local_text(nominal), "timezone": timezone}
    return {"kind": "floating", "at": local_text(nominal)}
