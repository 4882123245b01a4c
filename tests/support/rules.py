"""Rules that other implementations of RFC 5545 read as we do: random ones, and what of a plan they can be asked."""

from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple

from todo.domain.recurrence.rules.clock import SECOND_PASS, to_instant, to_local
from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.generator import explicit, original_starts
from todo.domain.recurrence.rules.grammar import WEEKDAYS, Freq, parse
from todo.domain.recurrence.rules.occurrences import occurrences
from todo.domain.recurrence.rules.plan import Anchor, Plan

FREQUENCIES = ("HOURLY", *(2 * ("DAILY", "WEEKLY")), *(3 * ("MONTHLY", "YEARLY")))


def random_rule(random: Random) -> str:
    freq = random.choice(FREQUENCIES)
    parts = {"FREQ": freq, "INTERVAL": str(random.choice((1, 1, 1, 2, 3, 5, 13)))}
    if random.random() < 0.25:
        parts["BYMONTH"] = chosen(random, range(1, 13), 4)
    if freq != "WEEKLY" and random.random() < 0.35:
        parts["BYMONTHDAY"] = chosen(random, [day for day in range(-31, 32) if day], 4)
    if random.random() < 0.5:
        parts["BYDAY"] = random_weekdays(random, numbered=freq in ("MONTHLY", "YEARLY"))
    if freq != "HOURLY" and random.random() < 0.3:
        parts["BYHOUR"] = chosen(random, range(24), 3)
    if freq != "HOURLY" and random.random() < 0.2:
        parts["BYMINUTE"] = chosen(random, range(60), 2)
    if freq in ("MONTHLY", "YEARLY") and parts.keys() & {"BYDAY", "BYMONTHDAY", "BYMONTH"} and random.random() < 0.3:
        parts["BYSETPOS"] = chosen(random, [-3, -2, -1, 1, 2, 3, 5], 2)
    if random.random() < 0.3:
        parts["WKST"] = random.choice(WEEKDAYS)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def random_weekdays(random: Random, numbered: bool) -> str:
    # dateutil intersects numbered and plain weekdays in one BYDAY instead of joining them, so a rule has only one kind
    days = random.sample(WEEKDAYS, random.randint(1, 4))
    if numbered and random.random() < 0.6:
        return ",".join(f"{random.choice((-5, -2, -1, 1, 2, 3, 4, 5))}{day}" for day in days)
    return ",".join(days)


def chosen(random: Random, values: range | list[int], most: int) -> str:
    return ",".join(map(str, random.sample(values, random.randint(1, most))))


def random_start(random: Random) -> datetime:
    return datetime(2015, 1, 1, 9, 30) + timedelta(days=random.randrange(6_000), hours=random.randrange(12))


def is_read(text: str) -> bool:
    try:
        parse(text, True)
    except ValueError:
        return False
    return True


def ours(text: str, start: datetime, after: datetime | None, count: int) -> list[datetime]:
    rule = explicit(parse(text, True).rule, start)
    return list(islice(original_starts(rule, start, after, OnInvalidDate.OMIT, "UTC"), count))


class Listed(NamedTuple):
    """A plan and its first occurrences."""

    name: str
    plan: Plan
    original_starts: list[datetime]


def listed(name: str, plan: Plan, count: int) -> Listed:
    plan = plan.in_zone("UTC")
    return Listed(name, plan, [one.original_start for one in islice(occurrences(plan, None, 0), count)])


def is_of_the_rfc(case: Listed) -> bool:
    """Whether RFC 5545 alone says what these occurrences are, and rrule-temporal follows it there."""
    plan, starts = case.plan, case.original_starts
    policies = plan.anchor is Anchor.COMPLETION or plan.shift or plan.pauses or plan.holidays
    times = original_starts(plan.explicit, plan.start, None, OnInvalidDate.OMIT, plan.timezone)
    moved = plan.on_invalid_date is not OnInvalidDate.OMIT and starts != list(islice(times, len(starts)))
    # rrule-temporal drops the second of two hours, and a time that does not exist: RFC 5545 3.3.5 moves it by the gap
    changes = any(
        start.microsecond == SECOND_PASS or to_local(to_instant(start, plan.timezone), plan.timezone) != start
        for start in starts
    )
    # rrule-temporal does not limit days like 1MO of a whole year by BYMONTHDAY; dateutil does
    rule = plan.rule
    unlimited = rule.freq is Freq.YEARLY and not rule.by_month and rule.by_month_day and any(d.nth for d in rule.by_day)
    return bool(starts) and not (policies or moved or changes or unlimited)
