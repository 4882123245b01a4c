"""What becomes of the turns that came: the same decision on time as after a long sleep or a pause."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from todo.domain.recurrence.rules.opening import Now, is_expired, opens_at
from todo.domain.recurrence.rules.plan import MAX_OPEN, Anchor, OnMissed, Opens, Plan, Turn
from todo.domain.recurrence.rules.turns import turns

# After a long sleep only the first missed turns are told one by one, and the last ones that may still open.
MAX_LISTED = MAX_OPEN


@dataclass(frozen=True)
class Decision:
    """What to write down: turns to open, turns to record as missed, open ones to close as missed, and what comes next.

    `next` is None when the series has ended or waits for a completion. `all_listed` is False when there may be more
    missed turns than `missed` tells; then, without a count, the numbers of the last turns are too low.
    """

    opens: tuple[Turn, ...] = ()
    missed: tuple[Turn, ...] = ()
    closes: tuple[datetime, ...] = ()
    next: Turn | None = None
    all_listed: bool = True


def catch_up(plan: Plan, turn: Turn | None, open_nominals: Sequence[datetime], now: datetime) -> Decision:
    """What `on_missed` decides at the instant `now` for a series that waits for `turn` and has these turns open.

    keep_one: the open one stays, or the first that came opens; the others are missed. skip_to_next: the last that came
    opens, all before it are missed. backfill: each opens while fewer than `max_open` are open, the others are missed.
    expire: each opens whose time is not up, of the last MAX_OPEN. A series that opens on close has one open at most.
    """
    came, following, all_came = _came(plan, turn, now)
    closes = _closing(plan, open_nominals, bool(came), now)
    staying = len(open_nominals) - len(closes)
    if not came or (staying and plan.opens is Opens.ON_CLOSE):
        return Decision(closes=closes, next=turn)
    opens = _opening(plan, came, staying, now)
    opening = set(opens)
    missed = [other for other in came if other not in opening]
    listed = missed[: 2 * MAX_LISTED]
    return Decision(tuple(opens), tuple(listed), closes, following, all_came and listed == missed)


def _closing(plan: Plan, open_nominals: Sequence[datetime], came: bool, now: datetime) -> tuple[datetime, ...]:
    if plan.on_missed is OnMissed.SKIP_TO_NEXT:
        return tuple(open_nominals) if came else ()
    return tuple(nominal for nominal in open_nominals if is_expired(plan, nominal, now))


def _opening(plan: Plan, came: list[Turn], staying: int, now: datetime) -> list[Turn]:
    if plan.on_missed is OnMissed.KEEP_ONE:
        return [] if staying else came[:1]
    if plan.on_missed is OnMissed.SKIP_TO_NEXT:
        return came[-1:]
    if plan.on_missed is OnMissed.BACKFILL:
        most = 1 if plan.opens is Opens.ON_CLOSE else plan.max_open
        return came[: max(0, most - staying)]
    alive = [turn for turn in came[-MAX_OPEN:] if not is_expired(plan, turn.nominal, now)]
    return alive[-1:] if plan.opens is Opens.ON_CLOSE else alive


def _came(plan: Plan, turn: Turn | None, now: datetime) -> tuple[list[Turn], Turn | None, bool]:
    """The turns from `turn` on that have opened by now, the first that has not, and whether these are surely all."""
    if turn is None:
        return [], None, True
    if plan.anchor is Anchor.COMPLETION:
        return ([turn], None, True) if opens_at(plan, turn.nominal) <= now else ([], turn, True)
    came: list[Turn] = []
    clock = Now(plan, now)
    for candidate in chain([turn], turns(plan, *turn)):
        if not clock.has_opened(candidate.nominal):
            return came, candidate, True
        came.append(candidate)
        if plan.count is None and len(came) == MAX_LISTED:
            tail, following = _after_sleep(plan, candidate, clock)
            return came + tail, following, not tail
    return came, None, True


def _after_sleep(plan: Plan, last: Turn, clock: Now) -> tuple[list[Turn], Turn | None]:
    """The last turns that have opened and the first that has not, looked for backward from now in growing windows."""
    span = plan.expire_after or timedelta()
    begin = clock.latest
    for days in (1, 10, 100, 1_000, 10_000, 100_000):
        begin = max(last.nominal, clock.latest - span - timedelta(days=days))
        tail: deque[Turn] = deque(maxlen=MAX_OPEN)
        following = None
        for candidate in turns(plan, begin, last.n):
            if not clock.has_opened(candidate.nominal):
                following = candidate
                break
            tail.append(candidate)
        if tail or begin == last.nominal:
            return list(tail), following
    return [], None
