"""The statements of lists: a page in order, however many places its rows are in, and what few of many rows match."""

from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
    union,
    union_all,
)

from todo.listing.orders import LIMIT, Key, beyond

SKIPPED: Any = bindparam("skipped", type_=BigInteger())
MAX_COUNT = 1_000  # a count reads no more rows than this, and one
WALK = 2_000  # rows of a list that are looked through for what some of them may have
FEW = 5  # rows of each group that show which of them have most of a page
FEW_WALKED = 25  # the same, of the rows that are looked through
MOST_FOUND = 2_000  # matches of an index, which has them in no order, that are read and sorted


class Where(Protocol):
    """One more condition of a list. Equal ones have the same clause, so that it is compiled once.

    `place` is whose rows the clause is about, where the list has one, so that an index by it can be asked.
    """

    def __hash__(self) -> int: ...
    def clause(self, place: Any) -> ColumnElement[bool]: ...
    def split(self, place: Any) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
        """The clause in two: what no such index has, and what it has; without a place, this asked of each row."""
        ...


class Test(NamedTuple):
    """A filter of which every row is asked, in the order of the list; `has_index`: its other form asks an index."""

    clause: ColumnElement[bool]
    has_index: bool = True


class Source(NamedTuple):
    """Rows that an index has. Only the index has them in this order, so that the planner does not read the table."""

    clause: ColumnElement[bool]
    order: tuple[ColumnElement[Any], ...] = ()

    @property
    def counted(self) -> tuple[ColumnElement[Any], ...]:
        """The order in which they are counted: as far as possible by the index, without the table."""
        plain = tuple(takewhile(lambda one: isinstance(one, Column), self.order))
        return plain or (self.order if len(self.order) > 1 else ())


class Shape(NamedTuple):
    """What a page is asked for: the names of its filters, its order, and whether it begins after a cursor."""

    given: frozenset[str]
    keys: Sequence[Key]
    after: bool
    where: Where | None

    @property
    def past(self) -> list[ColumnElement[bool]]:
        return [beyond(self.keys)] if self.after else []

    @property
    def labels(self) -> list[Any]:
        return [key.sort.expression.label(f"key_{key.name}") for key in self.keys]

    def directed(self, source: Any = None) -> list[Any]:
        """The order, of rows of a table or of a source that has `labels`."""
        columns = [source.c[label.name] if source is not None else label.element for label in self.labels]
        return [by.desc() if key.goes_down else by.asc() for by, key in zip(columns, self.keys, strict=True)]

    def in_order(self, statement: Select[Any]) -> Select[Any]:
        return statement.order_by(*self.directed())

    def by_labels(self, statement: Select[Any], source: Any) -> Select[Any]:
        return statement.order_by(*self.directed(source))

    def number(self, source: Any = None) -> ColumnElement[int]:
        return func.row_number().over(order_by=self.directed(source))


class Part(NamedTuple):
    """Rows of a list that an index has in order, and the filters that ask another by their `place`.

    With `groups`, `columns` are correlated with each row of these.
    """

    columns: Select[Any]
    filters: Mapping[str, ColumnElement[bool]]
    place: Any = None
    groups: Subquery | None = None

    def conditions(self, shape: Shape) -> list[ColumnElement[bool]]:
        where = [shape.where.clause(self.place)] if shape.where else []
        return [*self.filtered(shape.given), *where]

    def filtered(self, given: frozenset[str]) -> list[ColumnElement[bool]]:
        return [self.filters[name] for name in sorted(given)]

    def keys(self, shape: Shape) -> Select[Any]:
        """Only the labels."""
        return self.columns.with_only_columns(*shape.labels, maintain_column_froms=True)


