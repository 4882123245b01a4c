"""Which days of a month or of a year a rule wishes."""

from datetime import date
from enum import StrEnum
from functools import lru_cache

from todo.domain.recurrence.rules.grammar import LONGEST_MONTH, Rule, Weekday


class OnInvalidDate(StrEnum):
    """What the 31st means in a month without one (RFC 7529, SKIP)."""

    BACKWARD = "backward"
    FORWARD = "forward"
    OMIT = "omit"


def month_span(year: int, month: int) -> tuple[int, int]:
    """The first day of a month and its length."""
    first = date(year, month, 1).toordinal()
    return first, date(year + month // 12, month % 12 + 1, 1).toordinal() - first


def month_days(rule: Rule, year: int, month: int, invalid: OnInvalidDate) -> list[int]:
    """The days of this month that the rule wishes, before BYSETPOS; with `forward` also the 1st of the next month."""
    if rule.by_month and month not in rule.by_month:
        return []
    first, length = month_span(year, month)
    return [first + day for day in days_of_span(rule.by_month_day, rule.by_day, (first - 1) % 7, length, invalid)]


@lru_cache(maxsize=1024)
def days_of_year(rule: Rule, first_weekday: int, length: int, invalid: OnInvalidDate) -> list[int]:
    """The offsets of the days that fit, in a year that begins on `first_weekday`."""
    if not (rule.by_month or rule.by_month_day):
        return choose(list(days_of_span((), rule.by_day, first_weekday, length, invalid)), rule.by_set_pos)
    # a number in BYDAY counts in the months that BYMONTH names, or else in the year
    by_day = rule.by_day if rule.by_month else ()
    days: set[int] = set()
    begin = 0
    for month, longest in enumerate(LONGEST_MONTH, 1):
        size = length - 337 if month == 2 else longest
        if not rule.by_month or month in rule.by_month:
            # a set, since a 31st that moved forward may be the wished 1st of the next month
            weekday = (first_weekday + begin) % 7
            days.update(begin + day for day in days_of_span(rule.by_month_day, by_day, weekday, size, invalid))
        begin += size
    if rule.by_day and not rule.by_month:
        days.intersection_update(days_of_span((), rule.by_day, first_weekday, length, invalid))
    return choose(sorted(days), rule.by_set_pos)


# There are 28 shapes of a month and 14 of a year, so a long search of one rule computes each of them once.
@lru_cache(maxsize=8192)
def days_of_span(
    by_month_day: tuple[int, ...], by_day: tuple[Weekday, ...], first_weekday: int, length: int, invalid: OnInvalidDate
) -> tuple[int, ...]:
    """The offsets of the days that fit, in a span that begins on `first_weekday`.

    Both lists given: invalid days are resolved first, then BYDAY limits (the order of RFC 7529 4.1).
    """
    if not by_month_day:
        return tuple(sorted(_weekdays(by_day, first_weekday, length)))
    days = {day for wish in by_month_day if (day := _resolve(wish, length, invalid)) is not None}
    if by_day:
        fitting = _weekdays(by_day, first_weekday, length)
        days = {day for day in days if day in fitting or Weekday(0, (first_weekday + day) % 7) in by_day}
    return tuple(sorted(days))


def choose(days: list[int], by_set_pos: tuple[int, ...]) -> list[int]:
    """BYSETPOS: the days at these places of the period, from 1, or from the end if negative."""
    if not by_set_pos:
        return days
    places = {place - 1 if place > 0 else len(days) + place for place in by_set_pos}
    return [days[place] for place in sorted(places) if 0 <= place < len(days)]


def _resolve(wish: int, length: int, invalid: OnInvalidDate) -> int | None:
    """The offset of a BYMONTHDAY. A day counted from the end that does not exist is the 1st, unless omitted."""
    if abs(wish) <= length:
        return wish - 1 if wish > 0 else length + wish
    if invalid is OnInvalidDate.OMIT:
        return None
    if wish < 0:
        return 0
    return length - 1 if invalid is OnInvalidDate.BACKWARD else length


def _weekdays(by_day: tuple[Weekday, ...], first_weekday: int, length: int) -> set[int]:
    found: set[int] = set()
    for nth, weekday in by_day:
        days = range((weekday - first_weekday) % 7, length, 7)
        if nth == 0:
            found.update(days)
        elif abs(nth) <= len(days):
            found.add(days[nth - 1 if nth > 0 else nth])
    return found
