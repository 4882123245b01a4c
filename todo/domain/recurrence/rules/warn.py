"""What a person may not expect of a plan, in sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.explain import reaches_short_months
from todo.domain.recurrence.rules.generator import original_starts, times_of_day, years_searched
from todo.domain.recurrence.rules.grammar import Freq
from todo.domain.recurrence.rules.occurrences import due, first, occurrences, outside_pauses
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence, Shift
from todo.domain.recurrence.rules.words import MONTHS, WEEKDAYS

MANY_A_YEAR = 500
MANY_PAUSED = 1_000
YEAR = timedelta(days=365)
IDLE_HOLIDAYS = "Holidays change nothing here: shift must say where an occurrence goes that falls on one."


def warnings(plan: Plan, listed: Sequence[PlannedOccurrence], count: int) -> list[str]:
    """What to expect of a plan whose first occurrences these are, of which `count` were asked for.

    A plan that is hourly or has several times a day must not be floating.
    """
    if not listed:
        return [nothing_happens(plan)]
    found = [*_of_start(plan, listed[0]), *_of_list(plan, listed, count)]
    return found if plan.anchor is Anchor.COMPLETION else [*found, *_of_rule(plan, listed), *_pile_up(plan, listed)]


def nothing_happens(plan: Plan) -> str:
    """Why a plan has no occurrence."""
    begin = first(replace(plan, until=None, count=None))
    if begin and plan.is_beyond_end(begin):
        return "This rule never happens before its end."
    if begin or _gives_after(plan, None):
        return "This rule never happens: all its occurrences are exceptions, on days off or in a pause."
    return f"This rule never happens within {years_searched(plan.rule)} years: no date fits every part of it."


def _gives_after(plan: Plan, after: datetime | None) -> bool:
    """Whether the rule alone gives a time, whatever the plan excludes."""
    times = original_starts(plan.explicit, plan.start, after, plan.on_invalid_date, plan.timezone)
    return next(times, None) is not None


def _of_start(plan: Plan, begin: PlannedOccurrence) -> Iterator[str]:
    if begin.original_start != plan.start:
        moments = (_moment(plan, moment) for moment in (plan.start, begin.original_start))
        yield "{} is not an occurrence: the first is {}.".format(*moments)


def _moment(plan: Plan, local: datetime) -> str:
    day = f"{WEEKDAYS[local.weekday()]}, {local.day} {MONTHS[local.month - 1]} {local.year}"
    return day if plan.all_day else f"{day} at {local:%H:%M}"


def _of_list(plan: Plan, listed: Sequence[PlannedOccurrence], count: int) -> Iterator[str]:
    if plan.holidays and plan.shift is None:
        yield IDLE_HOLIDAYS
    if len(listed) >= count or plan.anchor is Anchor.COMPLETION:
        return
    last = listed[-1]
    later = occurrences(replace(plan, until=None, count=None), last.original_start, last.n)
    following = next(outside_pauses(plan, later, MANY_PAUSED), None)
    only = f"Only {len(listed)} of {count} occurrences are shown"
    if following is None and _gives_after(plan, last.original_start):
        yield f"{only}: the later ones are exceptions, on days off or in a pause."
    elif following is None:
        yield f"{only}: the rule gives no other within {years_searched(plan.rule)} years."
    elif not plan.is_beyond_end(following):
        yield f"{only}: the next is {_moment(plan, following.original_start)}."


def _of_rule(plan: Plan, listed: Sequence[PlannedOccurrence]) -> Iterator[str]:
    if _is_often(plan):
        yield f"This rule happens more than {MANY_A_YEAR} times a year."
    days = {(occurrence.original_start.month, occurrence.original_start.day) for occurrence in listed}
    if days == {(2, 29)} and len({occurrence.original_start.year for occurrence in listed}) > 1:
        yield "This rule happens only in leap years."
    elif plan.on_invalid_date is OnInvalidDate.OMIT and reaches_short_months(plan.explicit):
        yield "This rule skips the months that are too short."


def _is_often(plan: Plan) -> bool:
    hourly = plan.rule.freq is Freq.HOURLY and plan.rule.interval * MANY_A_YEAR <= YEAR / timedelta(hours=1)
    if not hourly and len(times_of_day(plan.rule, plan.start.time())) == 1:
        return False
    begin = first(plan)
    if begin is None:
        return False
    year = takewhile(lambda other: other.original_start < begin.original_start + YEAR, occurrences(plan, None, 0))
    return len(list(islice(year, MANY_A_YEAR + 1))) > MANY_A_YEAR


def _pile_up(plan: Plan, listed: Sequence[PlannedOccurrence]) -> Iterator[str]:
    if plan.shift in (None, Shift.SKIP):
        return
    ((moment, number),) = Counter(due(plan, occurrence.original_start) for occurrence in listed).most_common(1)
    if number > 1:
        yield f"shift moves several occurrences to one day: {number} are due on {_moment(plan, moment)}."
