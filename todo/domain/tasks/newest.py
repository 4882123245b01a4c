"""The newest tasks that a person sees, looked through for words.

A person sees the tasks of many places: their own, and those of each project that is shared with them. How far back each
is read depends on how busy it is, so that what is read are the newest tasks of all, and never more than a fixed number.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    distinct,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)

from todo.database import ACTOR
from todo.domain.projects.models import PROJECT
from todo.domain.projects.queries import SHARED_PROJECTS, not_archived
from todo.domain.tasks import models
from todo.domain.tasks.models import TASK
from todo.domain.tasks.queries import (
    FILTERS,
    OF_PROJECT,
    PLACED,
    PROJECT_IS_VISIBLE,
    found,
    in_project,
    mark_of,
    words_query,
)

SAMPLE = 1_000  # of one place, the newest tasks that show whether many have the words
SOME = 20  # matches in the sample, without which few tasks have the words
NEWEST = 5_000  # tasks that are looked through for what many match; at most half as many again
LEAST = 25  # tasks of each place, however many there are
PLACES = 20  # shared projects that the index is asked for one by one
MANY = 100  # matches that are enough, though older tasks may match as well

Conditions: TypeAlias = Sequence[ColumnElement[bool]]
BY_AGE = (TASK.created_at.desc(), TASK.id.desc())
QUERY = words_query(bindparam("q", type_=Text()))
SHARED: ColumnElement[UUID] = SHARED_PROJECTS.c.project_id


class Place(NamedTuple):
    """Where tasks are: the id, which tasks, and the filters that ask an index by it."""

    id: ColumnElement[Any]
    tasks: Conditions
    filters: Mapping[str, ColumnElement[bool]]


HERE = TASK.deleted_at.is_(None)
OWN = Place(ACTOR, (TASK.owner_id == ACTOR, HERE, not_archived(TASK.project_id)), FILTERS)
EACH = Place(SHARED, (TASK.project_id == SHARED, PLACED, HERE), in_project(SHARED) | {"inbox": false()})
ONE = Place(OF_PROJECT, (TASK.project_id == OF_PROJECT, PLACED, HERE, PROJECT_IS_VISIBLE), in_project(OF_PROJECT))
# As text, so that only the index of words is asked for the project, not one that has all of its tasks.
FOUND_IN_ONE = ONE._replace(tasks=(cast(TASK.project_id, Text) == cast(OF_PROJECT, Text), HERE, PROJECT_IS_VISIBLE))


def _all() -> Place:
    """All tasks that a person sees. Of many projects, the index is asked for those of their owners: for each task that
    has the words, it compares one place after another.
    """
    marks = literal_column("' | '", Text()).op("||")
    others = PROJECT.id.in_(select(SHARED))
    of_project = select(func.string_agg(marks(mark_of(SHARED)), literal_column("''"))).correlate(None)
    owner = marks(mark_of(PROJECT.owner_id, models.OWNER_MARK))
    of_owner = select(func.string_agg(distinct(owner), literal_column("''")))
    which = case(
        (_number(SHARED_PROJECTS) <= PLACES, of_project.scalar_subquery()),
        else_=of_owner.where(others).correlate(None).scalar_subquery(),
    )
    wanted = mark_of(ACTOR, models.OWNER_MARK).op("||")(func.coalesce(which, literal_column("''")))
    mine = and_(TASK.owner_id == ACTOR, not_archived(TASK.project_id))
    seen = or_(mine, TASK.project_id.in_(select(SHARED)))
    return Place(TASK.project_id, (HERE, seen), in_project(TASK.project_id) | {"q": found(wanted)})


def _number(of: Any, *where: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(of).where(*where).correlate(None).scalar_subquery()


ALL = _all()


def rank(words: ColumnElement[Any]) -> ColumnElement[int]:
    """How well words match, as a whole number: titles count most, then labels, notes and comments."""
    return cast(func.ts_rank(words, QUERY) * literal_column("1000000"), Integer)


def over(part: Callable[[Place], Select[Any]], *, is_of_project: bool) -> Select[Any]:
    """A part of one project, or of each place that a person sees."""
    if is_of_project:
        return part(ONE)
    own, theirs = part(OWN).subquery(), part(EACH).correlate(SHARED_PROJECTS).lateral("theirs")
    shared = select(*theirs.c).select_from(SHARED_PROJECTS.join(theirs, true()))
    both = union_all(own.select(), shared).subquery()
    return both.select()


def _anything(_: Place) -> Conditions:
    return ()


class Newest:
    """The newest tasks that pass conditions: `rows` of `match`, `added` and `rank`, which is null without the words.

    A rank also needs `more` conditions; `found` is how many have the words. `is_enough`: whether these are all tasks
    that pass the conditions, or many have a rank. Nothing is read unless the `gate` is open.
    """

    def __init__(
        self,
        name: str,
        conditions: Callable[[Place], Conditions] = _anything,
        more: Callable[[Place], Conditions] = _anything,
        *,
        is_of_project: bool,
        gate: ColumnElement[bool],
    ):
        self._name = name
        self._conditions = conditions
        self._over = partial(over, is_of_project=is_of_project)
        places: Any = literal(0) if is_of_project else _number(SHARED_PROJECTS)
        least = func.greatest(LEAST, literal(NEWEST) // (places + 1))
        since, most = self._bounds(gate, self._value("each", case((and_(gate, places > 0), least), else_=0)))
        self.rows: CTE = self._over(self._rows(since, most, more)).cte(name)
        cut = select(self.rows.c.place).group_by(self.rows.c.place).having(func.count() >= most).subquery()
        is_all = and_(gate, since == literal_column(models.LONG_AGO), _number(cut) == 0)
        self.found = _number(self.rows, self.rows.c.has_words)
        self.is_enough = or_(is_all, _number(self.rows, self.rows.c.rank.is_not(None)) >= MANY)

    def _bounds(self, gate: ColumnElement[bool], each: Any) -> tuple[Any, Any]:
        """Since when tasks are looked through, and how many of a place: few, but for places that had more since."""
        keys = self._over(self._keys(each)).cte(f"{self._name}_keys")
        half = select(keys.c.added).order_by(keys.c.added.desc()).offset(_number(keys) // literal(2)).limit(1)
        # With fewer, an equal share of each place is enough.
        are_many = _number(keys) >= NEWEST // 4
        since = self._value("since", case((are_many, half.scalar_subquery()), else_=literal_column(models.LONG_AGO)))
        busy = select(keys.c.place).where(keys.c.added >= since).group_by(keys.c.place).having(func.count() >= each)
        share = func.greatest(each, literal(NEWEST) // func.greatest(1, _number(busy.subquery())))
        return since, self._value("share", case((gate, share), else_=0))

    def _value(self, name: str, value: ColumnElement[Any]) -> Any:
        """A value that is computed once."""
        once = select(value.label("value")).cte(f"{self._name}_{name}")
        return select(once.c.value).scalar_subquery()

    def _keys(self, each: Any) -> Callable[[Place], Select[Any]]:
        def keys(place: Place) -> Select[Any]:
            found = select(place.id.label("place"), TASK.created_at.label("added"))
            return found.where(*place.tasks, *self._conditions(place)).order_by(*BY_AGE).limit(each)

        return keys

    def _rows(self, since: Any, most: Any, more: Callable[[Place], Conditions]) -> Callable[[Place], Select[Any]]:
        def rows(place: Place) -> Select[Any]:
            matches = TASK.words.op("@@")(QUERY)
            rated = case((and_(matches, *more(place)), rank(TASK.words)), else_=null())
            # With two bounds, the planner expects few tasks between them.
            between = TASK.created_at.between(since, literal_column(models.FAR_AWAY))
            found = select(
                place.id.label("place"), TASK.id.label("match"), TASK.created_at.label("added"),
                matches.label("has_words"), rated.label("rank"),
            )  # fmt: skip
            return found.where(*place.tasks, between, *self._conditions(place)).order_by(*BY_AGE).limit(most)

        return rows


def may_be_common(*, is_of_project: bool) -> ColumnElement[bool]:
    """Whether many tasks may have the words, by a sample of one place; of many places, there is none."""
    place = ONE if is_of_project else OWN
    size = literal(SAMPLE) if is_of_project else case((_number(SHARED_PROJECTS) == 0, SAMPLE), else_=0)
    newest = select(TASK.words.op("@@")(QUERY).label("has_words")).where(*place.tasks).order_by(*BY_AGE).limit(size)
    rows = newest.cte("sample")
    some = _number(rows, rows.c.has_words) >= SOME
    return some if is_of_project else or_(_number(SHARED_PROJECTS) > 0, some)