def page_of(parts: Sequence[Part], shape: Shape) -> Select[Any]:
    """A page of all parts."""
    if len(parts) == 1:
        (part,) = parts
        return shape.in_order(part.columns.where(*part.conditions(shape), *shape.past)).limit(LIMIT)
    pages = []
    for part in parts:
        rows = part.columns.add_columns(*shape.labels).where(*part.conditions(shape), *shape.past)
        page = shape.in_order(rows).limit(LIMIT)
        if part.groups is not None:
            page = _merged(part.groups, rows, shape, FEW, LIMIT, lambda _: LIMIT)
        read = page.subquery()
        pages.append(select(*(read.c[column.name] for column in rows.selected_columns)))
    found = union_all(*pages).subquery()
    shown = select(*(found.c[column.name] for column in parts[0].columns.selected_columns))
    return shape.by_labels(shown, found).limit(LIMIT)


def after_skipped(part: Part, shape: Shape, key: ColumnElement[Any]) -> Select[Any]:
    """A page after some rows, of which only the keys are read."""
    keys = part.columns.with_only_columns(key, maintain_column_froms=True).where(*part.conditions(shape))
    page = shape.in_order(keys).offset(SKIPPED).limit(LIMIT).correlate(None)
    return shape.in_order(part.columns.where(key.in_(page)))


def _merged(
    groups: Subquery, rows: Select[Any], shape: Shape, few: int, first: Any, more: Callable[[Any], Any]
) -> Select[Any]:
    """The first rows of all groups, and of each group that has at least a few of these, some `more`.

    A group that has fewer of the first rows has no other that is among them, so that with as many more as first rows,
    these are the first ones indeed. `ends` is true of the last row of what was cut off.
    """
    (group,) = groups.c
    each = shape.in_order(rows).limit(few).lateral("each")
    some = select(group.label("place"), *each.c, (shape.number(each) >= first).label("ends"))
    begun = shape.by_labels(some.select_from(groups.join(each, true())), each).limit(first).cte("begun")
    busy = select(begun.c.place).group_by(begun.c.place).having(func.count() >= few).cte("busy")
    most = more(busy)
    after = rows.add_columns((shape.number() >= most + few).label("ends"))
    rest = shape.in_order(after).limit(most).offset(few).lateral("rest")
    others = select(*rest.c).select_from(groups.join(rest, true())).where(group.in_(select(busy.c.place)))
    both = union_all(select(*(begun.c[column.name] for column in rest.c)), others).subquery()
    return both.select()


def sought(parts: Sequence[Part], shape: Shape, tests: Mapping[str, Test], walk: int) -> Select[Any]:
    """The keys of a page of what passes the tests, and whether each is `shown`.

    The first `walk` rows are looked through. If these do not have a page of matches, an index is asked. If there is
    none, or it has more than are sorted, the page is what was found, and the row up to which was looked follows, not
    shown.
    """
    asked = [tests[name] for name in sorted(shape.given & tests.keys())]
    others, looked_up = shape.where.split(None) if shape.where else ([], [])
    walked = _walked(parts, shape, tests.keys(), others, [*(test.clause for test in asked), *looked_up], walk)
    names = [label.name for label in shape.labels]
    keys = [walked.c[name] for name in names]
    page = shape.by_labels(select(*keys).where(walked.c.matches), walked).limit(LIMIT).cte("matching")
    end = select(*keys).where(walked.c.ends)
    is_cut = _once("cut", and_(_number(page) < LIMIT, end.exists()))
    ways = [page.select().add_columns(true().label("shown"))]
    indexed = frozenset(name for name in shape.given & tests.keys() if tests[name].has_index)
    if looked_up or indexed:
        found = _found(parts, shape, indexed, others, is_cut)
        is_found = _once("is_found", and_(is_cut, _number(found) <= MOST_FOUND))
        ways = [
            ways[0].where(not_(is_found)),
            select(*(found.c[name] for name in names), true().label("shown")).where(is_found, found.c.passes),
        ]
        is_cut = and_(is_cut, not_(is_found))
    rows = union_all(*ways, end.add_columns(false().label("shown")).where(is_cut)).subquery()
    return shape.by_labels(rows.select(), rows).order_by(rows.c.shown.desc()).limit(LIMIT)


