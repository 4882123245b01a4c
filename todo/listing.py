"""Lists with filters, sorting and keyset pagination: one compiled query for every shape of request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from zlib import crc32

from msgspec.json import encode
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from todo.database import Direct, Query
from todo.errors import Invalid
from todo.schema import Page, decode_cursor, encode_cursor

S = TypeVar("S")
MAX_COUNT = 1_000  # a count reads no more rows than this, and one
WALK = 2_000  # rows of a list that are looked through for what many of them may have
LIMIT: Any = bindparam("limit", type_=BigInteger())


class Sort(NamedTuple):
    """A sort field: its SQL expression (never null, or pages would lose rows), its type, and its value in an item.

    `reverse`: the expression ascends where the field descends, such as `-priority`. `bound` is applied to the cursor's
    value in SQL.
    """

    expression: ColumnElement[Any]
    kind: Any
    value: Callable[[Any], Any]
    reverse: bool = False
    bound: Callable[[Any], Any] = lambda parameter: parameter


class Key(NamedTuple):
    """One part of a sort order, with the parameter that holds the cursor's value."""

    name: str
    descending: bool
    sort: Sort

    @property
    def goes_down(self) -> bool:
        """Return whether the expression descends."""
        return self.descending is not self.sort.reverse

    def past(self, *, or_equal: bool = False) -> ColumnElement[bool]:
        compare = {(True, True): le, (True, False): lt, (False, True): ge, (False, False): gt}[self.goes_down, or_equal]
        found: ColumnElement[bool] = compare(self.sort.expression, self.parameter)
        return found

    @property
    def parameter(self) -> Any:
        return self.sort.bound(bindparam(f"after_{self.name}", type_=self.sort.expression.type))


class Where(Protocol):
    """One more condition of a list. Equal ones have the same clause, so that it is compiled once.

    `place` is whose rows the clause is about, where the list has one, so that an index by it can be asked.
    """

    def __hash__(self) -> int: ...
    def clause(self, place: Any) -> ColumnElement[bool]: ...


class Shared(NamedTuple):
    """More rows of a list, none of which is among its others: `columns` correlated with each row of `groups`.

    Each group is read by an index of its own, as far as the page needs. `filters` and `place` are those of a group.
    """

    groups: Subquery
    columns: Select[Any]
    filters: Mapping[str, ColumnElement[bool]] = {}
    place: Any = None


