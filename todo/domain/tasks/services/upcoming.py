"""Occurrences that are not there yet: computed from the series, never stored."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, islice
from operator import attrgetter

from sqlalchemy import bindparam

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, now
from todo.domain.recurrence.guards import visible_to
from todo.domain.recurrence.models import SERIES, Series
from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.occurrences import occurrences
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence
from todo.domain.recurrence.services.planning import plan_of
from todo.domain.tasks.schemas import Upcoming
from todo.domain.tasks.services.occurrences import new_task_values
from todo.domain.tasks.services.series import COLUMNS, row_of
from todo.errors import Invalid

MOST = 500  # occurrences, and series looked at
SHOWN = set(Upcoming.__struct_fields__) - {"note"}
FARTHEST = timedelta(days=366)
SERIES_TO_COME = Query(
    row_of,
    COLUMNS.where(visible_to(ACTOR), SERIES.status == "active", SERIES.next_original_start.is_not(None))
    .order_by(SERIES.next_original_start)
    .limit(bindparam("limit")),
)


async def upcoming(reads: Direct, actor: Actor, until: datetime) -> tuple[list[Upcoming], bool]:
    """The next occurrences of somebody's active series due until then, soonest first, and whether there are more than
    told.

    Counted from completion, an occurrence is known once the one before is done. Raises Invalid for more than 366 days
    ahead.
    """
    if until > now() + FARTHEST:
        raise Invalid.field("query.until", f"This is more than {FARTHEST.days} days ahead.")
    series = await reads.all(SERIES_TO_COME, actor=actor.user_id, limit=MOST + 1)
    occurrences_of_all = merge(*(upcoming_occurrences(one, until) for one in series[:MOST]), key=attrgetter("due_at"))
    found = list(islice(occurrences_of_all, MOST + 1))
    return found[:MOST], len(found) > MOST or len(series) > MOST


def upcoming_occurrences(series: Series, until: datetime) -> Iterator[Upcoming]:
    """The occurrences of one series to come until then; a rule that cannot be read gives none."""
    try:
        plan = plan_of(series)
    except RuleError:
        return
    for original_start, _ in _coming(series, plan):
        values = new_task_values(series, plan, original_start)
        if values["due_at"] > until:
            return
        yield Upcoming(note=note(plan, original_start), **{name: values[name] for name in SHOWN})


def _coming(series: Series, plan: Plan) -> Iterator[PlannedOccurrence]:
    if series.next_original_start is None:
        return iter(())
    coming = PlannedOccurrence(series.next_original_start, series.next_n or 0)
    if plan.anchor is Anchor.COMPLETION:
        return iter([coming])
    return chain([coming], occurrences(plan, *coming))
