"""One task as an iCalendar file (RFC 5545), written by hand: the thirty lines that a single event needs."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

LONGEST = 75  # octets of a line, its end not counted (section 3.1)
MOST_NOTES = 2000  # characters: a reminder is no copy of the task
UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def escaped(text: str) -> str:
    """Free text as a value (section 3.3.11)."""
    text = UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def folded(line: str) -> str:
    """A content line in pieces of at most 75 octets, never within a character; the later ones begin with a space."""
    pieces, length = [""], 0
    for character in line:
        size = len(character.encode())
        if length + size > LONGEST:
            pieces.append(" ")
            length = 1
        pieces[-1] += character
        length += size
    return "\r\n".join(pieces)


def event(task: Mapping[str, Any], host: str, stamp: datetime) -> str | None:
    """A dated task as a calendar with one event; None for one without due.

    A day is a DATE, every other due the instant it means now, in UTC, so that no time zone has to be described.
    A later version of the same task replaces this one: same UID, higher SEQUENCE.
    """
    due, due_at = task["due"], task["due_at"]
    if due is None or due_at is None:
        return None
    if due["kind"] == "day":
        day = date.fromisoformat(due["date"])
        when = [f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"]
    else:
        when = [f"DTSTART:{_utc(due_at)}"]
        when += [f"DURATION:PT{minutes}M"] if (minutes := task["estimate_minutes"]) else []
    notes = [f"DESCRIPTION:{escaped(task['notes'][:MOST_NOTES])}"] if task["notes"] else []
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//todo//EN", "METHOD:PUBLISH", "BEGIN:VEVENT",
        f"UID:{task['id']}@{host}", f"SEQUENCE:{task['version']}", f"DTSTAMP:{_utc(stamp)}", *when,
        f"SUMMARY:{escaped(task['title'])}", *notes,
        "TRANSP:TRANSPARENT", "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    return "".join(f"{folded(line)}\r\n" for line in lines)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
