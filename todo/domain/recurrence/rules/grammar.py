"""The part of RFC 5545 recurrence rules that we run: read it, refuse the rest with a sentence, write it in one form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from todo.domain.recurrence.rules.words import MONTHS, joined, ordinal

MAX_TEXT = 300
MAX_COUNT = 10_000
MAX_LIST = 31
MAX_TIMES = 24
YEARS = range(1900, 2201)
END_OF_DAY = time(23, 59, 59)

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PARTS = (
    "FREQ",
    "INTERVAL",
    "BYMONTH",
    "BYMONTHDAY",
    "BYDAY",
    "BYHOUR",
    "BYMINUTE",
    "BYSETPOS",
    "WKST",
    "COUNT",
    "UNTIL",
)
REMEDIES = {
    "BYSECOND": "the second comes from start",
    "SKIP": "say on_invalid_date instead",
    "RSCALE": "say on_invalid_date instead",
    "DTSTART": "say start instead",
    "EXDATE": "say exceptions instead",
    "TZID": "say timezone instead",
}


class RuleError(ValueError):
    """What a person asked for cannot be done: `field` is the field of the series, `message` a sentence for them."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Freq(StrEnum):
    """The period of a rule (RFC 5545, FREQ)."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class Weekday(NamedTuple):
    """A BYDAY entry: `nth` counts inside the month or year, from its end if negative; 0 means every one."""

    nth: int
    weekday: int

    def __str__(self) -> str:
        return f"{self.nth or ''}{WEEKDAYS[self.weekday]}"


@dataclass(frozen=True)
class Rule:
    """A rule without its end; `str()` is the canonical text. Lists are sorted and hold nothing twice."""

    freq: Freq
    interval: int = 1
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[Weekday, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0

    def __str__(self) -> str:
        parts = {
            "FREQ": self.freq.value,
            "INTERVAL": str(self.interval) if self.interval > 1 else "",
            "BYMONTH": ",".join(map(str, self.by_month)),
            "BYMONTHDAY": ",".join(map(str, self.by_month_day)),
            "BYDAY": ",".join(map(str, self.by_day)),
            "BYHOUR": ",".join(map(str, self.by_hour)),
            "BYMINUTE": ",".join(map(str, self.by_minute)),
            "BYSETPOS": ",".join(map(str, self.by_set_pos)),
            "WKST": WEEKDAYS[self.week_start] if self.week_start else "",
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


@dataclass(frozen=True)
class Parsed:
    """A text taken apart. `until` is the last moment that counts: local, or aware if the text says UTC (`...Z`)."""

    rule: Rule
    count: int | None
    until: datetime | None


@lru_cache(maxsize=4096)
def parse(text: str, hourly: bool = True) -> Parsed:
    """Read a rule; case, blanks around it and a leading `RRULE:` do not matter.

    Raises RuleError for all that we do not run: other parts, values out of range, dates no year has (RFC 5545 3.3.10).
    """
    parts = _split(text)
    rule = Rule(
        freq=_freq(parts.get("FREQ"), hourly),
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), 1, 999),
        by_month=_numbers(parts, "BYMONTH", 1, 12),
        by_month_day=_numbers(parts, "BYMONTHDAY", -31, 31),
        by_day=_by_day(parts),
        by_hour=_numbers(parts, "BYHOUR", 0, 23),
        by_minute=_numbers(parts, "BYMINUTE", 0, 59),
        by_set_pos=_numbers(parts, "BYSETPOS", -31, 31),
        week_start=_weekday("WKST", parts.get("WKST", "MO")),
    )
    for message in chain(_wrong_days(rule), _wrong_times(rule)):
        raise refuse(message)
    if "COUNT" in parts and "UNTIL" in parts:
        raise refuse("COUNT and UNTIL cannot be combined: a rule has one end.")
    count = _number("COUNT", parts["COUNT"], 1, MAX_COUNT) if "COUNT" in parts else None
    return Parsed(rule, count, _until(parts["UNTIL"]) if "UNTIL" in parts else None)


def canonical(rule: Rule, count: int | None, until: datetime | None) -> str:
    """The rule with its end, as `parse` reads it back unchanged. UNTIL is local, and a day if it is a day's end."""
    if count is not None:
        return f"{rule};COUNT={count}"
    if until is not None:
        day_only = until.time() == END_OF_DAY
        return f"{rule};UNTIL={until:%Y%m%d}" if day_only else f"{rule};UNTIL={until:%Y%m%dT%H%M%S}"
    return str(rule)


def refuse(message: str) -> RuleError:
    return RuleError("rrule", message)


