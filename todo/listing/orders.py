"""The order of a list: what it can be sorted by, and the rows after a cursor."""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, or_, tuple_

from todo.errors import Invalid

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


class Orders:
    """The orders that a list accepts. See `Listing` for what each argument says."""

    def __init__(
        self,
        sorts: Mapping[str, Sort],
        orders: Sequence[str] = (),
        leading: Collection[str] = (),
        ranges: Mapping[str, str] | None = None,
    ):
        self._sorts = sorts
        self._orders = [*orders, *(reversed_order(order) for order in orders)]
        self._leading = frozenset(leading)
        self._ranges = ranges or {}

    def sort(self, sort: str | None, given: frozenset[str]) -> str | None:
        """Return the sort of a request, whose filters may need one."""
        needed = {self._ranges[name]: name for name in sorted(given & self._ranges.keys())}
        if len(needed) > 1:
            raise Invalid.field(f"query.{max(needed.values())}", f"Ask for {' or '.join(sorted(needed.values()))}.")
        for field, name in needed.items():
            if sort and sort.removeprefix("-") != field:
                raise Invalid.field("query.sort", f"With {name}, sort by {field} or -{field}.")
            return sort or field
        return sort

    def parse(self, sort: str, several: bool = False) -> list[Key]:
        """Parse `-priority,due_at` into keys. `id` is appended, in the direction of the last field."""
        names = self.names(sort, several)
        return [
            Key(name.removeprefix("-"), name.startswith("-"), self._sorts[name.removeprefix("-")]) for name in names
        ]

    def names(self, sort: str, several: bool, field: str = "query.sort") -> list[str]:
        """Return the fields of a sort. Raise Invalid for one that is not accepted."""
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


def reversed_order(order: str) -> str:
    """The opposite of a sort."""
    return ",".join(name[1:] if name.startswith("-") else f"-{name}" for name in order.split(","))


def beyond(keys: Sequence[Key]) -> ColumnElement[bool]:
    """Return the condition for rows after the cursor. In mixed directions the leading bound lets an index serve it."""
    if len({key.goes_down for key in keys}) == 1:
        here = tuple_(*(key.sort.expression for key in keys))
        there = tuple_(*(key.parameter for key in keys))
        return here < there if keys[0].goes_down else here > there
    clause = keys[-1].past()
    for key in reversed(keys[:-1]):
        clause = and_(key.past(or_equal=True), or_(key.past(), clause))
    return clause