def drawn(part: Part, shape: Shape, sources: Sequence[Source], most: int) -> Select[Any]:
    """The keys of a page of what passes the filters, of the rows of each source up to `most`."""
    passes = and_(true(), *part.conditions(shape), *shape.past).label("passes")
    keys = part.keys(shape).add_columns(passes)
    read = [keys.where(one.clause).order_by(*one.order).limit(up_to(most)).subquery().select() for one in sources]
    rows = (union(*read) if len(read) > 1 else read[0]).subquery()
    named = [rows.c[label.name] for label in shape.labels]
    return shape.by_labels(select(*named, true().label("shown")).where(rows.c.passes), rows).limit(LIMIT)


def _walked(
    parts: Sequence[Part],
    shape: Shape,
    tested: Set[str],
    others: Sequence[ColumnElement[bool]],
    tests: Sequence[ColumnElement[bool]],
    most: int,
) -> CTE:
    """The first rows of all parts, whether each `matches`, and whether it `ends` what was read."""
    walks = []
    for part in parts:
        rows = part.keys(shape).add_columns(and_(*tests).label("matches"))
        rows = rows.where(*part.filtered(shape.given - tested), *others, *shape.past)
        if part.groups is None:
            rows = shape.in_order(rows.add_columns((shape.number() >= most).label("ends"))).limit(most)
        else:
            rows = _merged(part.groups, rows, shape, FEW_WALKED, most, partial(_share, most))
        walks.append(rows.subquery().select())
    walk = union_all(*walks).subquery()
    ended = func.count().filter(walk.c.ends).over(order_by=shape.directed(walk), rows=(None, -1))
    read = shape.by_labels(walk.select().add_columns(ended.label("ended")), walk).subquery()
    return shape.by_labels(read.select().where(read.c.ended == 0), read).cte("walked")


def _share(walk: int, busy: CTE) -> Any:
    """How many more rows of each busy group are looked through."""
    return _once("share", literal(walk) // func.greatest(1, _number(busy)))


def _found(
    parts: Sequence[Part], shape: Shape, indexed: frozenset[str], others: Sequence[ColumnElement[bool]], gate: Any
) -> CTE:
    """What indexes have, in no order, up to one more than are sorted, and whether each `passes` the other filters."""
    matches = []
    for part in parts:
        passes = and_(true(), *part.filtered(shape.given - indexed), *others, *shape.past)
        looked_up = shape.where.split(part.place)[1] if shape.where else []
        rows = part.keys(shape).add_columns(passes.label("passes"))
        rows = rows.where(*part.filtered(indexed), *looked_up, gate)
        if part.groups is not None:
            each = rows.offset(literal_column("0")).lateral("each_found")  # one question of the index for each group
            rows = select(*each.c).select_from(part.groups.join(each, true())).where(gate)
        matches.append(rows.subquery().select())
    # A limit in the same query would let the planner prefer to look through all rows in their order.
    every = union_all(*matches).cte("every")
    return every.select().limit(MOST_FOUND + 1).cte("found")


def up_to(rows: int) -> Any:
    """Return a limit that the planner knows whatever it plans for."""
    return literal_column(str(rows))


def _number(of: Any) -> Any:
    return select(func.count()).select_from(of).scalar_subquery()


def _once(name: str, value: ColumnElement[Any]) -> Any:
    """A value that is computed once."""
    once = select(value.label("value")).cte(name)
    return select(once.c.value).scalar_subquery()


def counted(parts: Sequence[Part], shape: Shape) -> Select[Any]:
    """How many rows all parts have, up to one more than is counted."""
    one: ColumnElement[Any] = literal_column("1").label("one")
    counts = []
    for part in parts:
        rows = part.columns.where(*part.conditions(shape))
        some = rows.with_only_columns(one, maintain_column_froms=True).limit(MAX_COUNT + 1)
        if part.groups is not None:
            theirs = some.lateral("theirs")
            some = select(*theirs.c).select_from(part.groups.join(theirs, true())).limit(MAX_COUNT + 1)
        counts.append(some.subquery().select())
    found = union_all(*counts) if len(counts) > 1 else counts[0]
    return select(func.count()).select_from(found.subquery())
