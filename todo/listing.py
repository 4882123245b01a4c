"""Lists with filters, sorting and keyset pagination: one compiled query for every shape of request."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, func, or_, select, tuple_

from todo.database import Direct, Query
from todo.errors import Invalid
from todo.schema import Page, decode_cursor, encode_cursor

S = TypeVar("S")


class Sort(NamedTuple):
    """A sort field: its SQL expression (never null, or pages would lose rows), its type, and its value in an item."""

    expression: ColumnElement[Any]
    kind: Any
    value: Callable[[Any], Any]


class Key(NamedTuple):
    """One part of a sort order, with the parameter that holds the cursor's value."""

    name: str
    descending: bool
    sort: Sort

    def past(self, *, or_equal: bool = False) -> ColumnElement[bool]:
        compare = {(True, True): le, (True, False): lt, (False, True): ge, (False, False): gt}[
            self.descending, or_equal
        ]
        found: ColumnElement[bool] = compare(self.sort.expression, self.parameter)
        return found

    @property
    def parameter(self) -> Any:
        return bindparam(f"after_{self.name}", type_=self.sort.expression.type)


class Listing(Generic[S]):
    """Keyset pages over `columns`. Each row becomes `into(*row)`. `sorts` must contain `id`, the final tie-breaker."""

    def __init__(
        self,
        into: Callable[..., S],
        columns: Select[Any],
        *,
        filters: Mapping[str, ColumnElement[bool]],
        sorts: Mapping[str, Sort],
        default: str,
    ):
        self._into = into
        self._columns = columns
        self._filters = filters
        self._sorts = sorts
        self._default = default
        self._page = lru_cache(maxsize=500)(self._compile_page)
        self._count = lru_cache(maxsize=100)(self._compile_count)

    async def page(
        self,
        reads: Direct,
        filters: Mapping[str, Any],
        *,
        sort: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        count: bool = False,
        **values: Any,
    ) -> Page[S]:
        """Return one page, in one round trip (two with `count`). Filters that are None do not apply.

        Raise Invalid for an undeclared field, and for a cursor that belongs to another order.
        """
        sort = sort or self._default
        keys = self._keys(sort)
        order = ",".join(f"-{key.name}" if key.descending else key.name for key in keys)
        values |= {name: value for name, value in filters.items() if value is not None}
        given = frozenset(name for name in self._filters if name in values)
        total = {"total": await reads.one_or_none(self._count(given), **values) or 0} if count else {}
        if cursor is not None:
            position = decode_cursor(cursor, order, [key.sort.kind for key in keys])
            values |= {f"after_{key.name}": value for key, value in zip(keys, position, strict=True)}
        items = await reads.all(self._page(given, sort, cursor is not None), limit=limit + 1, **values)
        more = len(items) > limit
        del items[limit:]
        following = encode_cursor(order, *(key.sort.value(items[-1]) for key in keys)) if more else None
        return Page(items, following, **total)

    def _keys(self, sort: str) -> list[Key]:
        """Parse `-priority,due_at` into keys. `id` is appended, in the direction of the last field."""
        names = sort.split(",")
        unknown = [name for name in names if name.removeprefix("-") not in self._sorts]
        if unknown or len(names) > 3 or len({name.removeprefix("-") for name in names}) < len(names):
            raise Invalid.field(
                "query.sort",
                f"Sort by up to three of {', '.join(sorted(self._sorts))}, each once; `-` reverses a field.",
            )
        if "id" not in names and "-id" not in names:
            names.append("-id" if names[-1].startswith("-") else "id")
        return [
            Key(name.removeprefix("-"), name.startswith("-"), self._sorts[name.removeprefix("-")]) for name in names
        ]

    def _compile_page(self, given: frozenset[str], sort: str, after: bool) -> Query[S]:
        keys = self._keys(sort)
        statement = self._columns.where(*(self._filters[name] for name in sorted(given)))
        if after:
            statement = statement.where(beyond(keys))
        columns = [key.sort.expression.desc() if key.descending else key.sort.expression.asc() for key in keys]
        return Query(self._into, statement.order_by(*columns).limit(bindparam("limit", type_=BigInteger())))

    def _compile_count(self, given: frozenset[str]) -> Query[int]:
        matching = self._columns.where(*(self._filters[name] for name in sorted(given))).subquery()
        return Query(int, select(func.count()).select_from(matching))


def beyond(keys: list[Key]) -> ColumnElement[bool]:
    """Return the condition for rows after the cursor. In mixed directions the leading bound lets an index serve it."""
    if len({key.descending for key in keys}) == 1:
        here = tuple_(*(key.sort.expression for key in keys))
        there = tuple_(*(key.parameter for key in keys))
        return here < there if keys[0].descending else here > there
    clause = keys[-1].past()
    for key in reversed(keys[:-1]):
        clause = and_(key.past(or_equal=True), or_(key.past(), clause))
    return clause
