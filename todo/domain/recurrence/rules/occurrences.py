"""Which occurrence comes next, and when it is due, opens and expires.

An occurrence on a holiday or weekend keeps its original start; what moves is the day it is due.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from todo.domain.recurrence.rules.clock import to_instant, to_local
from todo.domain.recurrence.rules.generator import explicit, original_starts
from todo.domain.recurrence.rules.grammar import Freq, Rule
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Opens, Plan, PlannedOccurrence, Shift

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
# How far an occurrence may open from its original start minus lead: free days, and the whole day that Apia's clocks
# left out.
SLACK = timedelta(days=REACH + 2)


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


def due_at(plan: Plan, original_start: datetime) -> datetime:
    """The instant (UTC) an occurrence is due, holidays and clock changes considered."""
    return to_instant(due(plan, original_start), plan.timezone)


def opens_at(plan: Plan, original_start: datetime) -> datetime:
    """The instant (UTC) an occurrence appears: its due time minus `lead` on the local clock; in a pause, the day after
    it.
    """
    resumed = resumes_on(plan, original_start)
    local = datetime.combine(resumed, time.min) if resumed else _opens_local(plan, original_start)
    return to_instant(local, plan.timezone)


def resumes_on(plan: Plan, original_start: datetime) -> date | None:
    """The day an occurrence opens on because a pause covers its own; None if no pause does."""
    day = opening = _opens_local(plan, original_start).date()
    for begin, end in plan.pauses:
        day = end + DAY if begin <= day <= end else day
    return None if day == opening else day


def expires_at(plan: Plan, original_start: datetime) -> datetime | None:
    """The instant (UTC) an open occurrence closes as missed: `expire_after` past its due time, or None for never."""
    if plan.on_missed is not OnMissed.EXPIRE or plan.expire_after is None:
        return None
    return due_at(plan, original_start) + plan.expire_after


def next_run_at(plan: Plan, following: datetime | None, still_open: Sequence[datetime]) -> datetime | None:
    """The instant (UTC) at which something happens to a series by itself: its next occurrence comes, or an open one
    expires.

    While one is open, a series that opens on close waits until it is closed, unless the next one replaces it.
    """
    waits = plan.opens is Opens.ON_CLOSE and plan.on_missed is not OnMissed.SKIP_TO_NEXT and still_open
    comes = opens_at(plan, following) if following and not waits else None
    expiries = (expires_at(plan, original_start) for original_start in still_open)
    return min((instant for instant in (comes, *expiries) if instant), default=None)


def is_expired(plan: Plan, original_start: datetime, now: datetime) -> bool:
    expiry = expires_at(plan, original_start)
    return expiry is not None and expiry <= now


def is_paused(plan: Plan, now: datetime) -> bool:
    """Whether an instant lies in a pause."""
    today = to_local(now, plan.timezone).date()
    return any(begin <= today <= end for begin, end in plan.pauses)


class Now:
    """Which occurrences of a plan have opened at an instant. Nothing opens from the first day of a pause on."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        self.plan = plan
        self.moment = _last_awake(plan, now)
        self.latest = to_local(self.moment, plan.timezone) + plan.lead
        self._surely = self.latest - SLACK

    def has_opened(self, original_start: datetime) -> bool:
        if original_start < self._surely:
            return True
        return to_instant(_opens_local(self.plan, original_start), self.plan.timezone) <= self.moment


def _opens_local(plan: Plan, original_start: datetime) -> datetime:
    return due(plan, original_start) - plan.lead


def _last_awake(plan: Plan, now: datetime) -> datetime:
    today = day = to_local(now, plan.timezone).date()
    for begin, end in reversed(plan.pauses):
        day = begin - DAY if begin <= day <= end else day
    if day == today:
        return now
    return to_instant(datetime.combine(day + DAY, time.min), plan.timezone) - timedelta(seconds=1)