def _split(text: str) -> dict[str, str]:
    if len(text) > MAX_TEXT:
        raise refuse(f"A rule has at most {MAX_TEXT} characters.")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not (equals and name and value):
            raise refuse("A rule is a list of NAME=VALUE joined by semicolons, like FREQ=WEEKLY;BYDAY=MO.")
        if name not in PARTS:
            raise refuse(f"{name[:20]} is not supported: {REMEDIES.get(name, f'a rule may use {joined(PARTS)}')}.")
        if name in parts:
            raise refuse(f"{name} is given twice.")
        parts[name] = value
    return parts


def _freq(value: str | None, hourly: bool) -> Freq:
    if value == "HOURLY" and not hourly:
        raise refuse("HOURLY rules are switched off here; the shortest period is DAILY.")
    if value is None or value not in Freq.__members__:
        raise refuse(f"FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY{', or HOURLY' if hourly else ''}.")
    return Freq(value)


def _number(name: str, text: str, low: int, high: int) -> int:
    # int() alone would also take "1_0", blanks and the digits of other scripts
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,5}", text) else low - 1
    if not low <= number <= high or (number == 0 and low < 0):
        raise refuse(f"{name} must be between {low} and {high}{' and not 0' if low < 0 else ''}.")
    return number


def _values(parts: dict[str, str], name: str) -> list[str]:
    values = parts[name].split(",") if name in parts else []
    if len(values) > MAX_LIST:
        raise refuse(f"{name} may list at most {MAX_LIST} values.")
    return values


def _numbers(parts: dict[str, str], name: str, low: int, high: int) -> tuple[int, ...]:
    return tuple(sorted({_number(name, text, low, high) for text in _values(parts, name)}))


def _weekday(name: str, text: str) -> int:
    if text not in WEEKDAYS:
        raise refuse(f"{name} must name days as {joined(WEEKDAYS)}.")
    return WEEKDAYS.index(text)


def _by_day(parts: dict[str, str]) -> tuple[Weekday, ...]:
    days = set()
    for text in _values(parts, "BYDAY"):
        nth, weekday = text[:-2], _weekday("BYDAY", text[-2:])
        days.add(Weekday(_number("The number in BYDAY", nth, -5, 5) if nth else 0, weekday))
    return tuple(sorted(days))


def _until(text: str) -> datetime:
    try:
        if re.fullmatch(r"[0-9]{8}", text):
            until = datetime.combine(datetime.fromisoformat(text), END_OF_DAY)
        elif re.fullmatch(r"[0-9]{8}T[0-9]{6}Z?", text):
            until = datetime.fromisoformat(text[:15])
        else:
            raise ValueError
    except ValueError:
        raise refuse("UNTIL must be a date like 20261231 or a time like 20261231T180000 or 20261231T170000Z.") from None
    if until.year not in YEARS:
        raise refuse(f"UNTIL must be between the years {YEARS[0]} and {YEARS[-1]}.")
    return until.replace(tzinfo=UTC) if text.endswith("Z") else until


def _wrong_days(rule: Rule) -> Iterator[str]:
    by_month_or_year = rule.freq in (Freq.MONTHLY, Freq.YEARLY)
    if rule.by_month_day and rule.freq is Freq.WEEKLY:
        yield "BYMONTHDAY cannot be used with WEEKLY; use MONTHLY."
    if any(day.nth for day in rule.by_day) and not by_month_or_year:
        yield f"BYDAY with a number, like 1MO, needs MONTHLY or YEARLY, not {rule.freq}."
    if rule.by_set_pos and not by_month_or_year:
        yield f"BYSETPOS needs MONTHLY or YEARLY, not {rule.freq}."
    if rule.by_set_pos and not (rule.by_month or rule.by_month_day or rule.by_day):
        yield "BYSETPOS needs days to choose from: add BYDAY, BYMONTHDAY or BYMONTH."
    longest = max(LONGEST_MONTH[month - 1] for month in rule.by_month or range(1, 13))
    if rule.by_month_day and min(map(abs, rule.by_month_day)) > longest:
        months = joined(MONTHS[month - 1] for month in rule.by_month)
        yield f"This rule never happens: {months} has no {ordinal(min(map(abs, rule.by_month_day)))}."


def _wrong_times(rule: Rule) -> Iterator[str]:
    times = max(1, len(rule.by_hour)) * max(1, len(rule.by_minute))
    if rule.freq is Freq.HOURLY and (rule.by_hour or rule.by_minute):
        yield "BYHOUR and BYMINUTE need DAILY, WEEKLY, MONTHLY or YEARLY, not HOURLY."
    if times > MAX_TIMES:
        yield f"BYHOUR and BYMINUTE together may give at most {MAX_TIMES} times a day, not {times}."
    if times > 1 and rule.by_set_pos:
        yield "BYSETPOS cannot choose among several times a day: give one BYHOUR and one BYMINUTE."
