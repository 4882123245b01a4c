"""Holidays and weekends: an occurrence keeps its original start, what moves is the day it is due."""

from datetime import date, datetime, timedelta

from todo.domain.recurrence.rules.plan import Anchor, Plan, Shift

# Beyond a month of holidays the calendar is wrong, and an occurrence stays where it is.
REACH = 31
OFFSETS = {
    Shift.PREVIOUS: [-days for days in range(1, REACH + 1)],
    Shift.NEXT: list(range(1, REACH + 1)),
    Shift.NEAREST: [side for days in range(1, REACH + 1) for side in (-days, days)],
}


def is_free(plan: Plan, day: date) -> bool:
    """Whether nobody works on this day: a holiday, or a weekend day that the rule does not itself name."""
    if day in plan.holidays:
        return True
    rule = plan.rule if plan.anchor is Anchor.COMPLETION else plan.explicit
    return day.weekday() in plan.weekend and all(day.weekday() != named.weekday for named in rule.by_day)


def is_skipped(plan: Plan, original_start: datetime) -> bool:
    """Whether an occurrence does not happen because its day is free."""
    return plan.shift is Shift.SKIP and is_free(plan, original_start.date())


def due(plan: Plan, original_start: datetime) -> datetime:
    """The local time an occurrence is due. Of two nearest working days the earlier."""
    if plan.shift is None or plan.shift is Shift.SKIP or not is_free(plan, original_start.date()):
        return original_start
    moved = (original_start + timedelta(days=days) for days in OFFSETS[plan.shift])
    return next((other for other in moved if not is_free(plan, other.date())), original_start)
