"""Export of a task as an iCalendar file (RFC 5545)."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event, vText

MAX_NOTES = 2000  # characters: the event is no full copy of the task
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # RFC 5545 does not allow these in a text


class Text(vText):
    """A text (RFC 5545 section 3.3.11). icalendar makes a line break of a backslash before a capital N."""

    def to_ical(self) -> bytes:
        escaped = re.sub(r"([\\;,])", r"\\\1", str(self)).replace("\n", r"\n")
        return escaped.encode()


def event(task: Mapping[str, Any], host: str, stamp: datetime) -> str | None:
    """Return a task as a calendar with one event, or None when it has no due date.

    A day becomes a DATE; any other due becomes its current instant in UTC, which needs no time zone definition.
    A later version of the same task replaces the event: same UID, higher SEQUENCE.
    """
    due, due_at = task["due"], task["due_at"]
    if due is None or due_at is None:
        return None
    values = {"UID": f"{task['id']}@{host}", "SEQUENCE": task["version"], "DTSTAMP": stamp, "TRANSP": "TRANSPARENT"}
    if due["kind"] == "day":
        day = date.fromisoformat(due["date"])
        values |= {"DTSTART": day, "DTEND": day + timedelta(days=1)}
    else:
        values["DTSTART"] = due_at.astimezone(UTC)
        values |= {"DURATION": timedelta(minutes=minutes)} if (minutes := task["estimate_minutes"]) else {}
    values["SUMMARY"] = Text(_clean(task["title"]))
    values |= {"DESCRIPTION": Text(_clean(task["notes"][:MAX_NOTES]))} if task["notes"] else {}
    entry = Event()
    for name, value in values.items():
        entry.add(name, value)
    calendar = Calendar({"VERSION": "2.0", "PRODID": "-//todo//EN", "METHOD": "PUBLISH"})
    calendar.add_component(entry)
    return str(calendar.to_ical(), "utf-8")


def _clean(text: str) -> str:
    return CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