class Listing(Generic[S]):
    """Keyset pages over `columns`, and over what is `shared`. Each row becomes `into(*row)`.

    `sorts` must contain `id`, the final tie-breaker.

    `orders`, if given, are the only ones accepted, those that an index has: `created_at,id` also serves its reverse and
    its first fields alone. `leading` are fields that hardly ever tie: with a `where`, others may follow them. `ranges`
    are filters that need the order of one field, so that they read only what matches.
    """

    def __init__(
        self,
        into: Callable[..., S],
        columns: Select[Any],
        *,
        filters: Mapping[str, ColumnElement[bool]],
        sorts: Mapping[str, Sort],
        default: str,
        orders: Sequence[str] = (),
        leading: Collection[str] = (),
        ranges: Mapping[str, str] | None = None,
        tests: Mapping[str, ColumnElement[bool]] | None = None,
        shared: Shared | None = None,
        place: Any = None,
    ):
        self._into = into
        self._shared = shared
        self._place = place
        self._columns = columns
        self._filters = filters
        self._sorts = sorts
        self._default = default
        self._orders = [*orders, *(_reversed(order) for order in orders)]
        self._leading = frozenset(leading)
        self._ranges = ranges or {}
        self._tests = tests or {}
        self._page = lru_cache(maxsize=500)(self._compile_page)
        self._count = lru_cache(maxsize=100)(self._compile_count)
        self._keys = lru_cache(maxsize=500)(self._parse)

    async def page(
        self,
        reads: Direct,
        filters: Mapping[str, Any],
        *,
        sort: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        count: bool = False,
        asked: object = None,
        where: Where | None = None,
        **values: Any,
    ) -> Page[S]:
        """Return one page, in one round trip (two with `count`). Filters that are None do not apply.

        A cursor is good for the filters and the order it was made with; `asked` stands for filters whose values move
        with the clock. `where` is one more condition, whose parameters are among `values`. Raise Invalid for an
        undeclared sort, one that a filter does not go with, and a foreign cursor.
        """
        chosen = {name: value for name, value in filters.items() if value is not None}
        values |= chosen
        given = frozenset(name for name in self._filters if name in values)
        sort = self._sort(sort, given)
        keys = self._keys(sort, where is not None)
        order = _order(keys, asked if (chosen or where) and asked is not None else chosen)
        found = await reads.one_or_none(self._count(given, where), **values) if count else None
        if cursor is not None:
            position = decode_cursor(cursor, order, [key.sort.kind for key in keys])
            values |= {f"after_{key.name}": value for key, value in zip(keys, position, strict=True)}
        items = await reads.all(self._page(given, sort, cursor is not None, where), limit=limit + 1, **values)
        more = len(items) > limit
        del items[limit:]
        following = encode_cursor(order, *(key.sort.value(items[-1]) for key in keys)) if more else None
        if found is None:
            return Page(items, following)
        return Page(items, following, min(found, MAX_COUNT), found <= MAX_COUNT)

    def cursor_of(self, item: S, filters: Mapping[str, Any], sort: str | None = None) -> str:
        """Return the cursor of the rows after an item; with `reversed_sort`, of the rows before it."""
        keys = self._keys(sort or self._default)
        chosen = {name: value for name, value in filters.items() if value is not None}
        return encode_cursor(_order(keys, chosen), *(key.sort.value(item) for key in keys))

    def reversed_sort(self, sort: str | None = None) -> str:
        """Return the opposite of a sort."""
        return _reversed(sort or self._default)

    def check_sort(self, sort: str, field: str) -> None:
        """Raise Invalid for this field unless `page` takes the sort, with a `where`."""
        self._names(sort, several=True, field=field)

    def _sort(self, sort: str | None, given: frozenset[str]) -> str:
        """Return the sort of a request, whose filters may need one."""
        needed = {self._ranges[name]: name for name in sorted(given & self._ranges.keys())}
        if len(needed) > 1:
            raise Invalid.field(f"query.{max(needed.values())}", f"Ask for {' or '.join(sorted(needed.values()))}.")
        for field, name in needed.items():
            if sort and sort.removeprefix("-") != field:
                raise Invalid.field("query.sort", f"With {name}, sort by {field} or -{field}.")
            return sort or field
        return sort or self._default

    def _parse(self, sort: str, several: bool = False) -> list[Key]:
        """Parse `-priority,due_at` into keys. `id` is appended, in the direction of the last field."""
        names = self._names(sort, several)
        return [
            Key(name.removeprefix("-"), name.startswith("-"), self._sorts[name.removeprefix("-")]) for name in names
        ]

    def _names(self, sort: str, several: bool, field: str = "query.sort") -> list[str]:
        if self._orders:
            order = next((order for order in self._orders if f"{order},".startswith(f"{sort},")), "")
            if not order and several and sort.split(",")[0].removeprefix("-") in self._leading:
                return self._several(sort, field)
            if not order:
                single = sorted({order.split(",")[0].removeprefix("-") for order in self._orders})
                longer = [order.rpartition(",")[0] for order in self._orders if order.count(",") > 1]
                raise Invalid.field(
                    field,
                    f"Sort by one of {', '.join(single)}, where `-` reverses the order, or by {', '.join(longer)}.",
                )
            return order.split(",")
        return self._several(sort, field)

    def _several(self, sort: str, field: str) -> list[str]:
        names = sort.split(",")
        unknown = [name for name in names if name.removeprefix("-") not in self._sorts]
        if unknown or len(names) > 3 or len({name.removeprefix("-") for name in names}) < len(names):
            raise Invalid.field(
                field,
                f"Sort by up to three of {', '.join(sorted(self._sorts))}, each once; `-` reverses a field.",
            )
        if "id" not in names and "-id" not in names:
            names.append("-id" if names[-1].startswith("-") else "id")
        return names

    def _compile_page(self, given: frozenset[str], sort: str, after: bool, where: Where | None) -> Query[S]:
        return Query(self._into, self._statement(given, sort, after, where))

    def _statement(self, given: frozenset[str], sort: str, after: bool, where: Where | None) -> Select[Any]:
        keys = self._keys(sort, where is not None)
        past = [beyond(keys)] if after else []
        expressions = [key.sort.expression for key in keys]
        labels = [expression.label(f"key_{number}") for number, expression in enumerate(expressions)]
        if given & self._tests.keys():
            return self._looked_up(given, keys, past, where)
        own = self._columns.where(*self._conditions(given, where), *past)
        if self._shared is None:
            return _limited(own, expressions, keys)
        own = _limited(own.add_columns(*labels), expressions, keys)
        shared = self._shared.columns.add_columns(*labels).where(
            *self._shared_conditions(self._shared, given, where), *past
        )
        found = _united(own, _limited(shared, expressions, keys), self._shared.groups, labels, keys).subquery()
        shown = select(*(found.c[column.name] for column in self._columns.selected_columns))
        return _ordered(shown, [found.c[label.name] for label in labels], keys)

    def _looked_up(
        self, given: frozenset[str], keys: list[Key], past: list[ColumnElement[bool]], where: Where | None
    ) -> Select[Any]:
        """A page of which only the keys are found first."""
        expressions = [key.sort.expression for key in keys]
        labels = [expression.label(f"key_{key.name}") for expression, key in zip(expressions, keys, strict=True)]
        narrow = self._columns.with_only_columns(*labels, maintain_column_froms=True).where(*past)
        page = self._walked(narrow, given, keys, where)
        if self._shared is not None:
            shared = self._shared.columns.with_only_columns(*labels, maintain_column_froms=True).where(
                *self._shared_conditions(self._shared, given, where), *past
            )
            page = _united(page, _limited(shared, expressions, keys), self._shared.groups, labels, keys)
        found = page.subquery("page")
        rows = select(*self._columns.selected_columns).join(found, found.c.key_id == self._sorts["id"].expression)
        return _limited(rows, [found.c[label.name] for label in labels], keys)

    def _walked(self, narrow: Select[Any], given: frozenset[str], keys: list[Key], where: Where | None) -> Select[Any]:
        """What matches of the first rows, if that is a page or all; otherwise what an index finds."""
        expressions = [key.sort.expression for key in keys]
        tests = [self._tests[name] for name in sorted(given & self._tests.keys())]
        others = self._conditions(given - self._tests.keys(), where)
        first = narrow.add_columns(and_(*tests).label("matches")).where(*others)
        rows = _ordered(first, expressions, keys).limit(WALK).cte("walked")
        columns = [column for column in rows.c if column.name != "matches"]
        page = _limited(select(*columns).where(rows.c.matches), columns, keys).cte("matching")
        matching, walked = (select(func.count()).select_from(one).scalar_subquery() for one in (page, rows))
        enough = select(or_(matching >= LIMIT, walked < WALK).label("enough")).cte("enough")
        is_enough = select(enough.c.enough).scalar_subquery()
        rest = _limited(narrow.where(*self._conditions(given, where), not_(is_enough)), expressions, keys).subquery()
        both = union_all(select(*page.c).where(is_enough), rest.select()).subquery()
        return _limited(both.select(), [*both.c], keys)

    def _conditions(self, given: frozenset[str], where: Where | None) -> list[ColumnElement[bool]]:
        return [*(self._filters[name] for name in sorted(given)), *([where.clause(self._place)] if where else [])]

    def _shared_conditions(
        self, shared: Shared, given: frozenset[str], where: Where | None
    ) -> list[ColumnElement[bool]]:
        filters = {**self._filters, **shared.filters}
        return [*(filters[name] for name in sorted(given)), *([where.clause(shared.place)] if where else [])]

    def _compile_count(self, given: frozenset[str], where: Where | None) -> Query[int | None]:
        own = _some(self._columns.where(*self._conditions(given, where)))
        if self._shared is None:
            return Query(int, select(func.count()).select_from(own.subquery()))
        theirs = _some(self._shared.columns.where(*self._shared_conditions(self._shared, given, where))).lateral(
            "theirs"
        )
        shared = select(*theirs.c).select_from(self._shared.groups.join(theirs, true())).limit(MAX_COUNT + 1)
        found = union_all(own.subquery().select(), shared.subquery().select())
        return Query(int, select(func.count()).select_from(found.subquery()))


