"""Which occurrence comes next, and when it is due and over.

An occurrence on a holiday or weekend keeps its original start; what moves is the day it is due.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta

from todo.domain.recurrence.rules.clock import to_instant
from todo.domain.recurrence.rules.generator import explicit, original_starts
from todo.domain.recurrence.rules.grammar import Freq, Rule
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Plan, PlannedOccurrence, Shift

# Occurrences excepted or free in a row before a search gives up: an hourly rule through 83 days of holidays.
MAX_EXCLUDED = 2_000
DAY = timedelta(days=1)
# Beyond a month of holidays the calendar is wrong, and an occurrence stays where it is.
REACH = 31
OFFSETS = {
    Shift.PREVIOUS: [-days for days in range(1, REACH + 1)],
    Shift.NEXT: list(range(1, REACH + 1)),
    Shift.NEAREST: [side for days in range(1, REACH + 1) for side in (-days, days)],
}
# How far an occurrence may be over from its original start: free days, its own day, and the whole day that Apia's
# clocks left out.
SLACK = timedelta(days=REACH + 3)


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


def first_after(plan: Plan, moment: datetime, last: datetime, n: int) -> PlannedOccurrence | None:
    """The first occurrence later than `last`, occurrence number `n`, that is not over at this local moment.

    One jump, however long ago `last` was. Only a plan with a count visits the occurrences between, to number them; in
    other plans the number counts on from `n`.
    """
    begin = last if plan.count is not None else max(last, moment - SLACK)
    return next(
        (occurrence for occurrence in occurrences(plan, begin, n) if over(plan, occurrence.original_start) > moment),
        None,
    )


def after_completion(
    plan: Plan, original_start: datetime, completed: datetime, n: int, taken: Collection[datetime] = ()
) -> PlannedOccurrence | None:
    """The occurrence that follows when occurrence number `n` is closed (done, skipped, missed) at this local moment.

    On schedule: the first one after it that is not over, so an early completion counts for its own occurrence and a
    late one jumps over what has passed; `backfill` jumps over nothing. From completion: a whole interval later at the
    time of day of the original start, then the next weekday that BYDAY allows; done early, this may be before
    `original_start`. What is itself or `taken` by another occurrence is left out.
    """
    if plan.anchor is Anchor.COMPLETION:
        at = completed.replace(second=0, microsecond=0)
        begin = at if plan.rule.freq is Freq.HOURLY else datetime.combine(at.date(), original_start.time())
        times = _from_completion(plan, begin, begin)
        free = (other for other in times if other != original_start and other not in taken)
        return next(_happening(plan, free, n), None)
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
    for start in original_starts(rule, begin, after, plan.on_invalid_date, plan.timezone):
        days = next(days for days in range(7) if (start.weekday() + days) % 7 in weekdays)
        if (moved := start + timedelta(days=days)) != last:
            last = moved
            yield moved


def is_free(plan: Plan, day: date) -> bool:
    """Whether nobody works on this day: a holiday, or a weekend day that the rule does not name."""
    return day in plan.holidays or day.weekday() in plan.weekdays_off


def is_skipped(plan: Plan, original_start: datetime) -> bool:
    """Whether an occurrence does not happen because its day is free."""
    return plan.shift is Shift.SKIP and is_free(plan, original_start.date())


def due(plan: Plan, original_start: datetime) -> datetime:
    """The local time an occurrence is due. Of two nearest working days the earlier."""
    if plan.shift is None or plan.shift is Shift.SKIP or not is_free(plan, original_start.date()):
        return original_start
    moved = (original_start + timedelta(days=days) for days in OFFSETS[plan.shift])
    return next((other for other in moved if not is_free(plan, other.date())), original_start)


def over(plan: Plan, original_start: datetime) -> datetime:
    """The local time at which an occurrence is late: its due time or, for whole days, the end of its day."""
    return due(plan, original_start) + (DAY if plan.all_day else timedelta())


def in_pause(plan: Plan, original_start: datetime) -> bool:
    """Whether an occurrence does not happen because it is due in a pause."""
    return bool(plan.pauses) and is_pause(plan, due(plan, original_start).date())


def outside_pauses(plan: Plan, coming: Iterable[PlannedOccurrence], most: int) -> Iterator[PlannedOccurrence]:
    """These occurrences but those in a pause; ends after passing over `most` of them."""
    for occurrence in coming:
        if not in_pause(plan, occurrence.original_start):
            yield occurrence
        elif not (most := most - 1):
            return


def is_pause(plan: Plan, day: date) -> bool:
    return any(begin <= day <= end for begin, end in plan.pauses)


def due_at(plan: Plan, original_start: datetime) -> datetime:
    """The instant (UTC) an occurrence is due, holidays and clock changes considered."""
    return to_instant(due(plan, original_start), plan.timezone)
