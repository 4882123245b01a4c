"""The Jinja environment: autoescaping, and undefined names are errors."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import UNSET

from todo.admin.declaration import Resource
from todo.admin.fields import Field, holds, label_of, longest, write_text
from todo.admin.pages.assets import asset
from todo.admin.reads import CAP
from todo.database import now

TEMPLATES = Path(__file__).parent / "templates"
YES = {
    "true": "yes",
    "false": "no",
    "empty": "empty",
    "set": "not empty",
    "leaving": "deletion scheduled",
    "past_7_days": "past 7 days",
}
TONES = {
    "good": {"active", "done", "complete", "delivered", "sent", "ok", "confirmed", "succeeded", "live", "finished"},
    "info": {"open", "queued", "new", "pending", "scheduled", "planned"},
    "accent": {"in_progress", "running", "admin", "superuser"},
    "warn": {"waiting", "leaving", "late", "retired", "paused", "retrying", "aborting", "missed", "moved"},
    "bad": {"disabled", "failed", "revoked", "expired", "aborted", "away", "error", "refused"},
}
NEAR = {-1: "yesterday", 0: "today", 1: "tomorrow"}
STEPS = ((60, "second"), (3600, "minute"), (86400, "hour"), (86400 * 30, "day"), (86400 * 365, "month"))


def environment(folders: Sequence[Path]) -> Environment:
    """Return the environment. Templates of the engine come before those of modules."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"asset": asset}
    made.filters |= {
        "when": when, "friendly": friendly, "ago": ago, "iso": iso, "is_future": is_future, "number": number,
        "about": about, "before_dot": before_dot, "words": words, "tone": tone,
        "short_id": short_id, "plain_time": plain_time, "json": as_json, "count": count,
        "called": called, "displays": displays, "label": label_of,
        "as_text": as_text, "longest": longest_of, "unset_is_none": unset_is_none, "holds": holds, "sentence": sentence,
    }  # fmt: skip
    return made


def zone(name: str) -> ZoneInfo:
    """Return a viewer's time zone, or UTC for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def when(value: datetime, timezone: str) -> str:
    """Format an instant in the viewer's time zone, e.g. `2026-12-31 09:00`."""
    return value.astimezone(zone(timezone)).strftime("%Y-%m-%d %H:%M")


def friendly(value: datetime, timezone: str) -> str:
    """Format an instant as people write it: `today 16:46`, `29 Nov 16:46`, or with its year when it is another one."""
    local, today = value.astimezone(zone(timezone)), now().astimezone(zone(timezone)).date()
    days = (local.date() - today).days
    if days in NEAR:
        return f"{NEAR[days]} {local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def iso(value: datetime | date) -> str:
    """Format for machines: RFC 3339, instants in UTC."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


def ago(value: datetime) -> str:
    """Format a relative time: `3 minutes ago`, `in 2 days`."""
    seconds = (now() - value).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "just now"
    unit, name = 86400 * 365, "year"
    divisor = 1
    for limit, word in STEPS:
        if size < limit:
            unit, name = divisor, word
            break
        divisor = limit
    count = max(1, int(size // unit))
    words = f"{count} {name}{'' if count == 1 else 's'}"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def is_future(value: datetime) -> bool:
    """Return whether an instant is still to come."""
    return value > now()


def words(value: Any) -> str:
    """Format a choice: `in_progress` becomes `In progress`."""
    text = YES.get(str(value), str(value)).replace("_", " ")
    return text[:1].upper() + text[1:]


def tone(value: Any) -> str:
    """Return the color for a state used by many tables."""
    return next((f"tag-{name}" for name, known in TONES.items() if str(value) in known), "")


def short_id(value: Any) -> str:
    """Return the end of an id, where ids created at the same time differ."""
    return f"…{str(value)[-8:]}" if len(str(value)) == 36 else str(value)


def plain_time(value: Any) -> str:
    """Format a local time or a day, to the minute."""
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)


def as_json(value: Any, indent: bool = False) -> str:
    """Format a value as JSON."""
    text = msgspec.json.encode(value)
    return (msgspec.json.format(text, indent=2) if indent else text).decode()


def as_text(value: Any, field: Field | None = None) -> str:
    """Format a value of the audit log as one line of text, in the text format of its field, if any."""
    if field is not None and field.text_format is not None and value:
        return field.text_format.write(value)
    return "nothing" if value in (None, "", []) else write_text(value)


def longest_of(field: Field) -> int:
    """Return the maximum length of a text field."""
    return longest(field.type)


def sentence(text: str) -> str:
    """Return a line of a docstring without backticks."""
    return text.replace("`", "")


def count(value: int) -> str:
    """Format a capped count of a facet."""
    return f"{CAP // 1000}k+" if value > CAP else f"{value:,}"


def about(value: int, exact: bool = True) -> str:
    """Format a number of rows: `12,345`, or when it is not exact `more than 10,000` or `about 62,000`."""
    if exact:
        return f"{value:,}"
    return f"more than {CAP:,}" if value <= CAP else f"about {float(f'{value:.2g}'):,.0f}"


def before_dot(value: str) -> str:
    """Return the group of a dotted name: `users` of `users.view`."""
    return value.partition(".")[0]


def called(row: Any, resource: Resource) -> str:
    """Return the display name of a row; for other resources the value of the field in `display`."""
    value = row.display if hasattr(row, "display") else getattr(row, resource.display)
    return "" if value is None else str(value)


def displays(row: Any) -> Mapping[str, str]:
    """Return the display names of a row's references; empty for resources that are not tables."""
    found: Mapping[str, str] = getattr(row, "displays", {})
    return found


def unset_is_none(value: Any) -> Any:
    """Return None for unset values."""
    return None if value is UNSET else value


def number(value: Any) -> str:
    """Format an integer with thousands separators: `12,345`."""
    return f"{value:,}"