def _limited(statement: Select[Any], order: Sequence[ColumnElement[Any]], keys: Sequence[Key]) -> Select[Any]:
    """A page of a statement in this order, which has an expression for each key."""
    return _ordered(statement, order, keys).limit(LIMIT)


def _ordered(statement: Select[Any], order: Sequence[ColumnElement[Any]], keys: Sequence[Key]) -> Select[Any]:
    return statement.order_by(*(by.desc() if key.goes_down else by.asc() for by, key in zip(order, keys, strict=True)))


def _united(
    own: Select[Any], group: Select[Any], groups: Subquery, labels: Sequence[ColumnElement[Any]], keys: Sequence[Key]
) -> Select[Any]:
    """A page of a page and of a page of each group."""
    each = group.lateral("theirs")
    names = [label.name for label in labels]
    theirs = _limited(select(*each.c).select_from(groups.join(each, true())), [each.c[name] for name in names], keys)
    both = union_all(own.subquery().select(), theirs.subquery().select()).subquery()
    return _limited(both.select(), [both.c[name] for name in names], keys)


def _some(statement: Select[Any]) -> Select[Any]:
    one: ColumnElement[Any] = literal_column("1").label("one")
    return statement.with_only_columns(one, maintain_column_froms=True).limit(MAX_COUNT + 1)


def _order(keys: Sequence[Key], asked: object) -> str:
    """Return what a cursor is good for: an order, and the filters."""
    order = ",".join(f"-{key.name}" if key.descending else key.name for key in keys)
    return f"{order} {crc32(encode(asked, order='deterministic')):08x}" if asked else order


def _reversed(order: str) -> str:
    return ",".join(name[1:] if name.startswith("-") else f"-{name}" for name in order.split(","))


def beyond(keys: list[Key]) -> ColumnElement[bool]:
    """Return the condition for rows after the cursor. In mixed directions the leading bound lets an index serve it."""
    if len({key.goes_down for key in keys}) == 1:
        here = tuple_(*(key.sort.expression for key in keys))
        there = tuple_(*(key.parameter for key in keys))
        return here < there if keys[0].goes_down else here > there
    clause = keys[-1].past()
    for key in reversed(keys[:-1]):
        clause = and_(key.past(or_equal=True), or_(key.past(), clause))
    return clause
