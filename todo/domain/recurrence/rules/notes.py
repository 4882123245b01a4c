"""What moved a single occurrence away from what its rule wishes, in words."""

from datetime import date, datetime, timedelta

from todo.domain.recurrence.rules.clock import SECOND_PASS, is_repeated, to_instant, to_local
from todo.domain.recurrence.rules.days import OnInvalidDate, month_span
from todo.domain.recurrence.rules.grammar import Freq
from todo.domain.recurrence.rules.occurrences import due
from todo.domain.recurrence.rules.plan import Anchor, Plan
from todo.domain.recurrence.rules.timing import resumes_on
from todo.domain.recurrence.rules.words import MONTHS, ordinal


def note(plan: Plan, original_start: datetime) -> str | None:
    """What happened to this occurrence: a short month, a holiday, a clock change, a pause; None if nothing did."""
    moves = (
        _short_month(plan, original_start),
        _free_day(plan, original_start),
        _clock_change(plan, original_start),
        _pause(plan, original_start),
    )
    return "; ".join(move for move in moves if move) or None


def _short_month(plan: Plan, original_start: datetime) -> str | None:
    if plan.anchor is Anchor.COMPLETION or plan.rule.freq not in (Freq.MONTHLY, Freq.YEARLY):
        return None
    forward = plan.on_invalid_date is OnInvalidDate.FORWARD
    wished = original_start.date() - timedelta(days=1) if forward else original_start.date()
    length = month_span(wished.year, wished.month)[1]
    days = plan.explicit.by_month_day
    too_late = [day for day in days if day > length]
    moved_here = wished.day == length and not {original_start.day, original_start.day - length - 1} & set(days)
    if not (too_late and moved_here):
        return None
    month = f"{MONTHS[wished.month - 1]} {wished.year}" if too_late[0] == 29 else MONTHS[wished.month - 1]
    instead = _day(original_start) if forward else f"the {ordinal(original_start.day)}"
    return f"{month} has no {ordinal(too_late[0])}: {instead}"


def _free_day(plan: Plan, original_start: datetime) -> str | None:
    moved = due(plan, original_start)
    if moved == original_start:
        return None
    return f"{'holiday' if original_start.date() in plan.holidays else 'weekend'}: due on {_day(moved)}"


def _clock_change(plan: Plan, original_start: datetime) -> str | None:
    wished = due(plan, original_start)
    shown = to_local(to_instant(wished, plan.timezone), plan.timezone)
    if shown.date() != wished.date():
        return f"{_day(wished)} does not exist there: {_day(shown)}"
    if plan.all_day:
        return None
    if shown != wished:
        return f"{wished:%H:%M} does not exist that night: {shown:%H:%M}"
    if wished.microsecond == SECOND_PASS:
        return f"{wished:%H:%M} for the second time that night"
    if plan.rule.freq is not Freq.HOURLY and is_repeated(wished, plan.timezone):
        return f"{wished:%H:%M} comes twice that night: the first"
    return None


def _pause(plan: Plan, original_start: datetime) -> str | None:
    resumed = resumes_on(plan, original_start)
    return f"paused: opens on {_day(resumed)}" if resumed else None


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"
