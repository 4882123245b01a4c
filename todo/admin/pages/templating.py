"""Jinja as the pages use it: everything is escaped, a name that is missing is an error."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from todo.admin.pages.assets import asset
from todo.database import now

TEMPLATES = Path(__file__).parent / "templates"
STEPS = ((60, "second"), (3600, "minute"), (86400, "hour"), (86400 * 30, "day"), (86400 * 365, "month"))


def environment(folders: Sequence[Path]) -> Environment:
    """Templates of the engine first, then those of the rooms."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"asset": asset}
    made.filters |= {"when": when, "ago": ago, "iso": iso, "number": number}
    return made


def zone(name: str) -> ZoneInfo:
    """A viewer's time zone; UTC for one this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def when(value: datetime, timezone: str) -> str:
    """An instant on the viewer's clock, e.g. `2026-12-31 09:00`."""
    return value.astimezone(zone(timezone)).strftime("%Y-%m-%d %H:%M")


def iso(value: datetime | date) -> str:
    """For machines: RFC 3339, instants in UTC."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()


def ago(value: datetime) -> str:
    """How long ago, or in how long, in one word and a number: `3 minutes ago`, `in 2 days`."""
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


def number(value: Any) -> str:
    """A whole number with thin groups: `12,345`."""
    return f"{value:,}"
