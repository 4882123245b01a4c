"""Finding tasks by words, the best match first.

Only the newest matches are ranked, so that a search takes as long with a million tasks as with a thousand. What few
tasks match, the index of words finds. What many match is looked for in the newest tasks alone (`newest.py`): the index
would return every task that has the words. Which way it goes is decided in the statement.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Subquery, and_, not_, select, union_all

from todo.database import Direct
from todo.domain.tasks.models import TASK
from todo.domain.tasks.newest import ALL, BY_AGE, FOUND_IN_ONE, MANY, Conditions, Newest, Place, may_be_common, rank
from todo.domain.tasks.queries import FILTERS, TESTS
from todo.domain.tasks.schemas import TaskDetails
from todo.listing import Listing, Sort, Where
from todo.listing.statements import Shape
from todo.schema import Instant, Page

MOST = 1_000  # matches that are ranked
_TESTS = {name: test.clause for name, test in TESTS.items()}


def _candidates(given: frozenset[str], where: Where | None, *, is_of_project: bool) -> Subquery:
    """The newest matches, each with its rank.

    The newest tasks are looked through. If many of these have the words, and few pass the filters as well, the newest
    of those that pass are. Unless that shows many matches or all, few tasks match, and the index has them.
    """

    def conditions(place: Place, tests: Mapping[str, Any] = {}) -> Conditions:
        filters = {**FILTERS, **place.filters, **tests}
        return [*(filters[name] for name in sorted(given)), *([where.clause(place.id)] if where else [])]

    may_be = may_be_common(is_of_project=is_of_project)
    all_tasks = Newest("newest", more=lambda place: conditions(place, _TESTS), gate=may_be, is_of_project=is_of_project)
    ways = [all_tasks]
    if given or where:
        gate = and_(all_tasks.found >= MANY, not_(all_tasks.is_enough))
        ways.append(Newest("passing", conditions, gate=gate, is_of_project=is_of_project))
    enough = select(*(way.is_enough.label(f"way_{number}") for number, way in enumerate(ways))).cte("enough")
    is_enough = [select(column).scalar_subquery() for column in enough.c]
    parts = []
    for way, is_it in zip(ways, is_enough, strict=True):
        matches = select(way.rows.c.match, way.rows.c.added, way.rows.c.rank).where(way.rows.c.rank.is_not(None), is_it)
        parts.append(matches.order_by(way.rows.c.added.desc(), way.rows.c.match.desc()).limit(MOST).subquery())
    place = FOUND_IN_ONE if is_of_project else ALL
    rare = (*place.tasks, place.filters["q"], *conditions(place), *(not_(one) for one in is_enough))
    found = select(TASK.id.label("match"), TASK.created_at.label("added"), TASK.words).where(*rare)
    best = found.order_by(*BY_AGE).limit(MOST).subquery()
    rated = select(best.c.match, best.c.added, rank(best.c.words).label("rank"))
    return union_all(*(part.select() for part in parts), rated).subquery("candidates")


class Search:
    """Searches of tasks with certain columns, compiled once for each shape."""

    def __init__(self, into: Callable[..., TaskDetails], columns: Select[Any]):
        self._into = into
        self._columns = columns
        self._listing = lru_cache(maxsize=300)(self._compile)

    async def page(
        self,
        reads: Direct,
        actor: UUID,
        filters: Mapping[str, Any],
        project_id: UUID | None = None,
        where: Where | None = None,
        **options: Any,
    ) -> Page[TaskDetails]:
        """The matches, the best first, then the newest. Raises Invalid for a cursor that is none of ours."""
        filters = {**filters, "inbox": True if project_id == actor else None}
        given = frozenset(name for name in FILTERS if filters.get(name) is not None) - {"q"}
        listing = self._listing(given, where, is_of_project=project_id not in (None, actor))
        return await listing.page(reads, filters, actor=actor, project_id=project_id, **options | {"sort": None})

    def _compile(self, given: frozenset[str], where: Where | None, is_of_project: bool) -> Listing[TaskDetails]:
        return Ranked(self._row, self._columns, _candidates(given, where, is_of_project=is_of_project))

    def _row(self, *values: Any) -> TaskDetails:
        task = self._into(*values[:-1])
        task.rank = values[-1]
        return task


class Ranked(Listing[TaskDetails]):
    """Pages of candidates, of which only those on a page are read as tasks."""

    def __init__(self, into: Callable[..., TaskDetails], columns: Select[Any], found: Subquery):
        sorts = {
            "rank": Sort(found.c.rank, int, lambda task: task.rank),
            "created_at": Sort(found.c.added, Instant, lambda task: task.created_at),
            "id": Sort(found.c.match, UUID, lambda task: task.id),
        }
        super().__init__(into, select(*found.c), filters={}, sorts=sorts, default="-rank,-created_at")
        self._tasks = columns

    def _statement(self, shape: Shape) -> Select[Any]:
        page = super()._statement(shape).subquery("page")
        tasks = self._tasks.add_columns(page.c.rank).join(page, page.c.match == TASK.id)
        return tasks.order_by(page.c.rank.desc(), page.c.added.desc(), page.c.match.desc())
