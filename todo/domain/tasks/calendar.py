"""Tasks as iCalendar files (RFC 5545)."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from icalendar import Calendar, Component, Event, Todo, vText

C = TypeVar("C", bound=Component)
MAX_NOTES = 2000  # characters: the event is no full copy of the task
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # RFC 5545 does not allow these in a text


class Text(vText):
    """A text (RFC 5545 section 3.3.11). icalendar makes a line break of a backslash before a capital N."""

    def to_ical(self) -> bytes:
        escaped = re.sub(r"([\\;,])", r"\\\1", str(self)).replace("\n", r"\n")
        return escaped.encode()


def event(task: Mapping[str, Any], host: str, stamp: datetime) -> str | None:
    """Return a task as a calendar with one event, or None when it has no due date.

    A later version of the same task replaces the event: same UID, higher SEQUENCE.
    """
    if task["due"] is None or task["due_at"] is None:
        return None
    return _calendar([_entry(Event(), _common(task, host, stamp) | _time_of_event(task))], {})


def feed(name: str, tasks: Iterable[Mapping[str, Any]], host: str, *, as_events: bool) -> str:
    """Return tasks with a due date as a calendar of VTODO, or of VEVENT, which more programs show."""
    found: list[Component] = []
    for task in tasks:
        common = _common(task, host, task["updated_at"].astimezone(UTC))
        if as_events:
            found.append(_entry(Event(), common | _time_of_event(task)))
        else:
            found.append(_entry(Todo(), common | {"DUE": _due(task)} | _state(task)))
    return _calendar(found, {"X-WR-CALNAME": Text(_clean(name))})


def _common(task: Mapping[str, Any], host: str, stamp: datetime) -> dict[str, Any]:
    values = {"UID": f"{task['id']}@{host}", "SEQUENCE": task["version"], "DTSTAMP": stamp}
    notes = {"DESCRIPTION": Text(_clean(task["notes"][:MAX_NOTES]))} if task["notes"] else {}
    return values | {"SUMMARY": Text(_clean(task["title"]))} | notes


def _due(task: Mapping[str, Any]) -> date:
    """A day, or else the current instant in UTC, which needs no time zone definition."""
    due, due_at = task["due"], task["due_at"]
    return date.fromisoformat(due["date"]) if due["kind"] == "day" else due_at.astimezone(UTC)


def _time_of_event(task: Mapping[str, Any]) -> dict[str, Any]:
    due, minutes = _due(task), task["estimate_minutes"]
    values: dict[str, Any] = {"TRANSP": "TRANSPARENT", "DTSTART": due}
    if task["due"]["kind"] == "day":
        return values | {"DTEND": due + timedelta(days=1)}
    return values | ({"DURATION": timedelta(minutes=minutes)} if minutes else {})


def _state(task: Mapping[str, Any]) -> dict[str, Any]:
    """Importance goes from 1 to 9 there (RFC 5545 section 3.8.1.9), and 0 is none in both."""
    importance = 9 - 2 * task["priority"] if task["priority"] else 0
    return {"PRIORITY": importance, "STATUS": "IN-PROCESS" if task["status"] == "in_progress" else "NEEDS-ACTION"}


def _entry(entry: C, values: Mapping[str, Any]) -> C:
    for name, value in values.items():
        entry.add(name, value)
    return entry


def _calendar(entries: Iterable[Component], more: Mapping[str, Any]) -> str:
    calendar = _entry(Calendar({"VERSION": "2.0", "PRODID": "-//todo//EN", "METHOD": "PUBLISH"}), more)
    for entry in entries:
        calendar.add_component(entry)
    return str(calendar.to_ical(), "utf-8")


def _clean(text: str) -> str:
    return CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
