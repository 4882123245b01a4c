"""What happens to due occurrences: the same decision on time as after a downtime."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.occurrences import SLACK, after_completion, in_pause, occurrences
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import (
    Now,
    OpenOccurrence,
    capacity,
    expires_at,
    has_expired,
    over_at,
    unmoved,
    waits_for_closing,
)

# A month of hours, two years of days. After a longer downtime the first of these are listed, and what may still open.
MAX_LISTED = 800
JUMPS = (MAX_LISTED, 3 * MAX_LISTED)
NEVER = datetime(1, 1, 1)
WINDOWS = (1, 10, 100, 1_000, 10_000, 100_000)  # days


@dataclass(frozen=True)
class Decision:
    """What to write down: occurrences to open, to record as missed or as paused, and open ones to close as missed.

    `last` is the last that has come, `next` the one to wait for, None when the series has ended or waits for a
    completion. `all_listed` is False when more was missed than is listed; then, without a count, numbers are too low.
    """

    opens: tuple[PlannedOccurrence, ...] = ()
    missed: tuple[PlannedOccurrence, ...] = ()
    paused: tuple[PlannedOccurrence, ...] = ()
    closes: tuple[datetime, ...] = ()
    last: PlannedOccurrence | None = None
    next: PlannedOccurrence | None = None
    all_listed: bool = True


def decide_missed(
    plan: Plan,
    occurrence: PlannedOccurrence | None,
    still_open: Sequence[OpenOccurrence],
    now: datetime,
    last: PlannedOccurrence | None = None,
    *,
    is_paused: bool = False,
) -> Decision:
    """What has happened by the instant `now` to a series that waits for `occurrence` and has these occurrences open,
    `last` the last of them.

    The answer does not depend on when the series was evaluated before. An occurrence opens at its time unless
    too many are open; then it waits, and is missed once it is over. keep_one: one may be open, and stays. skip_to_next:
    an open one that is late closes as missed when the next comes; moved past the next, it stays, and that is missed.
    backfill: `max_open` may be open. expire: an open one closes as missed `expire_after` past its time. With `on_close`
    one may be open; with backfill the next then waits as long as it takes. What is due in a pause never opens, and is
    recorded when its day is over. `is_paused`: the series as a whole was paused until now, so nothing opens that is
    over.
    """
    evaluation = _Evaluation(plan, now, still_open, is_paused)
    coming = evaluation.coming(occurrence, last)
    following = next(coming, None)
    while following:
        following = evaluation.miss(following, coming)
        if following is None or not evaluation.take(following):
            break
        if evaluation.is_long():
            coming = evaluation.latest(following)
        following = next(coming, None)
    return evaluation.decision(following)


class _Evaluation:
    """What has happened so far to the occurrences that came, taken one after another."""

    def __init__(self, plan: Plan, now: datetime, still_open: Sequence[OpenOccurrence], is_paused: bool) -> None:
        self.plan = plan
        self.now = Now(plan, now)
        self.is_paused = is_paused
        self.capacity = capacity(plan)
        self.open = list(still_open)
        self.opened: dict[datetime, PlannedOccurrence] = {}
        self.missed: list[PlannedOccurrence] = []
        self.paused: list[PlannedOccurrence] = []
        self.closed: list[datetime] = []
        self.last: PlannedOccurrence | None = None
        self.jumps = 0

    def coming(
        self, occurrence: PlannedOccurrence | None, last: PlannedOccurrence | None
    ) -> Iterator[PlannedOccurrence]:
        """The occurrences to take, from the one that the series waits for on."""
        if self.plan.anchor is Anchor.COMPLETION:
            return self._from_completion(occurrence, last)
        return chain([occurrence], occurrences(self.plan, *occurrence)) if occurrence else iter(())

    def is_long(self) -> bool:
        """Whether it is time to jump: a count needs every occurrence, to number it."""
        return self.plan.count is None and len(self.missed) + len(self.opened) + len(self.paused) >= self._limit()

    def _limit(self) -> int:
        can_jump = self.plan.count is None and self.jumps < len(JUMPS)
        return JUMPS[self.jumps] if can_jump else sys.maxsize

    def latest(self, taken: PlannedOccurrence) -> Iterator[PlannedOccurrence]:
        """The last occurrences that have come, and those after them, looked for backward from now in growing windows.

        What is left out is missed; at the second jump, of very many, also what would still be open.
        """
        longest = timedelta() if self.jumps else self.plan.expire_after or timedelta()
        self.jumps += 1
        if self.plan.anchor is Anchor.COMPLETION:
            return iter(())
        end = self.now.local - longest - SLACK
        for days in WINDOWS:
            begin = max(taken.original_start, end - timedelta(days=days))
            found = next(occurrences(self.plan, begin, taken.n), None)
            # what is due in a pause never opens, but is over
            if begin == taken.original_start or (found and self._has_come(found.original_start)):
                break
        return occurrences(self.plan, begin, taken.n)

    def _has_come(self, start: datetime) -> bool:
        return self.now.has_opened(start) or self.now.is_over(start)

    def miss(self, occurrence: PlannedOccurrence, coming: Iterator[PlannedOccurrence]) -> PlannedOccurrence | None:
        """Note at once what is surely missed, which is most of what came in a long downtime; the first that is not."""
        before, most = self._missed_before(), self._limit()
        following: PlannedOccurrence | None = occurrence
        while following and following.original_start < before and len(self.missed) < most:
            self.missed.append(following)
            following = next(coming, None)
        if following is not occurrence:
            self.last = self.missed[-1]
            if self.plan.on_missed is OnMissed.SKIP_TO_NEXT:
                self.take(self.missed.pop())
        return following

    def take(self, occurrence: PlannedOccurrence) -> bool:
        """Note what has become of the next occurrence; False when nothing has yet."""
        start = occurrence.original_start
        if self.is_paused or in_pause(self.plan, start):
            has_passed = self.now.is_over(start) if self.is_paused else self.now.has_passed(start)
            if has_passed:
                self.paused.append(occurrence)
                self.last = occurrence
            return has_passed
        if self.now.has_opened(start) and self._may_open(start):
            self._open(occurrence)
        elif waits_for_closing(self.plan) or not self.now.is_over(start):
            return False
        else:
            self.missed.append(occurrence)
        self.last = occurrence
        return True

    def decision(self, following: PlannedOccurrence | None) -> Decision:
        for occurrence in self._expired():
            self._close(occurrence)
        opens, missed = tuple(self.opened.values()), tuple(sorted(self.missed))
        return Decision(opens, missed, tuple(self.paused), tuple(self.closed), self.last, following, not self.jumps)

    def _missed_before(self) -> datetime:
        """What began before this moment is surely missed, with skip_to_next but the last of it."""
        plan, long_ago = self.plan, self.now.long_ago
        if plan.pauses or self.is_paused or plan.anchor is Anchor.COMPLETION or waits_for_closing(plan):
            return NEVER
        if plan.on_missed is OnMissed.SKIP_TO_NEXT:
            return long_ago
        is_full, length = len(self.open) >= self.capacity, plan.expire_after
        if plan.on_missed is OnMissed.EXPIRE and length is not None:
            if is_full:
                return min(long_ago, to_local(self._first_late().late_at, plan.timezone) + length - SLACK)
            return long_ago - length if self.capacity > 1 else NEVER
        return long_ago if is_full else NEVER

    def _may_open(self, start: datetime) -> bool:
        """Whether this occurrence may open, once those are closed that are late or have expired before it is late."""
        if not self.open:
            return True
        in_time = min(self.now.now, over_at(self.plan, start))
        if self.plan.on_missed is OnMissed.SKIP_TO_NEXT:
            if any(other.late_at > in_time for other in self.open):
                return False
            self._close_all()
            return True
        while len(self.open) >= self.capacity and has_expired(self.plan, first := self._first_late(), in_time):
            self._close(first)
        return len(self.open) < self.capacity

    def _expired(self) -> list[OpenOccurrence]:
        return [occurrence for occurrence in self.open if has_expired(self.plan, occurrence, self.now.now)]

    def _first_late(self) -> OpenOccurrence:
        return min(self.open, key=attrgetter("late_at"))

    def _open(self, occurrence: PlannedOccurrence) -> None:
        self.open.append(unmoved(self.plan, occurrence.original_start))
        self.opened[occurrence.original_start] = occurrence

    def _close_all(self) -> None:
        for occurrence in list(self.open):
            self._close(occurrence)

    def _close(self, occurrence: OpenOccurrence) -> None:
        self.open.remove(occurrence)
        if occurrence.original_start in self.opened:
            self.missed.append(self.opened.pop(occurrence.original_start))
        else:
            self.closed.append(occurrence.original_start)

    def _from_completion(
        self, occurrence: PlannedOccurrence | None, last: PlannedOccurrence | None
    ) -> Iterator[PlannedOccurrence]:
        """One, and another one after it when it is paused or expires."""
        while occurrence := occurrence or self._after_expiry(last):
            yield occurrence
            last, begun = occurrence, occurrence.original_start
            is_paused = bool(self.paused) and self.paused[-1] == occurrence
            occurrence = after_completion(self.plan, begun, begun, occurrence.n) if is_paused else None

    def _after_expiry(self, last: PlannedOccurrence | None) -> PlannedOccurrence | None:
        if last is None or not self.open or len(self._expired()) < len(self.open):
            return None
        expiry = expires_at(self.plan, max(self.open, key=attrgetter("late_at")))
        self._close_all()
        closed_at = to_local(expiry, self.plan.timezone) if expiry else last.original_start
        return after_completion(self.plan, last.original_start, closed_at, last.n)
