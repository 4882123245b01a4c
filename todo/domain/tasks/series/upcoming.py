"""The occurrences to come, computed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, case, func, select, true, union_all

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, now
from todo.domain.projects.queries import SHARED_PROJECTS, not_archived
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.occurrences import due_at, in_pause, occurrences
from todo.domain.recurrence.rules.plan import Anchor, OnMissed, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import capacity
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import Upcoming
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.queries import COLUMNS, row_of
from todo.errors import Invalid

MOST = 500  # occurrences, and series evaluated
SHOWN = set(Upcoming.__struct_fields__) - {"note", "blocked_by"}
FARTHEST = timedelta(days=366)
DATE = case((SERIES.repeats_by == "start", TASK.start), else_=TASK.due)  # of the task, by which the series repeats
_open = select(OCCURRENCE.task_id, OCCURRENCE.original_start, DATE.label("date"), func.count().over().label("number"))
_open = _open.outerjoin_from(Occurrence, Task, TASK.id == OCCURRENCE.task_id).where(
    OCCURRENCE.series_id == SERIES.id, OCCURRENCE.status == "open"
)
FIRST_OPEN = _open.order_by(OCCURRENCE.original_start).limit(1).lateral("first_open")


class Coming(NamedTuple):
    """A series that goes on, its first open occurrence, and how many are open."""

    series: Series
    task_id: UUID | None
    original_start: datetime | None
    date: Any
    number: int | None

    def blocked_by(self) -> UUID | None:
        """The task that must be closed before another occurrence opens, once that task is late."""
        plan = self.series.plan()
        frees_itself = plan.on_missed in (OnMissed.SKIP_TO_NEXT, OnMissed.EXPIRE)
        if self.original_start is None or frees_itself or (self.number or 0) < capacity(plan):
            return None
        moment = msgspec.json.decode(self.date) if self.date else None
        first = self.series.open_occurrence(plan, self.original_start, moment)
        return self.task_id if first.late_at <= now() else None


# By their ids, so that an index finds those of both kinds.
VISIBLE = union_all(
    select(SERIES.id).where(SERIES.owner_id == ACTOR, not_archived(SERIES.project_id)),
    select(SERIES.id).join(SHARED_PROJECTS, SERIES.project_id == SHARED_PROJECTS.c.project_id),
)
SERIES_TO_COME = Query(
    lambda *values: Coming(row_of(*values[:-4]), *values[-4:]),
    COLUMNS.add_columns(*FIRST_OPEN.c)
    .outerjoin(FIRST_OPEN, true())
    .where(SERIES.id.in_(VISIBLE), SERIES.status == "active", SERIES.next_original_start.is_not(None))
    .order_by(SERIES.next_original_start)
    .limit(bindparam("limit")),
)


async def upcoming(reads: Direct, actor: Actor, until: datetime) -> tuple[list[Upcoming], bool]:
    """The next occurrences of a person's active series due until then, soonest first, and whether there are more.

    Counted from completion, an occurrence is known once the one before is done. Raises Invalid for more than 366 days
    ahead.
    """
    if until > now() + FARTHEST:
        raise Invalid.field("query.until", f"This is more than {FARTHEST.days} days ahead.")
    series = await reads.all(SERIES_TO_COME, actor=actor.user_id, limit=MOST + 1)
    occurrences_of_all = merge(*(upcoming_occurrences(one, until) for one in series[:MOST]), key=itemgetter(0))
    found = [occurrence for _, occurrence in islice(occurrences_of_all, MOST + 1)]
    return found[:MOST], len(found) > MOST or len(series) > MOST


def upcoming_occurrences(coming: Coming, until: datetime) -> Iterator[tuple[datetime, Upcoming]]:
    """The occurrences of one series to come until then, and when, but none in a pause; a rule that cannot be read gives
    none.
    """
    series = coming.series
    try:
        plan, blocked_by = series.plan(), coming.blocked_by()
    except RuleError:
        return
    for original_start, _ in _coming(series, plan):
        if (at := due_at(plan, original_start)) > until:
            return
        if in_pause(plan, original_start):
            continue
        values = {"due": None, "due_at": None} | series.new_task_values(plan, original_start)
        yield (
            at,
            Upcoming(note=note(plan, original_start), blocked_by=blocked_by, **{name: values[name] for name in SHOWN}),
        )


def _coming(series: Series, plan: Plan) -> Iterator[PlannedOccurrence]:
    coming = series.coming
    if coming is None or plan.anchor is Anchor.COMPLETION:
        return iter([coming] if coming else [])
    return chain([coming], occurrences(plan, *coming))


def next_starts(series: Series, most: int) -> list[str]:
    """The original starts to come of an active series, at most so many; none for a rule that cannot be read."""
    if series.status != "active":
        return []
    try:
        plan = series.plan()
    except RuleError:
        return []
    happening = (start for start, _ in _coming(series, plan) if not in_pause(plan, start))
    return [written(start, all_day=series.kind == "day") for start in islice(happening, most)]
