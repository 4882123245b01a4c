"""Which turn comes next: after another one, after a moment, after somebody finished one."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from todo.domain.recurrence.rules.generator import explicit, nominals
from todo.domain.recurrence.rules.grammar import Freq, Rule
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Plan, Turn
from todo.domain.recurrence.rules.shift import is_skipped

# Turns excepted or free in a row before a search gives up: an hourly rule through 83 days of holidays.
MAX_EXCLUDED = 2_000


def first(plan: Plan) -> Turn | None:
    """The first turn, at or after `start`; None if the plan never gives one."""
    if plan.anchor is Anchor.COMPLETION:
        return next(_happening(plan, _from_completion(plan, plan.start, None), 0), None)
    return next(turns(plan, None, 0), None)


def next_after(plan: Plan, nominal: datetime, n: int) -> Turn | None:
    """The turn after turn number `n` at `nominal`, of a plan that follows its schedule; None if that was the last."""
    return next(turns(plan, nominal, n), None)


def first_after(plan: Plan, moment: datetime, last: datetime | None, n: int) -> Turn | None:
    """The first turn later than this local moment and than `last`, turn number `n` (None and 0: nothing yet).

    One jump, however long ago `last` was. Only a plan with a count visits the turns between, to number them; in other
    plans the number counts on from `n`.
    """
    if plan.count is not None:
        return next((turn for turn in turns(plan, last, n) if turn.nominal > moment), None)
    return next(turns(plan, moment if last is None else max(moment, last), n), None)


def after_completion(plan: Plan, nominal: datetime, completed: datetime, n: int) -> Turn | None:
    """The turn that follows when turn number `n` is closed (done, skipped, missed) at this local moment.

    On schedule: the first one after both, so an early completion counts for its own turn and a late one jumps over what
    has passed; `backfill` jumps over nothing. From completion: a whole interval later at the nominal time of day, as
    often as it takes to come after `nominal`, then the next weekday that BYDAY allows.
    """
    if plan.anchor is Anchor.COMPLETION:
        at = completed.replace(second=0, microsecond=0)
        begin = at if plan.rule.freq is Freq.HOURLY else datetime.combine(at.date(), nominal.time())
        return next(_happening(plan, _from_completion(plan, begin, max(begin, nominal)), n), None)
    if plan.on_missed is OnMissed.BACKFILL:
        return next_after(plan, nominal, n)
    return first_after(plan, completed, nominal, n)


def turns(plan: Plan, nominal: datetime | None, n: int) -> Iterator[Turn]:
    """The turns of a schedule after turn number `n` at `nominal`; all of them after None and 0."""
    times = nominals(plan.explicit, plan.start, nominal, plan.on_invalid_date, plan.timezone)
    return _happening(plan, times, n)


def _happening(plan: Plan, times: Iterable[datetime], n: int) -> Iterator[Turn]:
    """Number the times, up to the end of the plan, and leave out what does not happen."""
    excluded = 0
    for number, nominal in enumerate(times, n + 1):
        turn = Turn(nominal, number)
        if plan.is_beyond_end(turn) or excluded == MAX_EXCLUDED:
            return
        if nominal in plan.exceptions or is_skipped(plan, nominal):
            excluded += 1
            continue
        excluded = 0
        yield turn


def _from_completion(plan: Plan, begin: datetime, after: datetime | None) -> Iterator[datetime]:
    """`begin` and every interval later, each moved forward to a weekday of BYDAY."""
    rule = explicit(Rule(plan.rule.freq, plan.rule.interval), begin)
    weekdays = {day.weekday for day in plan.rule.by_day} or set(range(7))
    last = None
    for time in nominals(rule, begin, after, plan.on_invalid_date, plan.timezone):
        days = next(days for days in range(7) if (time.weekday() + days) % 7 in weekdays)
        if (moved := time + timedelta(days=days)) != last:
            last = moved
            yield moved
