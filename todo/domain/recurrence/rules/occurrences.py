"""Which occurrence comes next: after another one, after a moment, after somebody finished one."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from todo.domain.recurrence.rules.generator import explicit, original_starts
from todo.domain.recurrence.rules.grammar import Freq, Rule
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.shift import is_skipped

# Occurrences excepted or free in a row before a search gives up: an hourly rule through 83 days of holidays.
MAX_EXCLUDED = 2_000


def first(plan: Plan) -> PlannedOccurrence | None:
    """The first occurrence, at or after `start`; None if the plan never gives one."""
    if plan.anchor is Anchor.COMPLETION:
        return next(_happening(plan, _from_completion(plan, plan.start, None), 0), None)
    return next(occurrences(plan, None, 0), None)


def next_after(plan: Plan, original_start: datetime, n: int) -> PlannedOccurrence | None:
    """The occurrence after occurrence number `n` at `original_start`, of a plan that follows its schedule; None if that
    was the last.
    """
    return next(occurrences(plan, original_start, n), None)


def first_after(plan: Plan, moment: datetime, last: datetime | None, n: int) -> PlannedOccurrence | None:
    """The first occurrence later than this local moment and than `last`, occurrence number `n` (None and 0: nothing
    yet).

    One jump, however long ago `last` was. Only a plan with a count visits the occurrences between, to number them; in
    other plans the number counts on from `n`.
    """
    if plan.count is not None:
        return next(
            (occurrence for occurrence in occurrences(plan, last, n) if occurrence.original_start > moment), None
        )
    return next(occurrences(plan, moment if last is None else max(moment, last), n), None)


def after_completion(plan: Plan, original_start: datetime, completed: datetime, n: int) -> PlannedOccurrence | None:
    """The occurrence that follows when occurrence number `n` is closed (done, skipped, missed) at this local moment.

    On schedule: the first one after both, so an early completion counts for its own occurrence and a late one jumps
    over what has passed; `backfill` jumps over nothing. From completion: a whole interval later at the time of day of
    the original start, as often as it takes to come after `original_start`, then the next weekday that BYDAY allows.
    """
    if plan.anchor is Anchor.COMPLETION:
        at = completed.replace(second=0, microsecond=0)
        begin = at if plan.rule.freq is Freq.HOURLY else datetime.combine(at.date(), original_start.time())
        return next(_happening(plan, _from_completion(plan, begin, max(begin, original_start)), n), None)
    if plan.on_missed is OnMissed.BACKFILL:
        return next_after(plan, original_start, n)
    return first_after(plan, completed, original_start, n)


def occurrences(plan: Plan, original_start: datetime | None, n: int) -> Iterator[PlannedOccurrence]:
    """The occurrences of a schedule after occurrence number `n` at `original_start`; all of them after None and 0."""
    times = original_starts(plan.explicit, plan.start, original_start, plan.on_invalid_date, plan.timezone)
    return _happening(plan, times, n)


def _happening(plan: Plan, times: Iterable[datetime], n: int) -> Iterator[PlannedOccurrence]:
    """Number the times, up to the end of the plan, and leave out what does not happen."""
    excluded = 0
    for number, original_start in enumerate(times, n + 1):
        occurrence = PlannedOccurrence(original_start, number)
        if plan.is_beyond_end(occurrence) or excluded == MAX_EXCLUDED:
            return
        if original_start in plan.exceptions or is_skipped(plan, original_start):
            excluded += 1
            continue
        excluded = 0
        yield occurrence


def _from_completion(plan: Plan, begin: datetime, after: datetime | None) -> Iterator[datetime]:
    """`begin` and every interval later, each moved forward to a weekday of BYDAY."""
    rule = explicit(Rule(plan.rule.freq, plan.rule.interval), begin)
    weekdays = {day.weekday for day in plan.rule.by_day} or set(range(7))
    last = None
    for time in original_starts(rule, begin, after, plan.on_invalid_date, plan.timezone):
        days = next(days for days in range(7) if (time.weekday() + days) % 7 in weekdays)
        if (moved := time + timedelta(days=days)) != last:
            last = moved
            yield moved
