"""Dues and starts as people write them: a day, a time, or a time in one place."""

from datetime import date, datetime
from typing import Any

from todo.admin.fields import TextFormat

HINT = "2026-12-31, or 2026-12-31 09:00, or 2026-12-31 09:00 Europe/Berlin for one place."
WRONG = "Write 2026-12-31, or 2026-12-31 09:00, or 2026-12-31 09:00 Europe/Berlin for one place."


def read_moment(text: str) -> dict[str, str]:
    """`2026-12-31`, `2026-12-31 09:00`, or `2026-12-31 09:00 Europe/Berlin`, as JSON; raises ValueError."""
    try:
        return _read(text)
    except ValueError:
        raise ValueError(WRONG) from None


def _read(text: str) -> dict[str, str]:
    day, _, rest = text.strip().replace("T", " ", 1).partition(" ")
    if not rest:
        return {"kind": "day", "date": date.fromisoformat(day).isoformat()}
    time, _, timezone = rest.strip().partition(" ")
    at = datetime.fromisoformat(f"{day}T{time}").isoformat(timespec="minutes")
    return {"kind": "zoned", "at": at, "timezone": timezone.strip()} if timezone else {"kind": "floating", "at": at}


def write_moment(moment: Any) -> str:
    """A stored moment in these words."""
    if moment["kind"] == "day":
        return str(moment["date"])
    return f"{moment['at'].replace('T', ' ')[:16]} {moment.get('timezone') or ''}".strip()


MOMENT = TextFormat(read_moment, write_moment, HINT, picks_moment=True)
