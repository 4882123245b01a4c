"""When an occurrence opens, expires or is over, and when a series is evaluated again."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from todo.domain.recurrence.rules.clock import to_instant, to_local
from todo.domain.recurrence.rules.occurrences import DAY, SLACK, due, in_pause, is_pause, over
from todo.domain.recurrence.rules.plan import MAX_OPEN, OnMissed, Opens, Plan

# Further apart than this, wall-clock times are in the order of their instants.
NEAR = 2 * DAY


class OpenOccurrence(NamedTuple):
    """An open occurrence, and the instant (UTC) from which it is late: somebody may have moved it."""

    original_start: datetime
    late_at: datetime


def unmoved(plan: Plan, original_start: datetime) -> OpenOccurrence:
    """An open occurrence that is late when its rule says."""
    return OpenOccurrence(original_start, over_at(plan, original_start))


def opens_at(plan: Plan, original_start: datetime) -> datetime:
    """The instant (UTC) an occurrence appears: its due time minus `lead` on the local clock; in a pause, the day after
    it.
    """
    resumed = resumes_on(plan, original_start)
    local = datetime.combine(resumed, time.min) if resumed else _opens_local(plan, original_start)
    return to_instant(local, plan.timezone)


def resumes_on(plan: Plan, original_start: datetime) -> date | None:
    """The day an occurrence opens on because its lead begins in a pause; None if it does not."""
    opening = _opens_local(plan, original_start).date()
    day = _after_pauses(plan, opening)
    return None if day == opening else day


def over_at(plan: Plan, original_start: datetime) -> datetime:
    """The instant (UTC) from which an occurrence is late."""
    return to_instant(over(plan, original_start), plan.timezone)


def expires_at(plan: Plan, occurrence: OpenOccurrence) -> datetime | None:
    """The instant (UTC) an open occurrence closes as missed: `expire_after` past its time, or None for never."""
    if plan.on_missed is not OnMissed.EXPIRE or plan.expire_after is None:
        return None
    return occurrence.late_at + plan.expire_after


def has_expired(plan: Plan, occurrence: OpenOccurrence, at: datetime) -> bool:
    expiry = expires_at(plan, occurrence)
    return expiry is not None and expiry <= at


def pause_ends_at(plan: Plan, now: datetime) -> datetime | None:
    """The instant (UTC) a pause is over that covers this one; None if none does."""
    today = to_local(now, plan.timezone).date()
    day = _after_pauses(plan, today)
    return None if day == today else _midnight(plan, day)


def capacity(plan: Plan) -> int:
    """How many occurrences may be open at once."""
    if plan.on_missed in (OnMissed.KEEP_ONE, OnMissed.SKIP_TO_NEXT) or plan.opens is Opens.ON_CLOSE:
        return 1
    return plan.max_open if plan.on_missed is OnMissed.BACKFILL else MAX_OPEN


def waits_for_closing(plan: Plan) -> bool:
    """Whether an occurrence waits for the open one to be closed as long as it takes, instead of being missed."""
    return plan.on_missed is OnMissed.BACKFILL and plan.opens is Opens.ON_CLOSE


def next_run_at(plan: Plan, following: datetime | None, still_open: Sequence[OpenOccurrence]) -> datetime | None:
    """The instant (UTC) at which something happens to a series by itself: its next occurrence comes, is missed or
    passes in a pause, or an open one expires.
    """
    expiries = (expires_at(plan, occurrence) for occurrence in still_open)
    comes = _evaluated_at(plan, following, still_open) if following else None
    return min((instant for instant in (comes, *expiries) if instant), default=None)


def _evaluated_at(plan: Plan, following: datetime, still_open: Sequence[OpenOccurrence]) -> datetime | None:
    if in_pause(plan, following):
        return _midnight(plan, due(plan, following).date() + DAY)
    if plan.on_missed is OnMissed.SKIP_TO_NEXT:
        free_at = max((occurrence.late_at for occurrence in still_open), default=None)
        if free_at and free_at > over_at(plan, following):  # somebody moved the open one past the next, which is missed
            return over_at(plan, following)
        return max(opens_at(plan, following), free_at or opens_at(plan, following))
    if len(still_open) < capacity(plan):
        return opens_at(plan, following)
    return None if waits_for_closing(plan) else over_at(plan, following)


class Now:
    """What has become of the occurrences of a plan at an instant."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        self.plan = plan
        self.now = now
        self.local = to_local(now, plan.timezone)
        self._awake = _last_awake(plan, now)
        self._awake_local = to_local(self._awake, plan.timezone)
        self.long_ago = min(self.local, self._awake_local) - SLACK  # what began before it has opened and is over

    def has_opened(self, original_start: datetime) -> bool:
        """Nothing opens from the first day of a pause on."""
        if original_start < self.long_ago:
            return True
        return self._is_past(_opens_local(self.plan, original_start), self._awake_local, self._awake)

    def is_over(self, original_start: datetime) -> bool:
        if original_start < self.long_ago:
            return True
        return self._is_past(over(self.plan, original_start), self.local, self.now)

    def has_passed(self, original_start: datetime) -> bool:
        """Whether the day is over on which an occurrence is due."""
        day = due(self.plan, original_start).date()
        return self._is_past(datetime.combine(day + DAY, time.min), self.local, self.now)

    def _is_past(self, local: datetime, near: datetime, instant: datetime) -> bool:
        if abs(local - near) > NEAR:
            return local < near
        return to_instant(local, self.plan.timezone) <= instant


def _opens_local(plan: Plan, original_start: datetime) -> datetime:
    return due(plan, original_start) - plan.lead


def _midnight(plan: Plan, day: date) -> datetime:
    return to_instant(datetime.combine(day, time.min), plan.timezone)


def _after_pauses(plan: Plan, day: date) -> date:
    """This day or, in a pause, the first one after it."""
    for begin, end in plan.pauses:  # sorted
        day = end + DAY if begin <= day <= end else day
    return day


def _last_awake(plan: Plan, now: datetime) -> datetime:
    """This instant or, in a pause, the last one before it."""
    today = day = to_local(now, plan.timezone).date()
    while is_pause(plan, day):
        day = min(begin for begin, end in plan.pauses if begin <= day <= end) - DAY
    return now if day == today else _midnight(plan, day + DAY) - timedelta(seconds=1)
