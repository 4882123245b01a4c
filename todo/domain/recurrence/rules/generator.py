"""The original starts a rule gives, in order, from anywhere in its life at the same cost.

Every jump is a division from `start`, so neither the age of a series nor a clamped month shifts anything. Nothing loops
for ever: a search visits a bounded number of periods, then gives up.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from todo.domain.recurrence.rules.clock import to_instant, to_local, zone
from todo.domain.recurrence.rules.days import OnInvalidDate, choose, days_of_year, month_days, month_span
from todo.domain.recurrence.rules.grammar import YEARS, Freq, Rule, Weekday

# How many periods without an occurrence end a search: 400 years hold every kind of year, 1,000 months or weeks all but
# absurd rules. Daily rules are searched month by month, hourly ones by months and the days in them.
PATIENCE = {Freq.HOURLY: 1_000, Freq.DAILY: 1_200, Freq.WEEKLY: 1_000, Freq.MONTHLY: 1_000, Freq.YEARLY: 400}
PERIODS_A_YEAR = {Freq.HOURLY: 12 * 32, Freq.DAILY: 12, Freq.WEEKLY: 53, Freq.MONTHLY: 12, Freq.YEARLY: 1}
LAST_YEAR = 9_000
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


def explicit(rule: Rule, start: datetime) -> Rule:
    """The rule with the days that RFC 5545 takes from DTSTART written out."""
    if rule.by_day or rule.by_month_day or rule.freq in (Freq.HOURLY, Freq.DAILY):
        return rule
    if rule.freq is Freq.WEEKLY:
        return replace(rule, by_day=(Weekday(0, start.weekday()),))
    by_month = rule.by_month or ((start.month,) if rule.freq is Freq.YEARLY else ())
    return replace(rule, by_month=by_month, by_month_day=(start.day,))


def times_of_day(rule: Rule, start: time) -> list[time]:
    """The times at which a rule of days or longer happens: BYHOUR and BYMINUTE, or those of `start`."""
    hours, minutes = rule.by_hour or (start.hour,), rule.by_minute or (start.minute,)
    return [time(hour, minute, start.second) for hour in hours for minute in minutes]


def years_searched(rule: Rule) -> int:
    """How many years there are at least between an occurrence and the end of a vain search for the next."""
    step = 1 if rule.freq in (Freq.HOURLY, Freq.DAILY) else rule.interval
    return min(PATIENCE[rule.freq] * step // PERIODS_A_YEAR[rule.freq], LAST_YEAR - YEARS[-1])


def original_starts(
    rule: Rule, start: datetime, after: datetime | None, invalid: OnInvalidDate, timezone: str | None
) -> Iterator[datetime]:
    """Every original start later than `after` and not before `start`; the rule must be explicit.

    `timezone` matters to hourly rules, which count real hours, and to rules with several times a day.
    """
    floor = start - TICK if after is None else max(after, start - TICK)
    if rule.freq is Freq.HOURLY:
        return _hours(rule, start, floor, timezone)
    return _times(rule, start, floor, invalid, timezone)


def _times(
    rule: Rule, start: datetime, floor: datetime, invalid: OnInvalidDate, timezone: str | None
) -> Iterator[datetime]:
    patience, times, earliest = PATIENCE[rule.freq], times_of_day(rule, start.time()), floor.toordinal()
    for days in _periods(rule, start.date(), floor.date(), invalid):
        for day in days:
            if day < earliest:
                continue
            for local in _on_day(date.fromordinal(day), times, timezone):
                # also drops the second of two wishes that a short month moved onto one day
                if local > floor:
                    floor = local
                    patience = PATIENCE[rule.freq]
                    yield local
        patience -= 1
        if not patience:
            return


def _on_day(day: date, times: list[time], timezone: str | None) -> list[datetime]:
    """These times of a day, without one that a clock change moves onto another: both are the same instant."""
    found = [datetime.combine(day, at) for at in times]
    if len(times) == 1 or timezone is None or _midnight(day + DAY, timezone) - _midnight(day, timezone) == DAY:
        return found
    shown = [to_local(to_instant(local, timezone), timezone) for local in found]
    return [local for local, seen in zip(found, shown, strict=True) if seen == local or seen not in found]


def _periods(rule: Rule, start: date, after: date, invalid: OnInvalidDate) -> Iterator[list[int]]:
    """The days of each period, ascending, beginning with a period that may reach beyond `after`."""
    if rule.freq is Freq.DAILY:
        return _days(rule, start, after)
    if rule.freq is Freq.WEEKLY:
        return _weeks(rule, start, after)
    if rule.freq is Freq.MONTHLY:
        return _months(rule, start, after, invalid)
    return _years(rule, start, after, invalid)


def _days(rule: Rule, start: date, after: date) -> Iterator[list[int]]:
    """Month by month, since a daily rule may exclude whole months."""
    origin, step = start.toordinal(), rule.interval
    for index in range(_month_index(after), LAST_YEAR * 12):
        year, month = divmod(index, 12)
        if rule.by_month_day or rule.by_day:
            days = month_days(rule, year, month + 1, OnInvalidDate.OMIT)
            yield [day for day in days if (day - origin) % step == 0]
        elif rule.by_month and month + 1 not in rule.by_month:
            yield []
        else:
            first, length = month_span(year, month + 1)
            yield list(range(first + (origin - first) % step, first + length, step))


def _weeks(rule: Rule, start: date, after: date) -> Iterator[list[int]]:
    origin = start.toordinal() - (start.weekday() - rule.week_start) % 7
    step = 7 * rule.interval
    offsets = sorted((day.weekday - rule.week_start) % 7 for day in rule.by_day)
    behind = max(0, (after.toordinal() - origin) // step)
    for first in range(origin + behind * step, date(LAST_YEAR, 1, 1).toordinal(), step):
        days = [first + offset for offset in offsets]
        if rule.by_month:
            days = [day for day in days if date.fromordinal(day).month in rule.by_month]
        yield days


def _months(rule: Rule, start: date, after: date, invalid: OnInvalidDate) -> Iterator[list[int]]:
    # from one month early, since its 31st may have moved forward into this one
    origin = _month_index(start)
    behind = max(0, (_month_index(after) - 1 - origin) // rule.interval)
    for index in range(origin + behind * rule.interval, LAST_YEAR * 12, rule.interval):
        year, month = divmod(index, 12)
        yield choose(month_days(rule, year, month + 1, invalid), rule.by_set_pos)


def _years(rule: Rule, start: date, after: date, invalid: OnInvalidDate) -> Iterator[list[int]]:
    behind = max(0, (after.year - start.year) // rule.interval)
    for year in range(start.year + behind * rule.interval, LAST_YEAR, rule.interval):
        first = date(year, 1, 1).toordinal()
        length = date(year + 1, 1, 1).toordinal() - first
        yield [first + day for day in days_of_year(rule, (first - 1) % 7, length, invalid)]


def _hours(rule: Rule, start: datetime, floor: datetime, timezone: str | None) -> Iterator[datetime]:
    """Real hours since `start`; the days that BYMONTH, BYMONTHDAY or BYDAY exclude are jumped over by division."""
    origin, step = to_instant(start, timezone), timedelta(hours=rule.interval)
    earliest, patience = to_instant(floor, timezone), PATIENCE[rule.freq]
    instant = origin + max(0, (earliest - origin) // step) * step
    local = to_local(instant, timezone)
    for days in _days(replace(rule, interval=1), local.date(), local.date()):
        patience -= 1
        for day in map(date.fromordinal, days):
            if day < local.date():
                continue
            if day > local.date():
                instant = max(instant, origin - (origin - _midnight(day, timezone)) // step * step)
                local = to_local(instant, timezone)
            begin = instant
            # in a day without a clock change the wall clock runs with the instants, and adding is four times faster
            regular = step * 4 < DAY and _midnight(day + DAY, timezone) - _midnight(day, timezone) == DAY
            while local.date() == day:
                if instant > earliest:
                    yield local
                instant += step
                local = local + step if regular else to_local(instant, timezone)
            local = to_local(instant, timezone) if regular else local
            patience = PATIENCE[rule.freq] if instant > begin else patience - 1
        if patience <= 0:
            return


def _midnight(day: date, timezone: str | None) -> datetime:
    return datetime.combine(day, time.min, zone(timezone)).astimezone(UTC)


def _month_index(day: date) -> int:
    return day.year * 12 + day.month - 1
