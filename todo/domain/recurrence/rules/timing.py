"""When an occurrence is due, appears and expires: from original start to instants."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from todo.domain.recurrence.rules.clock import to_instant, to_local
from todo.domain.recurrence.rules.plan import OnMissed, Opens, Plan
from todo.domain.recurrence.rules.shift import REACH, due

DAY = timedelta(days=1)
# How far an occurrence may open from its original start minus lead: free days, and the whole day that Apia's clocks
# left out.
SLACK = timedelta(days=REACH + 2)


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

    While one is open, a series that opens on close waits for somebody to close it, unless the next one takes its place.
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
    """Which occurrences of a plan have opened at an instant. A pause counts as sleep: nothing opens from its first day
    on.
    """

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
