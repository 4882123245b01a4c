"""Lists with filters, sorting and keyset pagination: one compiled query for every shape of request."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar
from zlib import crc32

from msgspec.json import encode
from sqlalchemy import ColumnElement, Select, Subquery, select

from todo.database import Direct, Query
from todo.listing import statements
from todo.listing.orders import Key, Orders, Sort, beyond, reversed_order
from todo.listing.statements import (
    MAX_COUNT,
    SKIPPED,
    Part,
    Shape,
    Source,
    Test,
    Where,
    after_skipped,
    counted,
    drawn,
    page_of,
    sought,
)
from todo.schema import Page, decode_cursor, encode_cursor

__all__ = ["MAX_COUNT", "Key", "Listing", "Shared", "Sort", "Source", "Test", "Where", "beyond"]
S = TypeVar("S")


class Shared(NamedTuple):
    """More rows of a list, none of which is among its others: `columns` correlated with each row of `groups`.

    Each group is read by an index of its own, as far as the page needs. `filters` and `place` are those of a group.
    """

    groups: Subquery
    columns: Select[Any]
    filters: Mapping[str, ColumnElement[bool]] = {}
    place: Any = None


class End(NamedTuple):
    """The last row that was looked through, though more may match after it."""

    item: Any


class Listing(Generic[S]):
    """Keyset pages over `columns`, and over what is `shared`. Each row becomes `into(*row)`.

    `sorts` must contain `id`, the final tie-breaker.

    `orders`, if given, are the only ones accepted, those that an index has: `created_at,id` also serves its reverse and
    its first fields alone. `leading` are fields that hardly ever tie: with a `where`, others may follow them. `ranges`
    are filters that need the order of one field, so that they read only what matches.

    With `sources`, which have all rows that match, up to `most` rows of each are read and sorted. For what passes the
    `tests`, `walk` rows are looked through, or WALK.
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
        tests: Mapping[str, Test] | None = None,
        shared: Shared | None = None,
        place: Any = None,
        sources: Sequence[Source] = (),
        most: int = 0,
        walk: int = 0,
    ):
        self._into = into
        self._columns = columns
        self._filters = filters
        self._sorts = sorts
        self._default = default
        self._orders = Orders(sorts, orders, leading, ranges)
        self._tests = tests or {}
        self._sources, self._most, self._walk = sources, most, walk
        self._parts = [Part(columns, filters, place)]
        if shared is not None:
            self._parts.append(Part(shared.columns, {**filters, **shared.filters}, shared.place, shared.groups))
        self._page = lru_cache(maxsize=500)(self._compile_page)
        self._skipping = lru_cache(maxsize=100)(self._compile_skipping)
        self._count = lru_cache(maxsize=100)(self._compile_count)
        self._keys = lru_cache(maxsize=500)(self._orders.parse)

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
        skipped: int = 0,
        **values: Any,
    ) -> Page[S]:
        """Return one page, in one round trip (two with `count`). Filters that are None do not apply.

        A cursor is good for the filters and the order it was made with; `asked` stands for filters whose values move
        with the clock. `where` is one more condition, whose parameters are among `values`. Instead of after a
        cursor, a page may begin after a number of rows that are `skipped`: their keys are read. Raise Invalid for an
        undeclared sort, one that a filter does not go with, and a foreign cursor.
        """
        chosen = {name: value for name, value in filters.items() if value is not None}
        values |= chosen
        given = frozenset(name for name in self._filters if name in values)
        sort = self._orders.sort(sort, given) or self._default
        keys = self._keys(sort, where is not None)
        order = _order(keys, asked if (chosen or where) and asked is not None else chosen)
        found = await reads.one_or_none(self._count(given, where), **values) if count else None
        if cursor is not None:
            position = decode_cursor(cursor, order, [key.sort.kind for key in keys])
            values |= {f"after_{key.name}": value for key, value in zip(keys, position, strict=True)}
        query = self._skipping(given, sort) if skipped else self._page(given, sort, cursor is not None, where)
        values |= {"skipped": skipped} if skipped else {}
        items = await reads.all(query, limit=limit + 1, **values)
        last = items[limit - 1] if len(items) > limit else None
        if items and isinstance(items[-1], End):
            last = items.pop().item
        del items[limit:]
        following = encode_cursor(order, *(key.sort.value(last) for key in keys)) if last is not None else None
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
        return reversed_order(sort or self._default)

    @property
    def walk(self) -> int:
        """Return how many rows are looked through for a page, which may end before it is full; 0 for no such pages."""
        return 0 if self._sources or not self._tests else self._walk or statements.WALK

    def check_sort(self, sort: str, field: str) -> None:
        """Raise Invalid for this field unless `page` takes the sort, with a `where`."""
        self._orders.names(sort, several=True, field=field)

    def _compile_page(self, given: frozenset[str], sort: str, after: bool, where: Where | None) -> Query[Any]:
        shape = Shape(given, self._keys(sort, where is not None), after, where)
        if self._sources or given & self._tests.keys() or (where is not None and where.split(None)[1]):
            return Query(self._sought, self._joined(shape))
        return Query(self._into, self._statement(shape))

    def _compile_skipping(self, given: frozenset[str], sort: str) -> Query[Any]:
        shape = Shape(given, self._keys(sort), False, None)
        if self._sources:
            return Query(self._sought, self._joined(shape, skips=True))
        return Query(self._into, after_skipped(self._parts[0], shape, self._sorts["id"].expression))

    def _statement(self, shape: Shape) -> Select[Any]:
        return page_of(self._parts, shape)

    def _joined(self, shape: Shape, *, skips: bool = False) -> Select[Any]:
        """A page of which only the keys are found first."""
        if self._sources:
            found = drawn(self._parts[0], shape, self._sources, self._most)
        else:
            found = sought(self._parts, shape, self._tests, self._walk or statements.WALK)
        page = (found.offset(SKIPPED) if skips else found).subquery("page")
        rows = select(*self._columns.selected_columns, page.c.shown)
        rows = rows.join(page, page.c.key_id == self._sorts["id"].expression)
        return shape.by_labels(rows, page).order_by(page.c.shown.desc())

    def _sought(self, *values: Any) -> Any:
        item = self._into(*values[:-1])
        return item if values[-1] else End(item)

    def _compile_count(self, given: frozenset[str], where: Where | None) -> Query[int | None]:
        return Query(int, counted(self._parts, Shape(given, (), False, where)))


def _order(keys: Sequence[Key], asked: object) -> str:
    """Return what a cursor is good for: an order, and the filters."""
    order = ",".join(f"-{key.name}" if key.descending else key.name for key in keys)
    return f"{order} {crc32(encode(asked, order='deterministic')):08x}" if asked else order
