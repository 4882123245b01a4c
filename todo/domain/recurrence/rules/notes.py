"""What moved a single occurrence away from what its rule wishes, in words."""

from datetime import datetime, timedelta

from todo.domain.recurrence.rules.clock import SECOND_PASS, is_repeated, to_instant, to_local
from todo.domain.recurrence.rules.days import OnInvalidDate, month_span
from todo.domain.recurrence.rules.grammar import Freq
from todo.domain.recurrence.rules.languages import ENGLISH
from todo.domain.recurrence.rules.occurrences import due
from todo.domain.recurrence.rules.phrases import Phrases
from todo.domain.recurrence.rules.plan import Anchor, Plan
from todo.domain.recurrence.rules.timing import resumes_on


def note(plan: Plan, original_start: datetime, say: Phrases = ENGLISH) -> str | None:
    """What happened to this occurrence: a short month, a holiday, a clock change, a pause; None if nothing did."""
    moves = (
        _short_month(plan, original_start, say),
        _free_day(plan, original_start, say),
        _clock_change(plan, original_start, say),
        _pause(plan, original_start, say),
    )
    return "; ".join(move for move in moves if move) or None


def _short_month(plan: Plan, original_start: datetime, say: Phrases) -> str | None:
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
    return say.lacks(wished, too_late[0], original_start.date(), leap=too_late[0] == 29)


def _free_day(plan: Plan, original_start: datetime, say: Phrases) -> str | None:
    moved = due(plan, original_start)
    if moved == original_start:
        return None
    return say.due_on(moved, holiday=original_start.date() in plan.holidays)


def _clock_change(plan: Plan, original_start: datetime, say: Phrases) -> str | None:
    wished = due(plan, original_start)
    shown = to_local(to_instant(wished, plan.timezone), plan.timezone)
    if shown.date() != wished.date():
        return say.no_such_day(wished, shown)
    if plan.all_day:
        return None
    if shown != wished:
        return say.no_such_time(f"{wished:%H:%M}", f"{shown:%H:%M}")
    if wished.microsecond == SECOND_PASS:
        return say.second_time(f"{wished:%H:%M}")
    if plan.rule.freq is not Freq.HOURLY and is_repeated(wished, plan.timezone):
        return say.first_time(f"{wished:%H:%M}")
    return None


def _pause(plan: Plan, original_start: datetime, say: Phrases) -> str | None:
    resumed = resumes_on(plan, original_start)
    return say.paused(resumed) if resumed else None
