"""What happens to due occurrences: the same decision on time as after a downtime or a pause."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from todo.domain.recurrence.rules.occurrences import Now, is_expired, occurrences, opens_at
from todo.domain.recurrence.rules.plan import MAX_OPEN, Anchor, OnMissed, Opens, Plan, PlannedOccurrence

# After a long downtime only the first missed occurrences are listed, and the last ones that may still open.
MAX_LISTED = MAX_OPEN


@dataclass(frozen=True)
class Decision:
    """What to write down: occurrences to open, occurrences to record as missed, open ones to close as missed, and what
    comes next.

    `next` is None when the series has ended or waits for a completion. `all_listed` is False when there may be more
    missed occurrences than `missed` lists; then, without a count, the numbers of the last occurrences are too low.
    """

    opens: tuple[PlannedOccurrence, ...] = ()
    missed: tuple[PlannedOccurrence, ...] = ()
    closes: tuple[datetime, ...] = ()
    next: PlannedOccurrence | None = None
    all_listed: bool = True


def decide_missed(
    plan: Plan, occurrence: PlannedOccurrence | None, open_starts: Sequence[datetime], now: datetime
) -> Decision:
    """What `on_missed` decides at the instant `now` for a series that waits for `occurrence` and has these occurrences
    open.

    keep_one: the open one stays, or the first that came opens; the others are missed. skip_to_next: the last that came
    opens, all before it are missed. backfill: each opens while fewer than `max_open` are open, the others are missed.
    expire: each opens whose time is not up, of the last MAX_OPEN. A series that opens on close has one open at most.
    """
    came, following, all_came = _came(plan, occurrence, now)
    closes = _closing(plan, open_starts, bool(came), now)
    staying = len(open_starts) - len(closes)
    if not came or (staying and plan.opens is Opens.ON_CLOSE):
        return Decision(closes=closes, next=occurrence)
    opens = _opening(plan, came, staying, now)
    opening = set(opens)
    missed = [other for other in came if other not in opening]
    joined = missed[: 2 * MAX_LISTED]
    return Decision(tuple(opens), tuple(joined), closes, following, all_came and joined == missed)


def _closing(plan: Plan, open_starts: Sequence[datetime], came: bool, now: datetime) -> tuple[datetime, ...]:
    if plan.on_missed is OnMissed.SKIP_TO_NEXT:
        return tuple(open_starts) if came else ()
    return tuple(original_start for original_start in open_starts if is_expired(plan, original_start, now))


def _opening(plan: Plan, came: list[PlannedOccurrence], staying: int, now: datetime) -> list[PlannedOccurrence]:
    if plan.on_missed is OnMissed.KEEP_ONE:
        return [] if staying else came[:1]
    if plan.on_missed is OnMissed.SKIP_TO_NEXT:
        return came[-1:]
    if plan.on_missed is OnMissed.BACKFILL:
        most = 1 if plan.opens is Opens.ON_CLOSE else plan.max_open
        return came[: max(0, most - staying)]
    alive = [occurrence for occurrence in came[-MAX_OPEN:] if not is_expired(plan, occurrence.original_start, now)]
    return alive[-1:] if plan.opens is Opens.ON_CLOSE else alive


def _came(
    plan: Plan, occurrence: PlannedOccurrence | None, now: datetime
) -> tuple[list[PlannedOccurrence], PlannedOccurrence | None, bool]:
    """The occurrences from `occurrence` on that have opened by now, the first that has not, and whether these are
    surely all.
    """
    if occurrence is None:
        return [], None, True
    if plan.anchor is Anchor.COMPLETION:
        return (
            ([occurrence], None, True) if opens_at(plan, occurrence.original_start) <= now else ([], occurrence, True)
        )
    came: list[PlannedOccurrence] = []
    clock = Now(plan, now)
    for candidate in chain([occurrence], occurrences(plan, *occurrence)):
        if not clock.has_opened(candidate.original_start):
            return came, candidate, True
        came.append(candidate)
        if plan.count is None and len(came) == MAX_LISTED:
            tail, following = _after_sleep(plan, candidate, clock)
            return came + tail, following, not tail
    return came, None, True


def _after_sleep(
    plan: Plan, last: PlannedOccurrence, clock: Now
) -> tuple[list[PlannedOccurrence], PlannedOccurrence | None]:
    """The last occurrences that have opened and the first that has not, looked for backward from now in growing
    windows.
    """
    span = plan.expire_after or timedelta()
    begin = clock.latest
    for days in (1, 10, 100, 1_000, 10_000, 100_000):
        begin = max(last.original_start, clock.latest - span - timedelta(days=days))
        tail: deque[PlannedOccurrence] = deque(maxlen=MAX_OPEN)
        following = None
        for candidate in occurrences(plan, begin, last.n):
            if not clock.has_opened(candidate.original_start):
                following = candidate
                break
            tail.append(candidate)
        if tail or begin == last.original_start:
            return list(tail), following
    return [], None
