"""Days and instants as a filter names them: `2026-12-31`, `today+7d`, `monday`, `start of month-1m`."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from todo.domain.recurrence.rules.clock import to_instant, to_local
from todo.domain.tasks.filters.syntax import FilterError, Value
from todo.domain.tasks.rules import day_after

# Beyond these, lists have their own dates, for tasks without one.
FIRST, LAST = date(1901, 1, 1), date(9990, 12, 31)
TIMES = (
    "a date such as 2026-12-31, a time such as 2026-12-31T09:00, `today`, `tomorrow`, `yesterday`, `now`, a weekday,"
    " `start of week`, `end of month`, each with offsets such as `+7d`, or an offset from today such as `-1m`"
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OFFSETS = r"(?P<offsets>(?:\s*[+-]\s*\d{1,5}\s*(?:min|h|d|w|m|y))*)$"
TIME = re.compile(r"(?P<time>\d{4}-\d\d-\d\dt\d\d:\d\d(?::\d\d)?)(?P<offset>z|[+-]\d\d:\d\d)?$")
DAY = re.compile(
    rf"(?P<base>\d{{4}}-\d\d-\d\d|today|tomorrow|yesterday|now|{'|'.join(WEEKDAYS)}"
    rf"|(?P<edge>start|end) of (?P<unit>week|month|year))?{OFFSETS}"
)
OFFSET = re.compile(r"([+-])\s*(\d+)\s*(min|h|d|w|m|y)")


class Asker(NamedTuple):
    """Who asks, where, and when: what a filter means depends on them."""

    user_id: UUID
    timezone: str
    now: datetime

    def instant(self, day: date) -> datetime:
        """The first instant of a day."""
        return to_instant(datetime(day.year, day.month, day.day), self.timezone)  # noqa: DTZ001 -- a local time

    def day_after(self, instant: datetime) -> str:
        """The first day that begins at or after an instant."""
        return day_after(instant, self.timezone)

    def local(self, instant: datetime) -> datetime:
        return to_local(instant, self.timezone).replace(microsecond=0)


def read_time(value: Value, asker: Asker) -> date | datetime:
    """Return the day or the instant that a value means. Raises FilterError."""
    text = value.text.lower()
    try:
        found = _time(text, asker) or _day(text, asker)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise FilterError(f"`{value.text[:40]}` is not a date. Use {TIMES}.", value.position)
    if not FIRST <= (found.date() if isinstance(found, datetime) else found) <= LAST:
        raise FilterError(f"Dates can be from {FIRST} to {LAST}.", value.position)
    return found


def _time(text: str, asker: Asker) -> datetime | None:
    parts = TIME.match(text)
    if parts is None:
        return None
    local = datetime.fromisoformat(parts["time"])
    if parts["offset"]:
        return datetime.fromisoformat(text).astimezone(UTC)
    return to_instant(local, asker.timezone)


def _day(text: str, asker: Asker) -> date | datetime | None:
    parts = DAY.match(text)
    if parts is None or not text:
        return None
    offsets = OFFSET.findall(parts["offsets"])
    base = parts["base"] or ("now" if any(unit in ("h", "min") for _, _, unit in offsets) else "today")
    found = _base(base, parts["edge"], parts["unit"], asker)
    for sign, number, unit in offsets:
        if unit in ("h", "min") and not isinstance(found, datetime):
            found = asker.instant(found)
        found = _moved(found, int(sign + number), unit, asker)
    return found


def _base(base: str, edge: str | None, unit: str | None, asker: Asker) -> date | datetime:
    today = asker.local(asker.now).date()
    if base == "now":
        return asker.now
    if base in WEEKDAYS:
        return today + timedelta(days=(WEEKDAYS.index(base) - today.weekday()) % 7)
    if unit:
        start, days = _period(today, unit)
        return start if edge == "start" else start + timedelta(days=days - 1)
    near = {"today": 0, "tomorrow": 1, "yesterday": -1}
    return today + timedelta(days=near[base]) if base in near else date.fromisoformat(base)


def _period(day: date, unit: str) -> tuple[date, int]:
    """The first day of a week, month or year, and how many days it has. Weeks begin on Monday."""
    if unit == "week":
        return day - timedelta(days=day.weekday()), 7
    if unit == "month":
        return day.replace(day=1), monthrange(day.year, day.month)[1]
    return date(day.year, 1, 1), 365 + (monthrange(day.year, 2)[1] == 29)


def _moved(found: date | datetime, number: int, unit: str, asker: Asker) -> date | datetime:
    """A day or an instant moved; days, weeks, months and years on the calendar of who asks."""
    if unit in ("h", "min"):
        return found + timedelta(**{"hours" if unit == "h" else "minutes": number})
    if isinstance(found, datetime):
        local = asker.local(found)
        return to_instant(datetime.combine(_on_calendar(local.date(), number, unit), local.time()), asker.timezone)
    return _on_calendar(found, number, unit)


def _on_calendar(day: date, number: int, unit: str) -> date:
    """A day so many days, weeks, months or years away; at the latest the last day of the month."""
    if unit in ("d", "w"):
        return day + timedelta(days=number * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


Interval = tuple[datetime, datetime] | tuple[date, date] | tuple[str, str] | tuple[int, int]
ToInterval = Callable[[Value, Asker], Interval]


def instants(value: Value, asker: Asker) -> Interval:
    """A day from its first instant, up to that of the next one; an instant up to the next one."""
    found = read_time(value, asker)
    if isinstance(found, datetime):
        return found, found + timedelta(microseconds=1)
    return asker.instant(found), asker.instant(found + timedelta(days=1))


def days(value: Value, asker: Asker) -> Interval:
    """A day, up to the next one; of an instant, that on which it is."""
    found = read_time(value, asker)
    day = asker.local(found).date() if isinstance(found, datetime) else found
    return day, day + timedelta(days=1)


def wall_clock(value: Value, asker: Asker) -> Interval:
    """A day or a local time, as the text by which starts are sorted, up to the next one."""
    found = read_time(value, asker)
    if isinstance(found, datetime):
        text = asker.local(found).isoformat(timespec="seconds").removesuffix(":00")
        return text, f"{text} "
    return found.isoformat(), (found + timedelta(days=1)).isoformat()


DURATION = re.compile(r"(?:(\d{1,5})\s*h)?\s*(?:(\d{1,6})\s*(?:min|m)?)?$")


def minutes(value: Value, _asker: Asker) -> Interval:
    """A duration such as `90`, `30min` or `1h30m`, in minutes."""
    found = DURATION.match(value.word or "-")
    if not found or not any(found.groups()):
        raise FilterError(f"`{value.text[:40]}` is not a duration. Use one such as 30min, 2h or 1h30m.", value.position)
    number = int(found[1] or 0) * 60 + int(found[2] or 0)
    return number, number + 1
