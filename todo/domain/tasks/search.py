"""Finding tasks by words, the best match first.

Only the newest matches are ranked, so that a search takes as long with a million tasks as with a thousand. What few
tasks match, the index of words finds. What many of the newest match is looked for in the newest alone: the index would
return every task that has it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from todo.database import ACTOR, Direct, table_of
from todo.domain.projects.queries import SHARED_PROJECTS, not_archived
from todo.domain.tasks import models
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import FILTERS, OF_PROJECT, in_project, mark_of, words_query
from todo.domain.tasks.schemas import TaskDetails
from todo.listing import Listing, Sort, Where
from todo.schema import Instant, Page

SAMPLE = 1_000  # the newest tasks, which show whether many match
MANY = 100  # matches in the sample
NEWEST = 5_000  # tasks that are looked through for what many match
MOST = 1_000  # matches that are ranked
LEAST = 20  # tasks of each project that are looked through, however many projects there are

Conditions: TypeAlias = Sequence[ColumnElement[bool]]
Columns: TypeAlias = Any  # of the tasks, or of an alias of them
Place: TypeAlias = Callable[[Columns], ColumnElement[bool]]  # which tasks are in it
NEWER = table_of(Task).alias("newer").c
QUERY = words_query(bindparam("q", type_=Text()))
MATCH = (TASK.id.label("match"), TASK.created_at.label("added"))  # no column of tasks has these names
BY_AGE = (TASK.created_at.desc(), TASK.id.desc())
SHARED: ColumnElement[UUID] = SHARED_PROJECTS.c.project_id


def _rank(words: ColumnElement[Any]) -> ColumnElement[int]:
    """How well words match, as a whole number: titles count most, then labels, notes and comments."""
    return cast(func.ts_rank(words, QUERY) * literal_column("1000000"), Integer).label("rank")


def _own(tasks: Columns) -> ColumnElement[bool]:
    return and_(tasks.owner_id == ACTOR, tasks.deleted_at.is_(None))


def _in(project_id: ColumnElement[Any]) -> Place:
    return lambda tasks: and_(
        tasks.project_id == project_id, tasks.project_id != tasks.owner_id, tasks.deleted_at.is_(None)
    )


def _newest(place: Place, number: Any, conditions: Conditions) -> Select[Any]:
    """What matches among the newest tasks of a place.

    With two bounds, the planner expects few tasks between them. As a truth value, a match is not looked up in an index.
    """
    edge = select(NEWER.created_at).where(place(NEWER)).order_by(NEWER.created_at.desc(), NEWER.id.desc())
    after = edge.offset(number).limit(1).correlate(SHARED_PROJECTS).scalar_subquery()
    since: Any = func.coalesce(after, literal_column(models.LONG_AGO))
    end: Any = literal_column(models.FAR_AWAY)
    matches = TASK.words.op("@@")(QUERY).is_(True)
    found = select(*MATCH, _rank(TASK.words)).where(
        place(TASK), TASK.created_at.between(since, end), matches, *conditions
    )
    return found.order_by(*BY_AGE).limit(MOST).correlate(SHARED_PROJECTS)


def _newest_of_all(number: int, conditions: Conditions) -> Select[Any]:
    """The same of one's own tasks and of those in each shared project."""
    own = _newest(_own, number, [not_archived(TASK.project_id), *conditions])
    projects = select(func.count()).select_from(SHARED_PROJECTS).correlate(None).scalar_subquery()
    each = func.greatest(LEAST, literal_column(str(number)).op("/")(func.greatest(1, projects)))
    theirs = _newest(_in(SHARED), each, conditions).lateral("theirs")
    shared = select(*theirs.c).select_from(SHARED_PROJECTS.join(theirs, true()))
    both = union_all(own.subquery().select(), shared).subquery()
    return select(*both.c)


def _marks() -> ColumnElement[Any]:
    """The words that the index has for whose tasks these are, of which each task that a person sees has one."""
    others = func.string_agg(literal_column("' | '", Text()).op("||")(mark_of(SHARED)), literal_column("''"))
    projects = select(func.coalesce(others, literal_column("''"))).correlate(None).scalar_subquery()
    return mark_of(ACTOR, models.OWNER_MARK).op("||")(projects)


def _candidates(conditions: Conditions, *, is_of_project: bool) -> Subquery:
    """The newest matches, each with its rank."""

    def newest(number: int, more: Conditions) -> Select[Any]:
        if is_of_project:
            return _newest(_in(OF_PROJECT), number, [visible_to(ACTOR), *more])
        return _newest_of_all(number, more)

    marks = mark_of(OF_PROJECT) if is_of_project else _marks()
    sample = newest(SAMPLE, conditions).subquery()
    many = select((func.count() >= MANY).label("many")).select_from(sample).cte("sample")
    are_many = select(many.c.many).scalar_subquery()
    rare = [not_(are_many), visible_to(ACTOR), *conditions, *([] if is_of_project else [not_archived(TASK.project_id)])]
    matches = TASK.words.op("@@")(cast(marks, TSQUERY).op("&&")(QUERY))
    found = select(*MATCH, TASK.words).where(TASK.deleted_at.is_(None), matches, *rare)
    best = found.order_by(*BY_AGE).limit(MOST).subquery()
    rated = select(best.c.match, best.c.added, _rank(best.c.words))
    common = newest(NEWEST, [are_many, *conditions]).subquery()
    return union_all(common.select(), rated).subquery("candidates")


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
        given = frozenset(name for name, value in filters.items() if value is not None) - {"q"}
        listing = self._listing(given, where, is_of_project=project_id not in (None, actor))
        return await listing.page(reads, filters, actor=actor, project_id=project_id, **options | {"sort": None})

    def _compile(self, given: frozenset[str], where: Where | None, is_of_project: bool) -> Listing[TaskDetails]:
        filters = FILTERS | in_project(TASK.project_id)
        conditions = [filters[name] for name in sorted(given)] + ([where.clause(TASK.project_id)] if where else [])
        return Ranked(self._row, self._columns, _candidates(conditions, is_of_project=is_of_project))

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

    def _statement(self, *shape: Any) -> Select[Any]:
        page = super()._statement(*shape).subquery("page")
        tasks = self._tasks.add_columns(page.c.rank).join(page, page.c.match == TASK.id)
        return tasks.order_by(page.c.rank.desc(), page.c.added.desc(), page.c.match.desc())
