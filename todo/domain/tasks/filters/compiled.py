"""From a parsed filter to a condition of SQL, and the values that it is run with.

Filters that differ only in their values have the same shape, which is compiled once.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, not_, or_

from todo.domain.tasks.filters.fields import FIELDS, LOOKUPS, ORDERS, Field, Take
from todo.domain.tasks.filters.kinds import PART, Match
from todo.domain.tasks.filters.syntax import (
    MAX_LOOKUPS,
    Comparison,
    Condition,
    Filter,
    FilterError,
    Group,
    Not,
    Value,
    parse_filter,
)
from todo.domain.tasks.filters.times import Asker
from todo.domain.tasks.rules import CLOSED


class Test(Struct, frozen=True):
    field: str
    clause: str


class Denied(Struct, frozen=True):
    shape: "Shape"


class Joined(Struct, frozen=True):
    word: str
    parts: tuple["Shape", ...]


Shape: TypeAlias = Test | Denied | Joined
OPEN = Denied(Test("closed", "is"))  # what the planner must see to take an index of open tasks
EVERYTHING = Joined("and", ())


class Where(Struct, frozen=True):
    """A filter as a condition of a list."""

    shape: Shape

    def clause(self, place: Any) -> ColumnElement[bool]:
        return clause_of(self.shape, Take(place))

    def split(self, place: Any) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
        """The conditions that must hold: those without an index by place, and those with one."""
        shape, take = self.shape, Take(place)
        parts = shape.parts if isinstance(shape, Joined) and shape.word == "and" else (shape,)
        found = [(_has_index(part), clause_of(part, take)) for part in parts]  # in the order of their values
        others = [clause for has_index, clause in found if not has_index]
        return others, [clause for has_index, clause in found if has_index]


class Read(NamedTuple):
    """A filter that was read: its condition, the values of its parameters, and the sort of its list.

    `natural` is the order that an index has for its first condition, where the filter does not say one. `projects` are
    the names or ids of the projects in which everything is that it finds, where it says so.
    """

    where: Where
    values: dict[str, Any]
    sort: str | None
    natural: str | None
    projects: tuple[str, ...] | None


def read_filter(text: str, asker: Asker) -> Read:
    """Read a filter for somebody. Raises FilterError."""
    parsed, reader = parse_filter(text), _Reader(asker)
    shape = reader.shape(parsed.condition) if parsed.condition else EVERYTHING
    return Read(Where(shape), reader.values, _order(parsed.order), _natural(parsed), _projects(parsed))


class _Reader:
    """Reads the values of a filter, in the order in which `clause_of` takes them."""

    def __init__(self, asker: Asker):
        self._asker = asker
        self.values: dict[str, Any] = {}
        self._lookups = 0

    def shape(self, condition: Condition) -> Shape:
        if isinstance(condition, Not):
            return Denied(self.shape(condition.condition))
        if isinstance(condition, Group):
            return Joined(condition.word, tuple(self.shape(part) for part in condition.parts))
        return self._compared(condition)

    def _compared(self, comparison: Comparison) -> Shape:
        field = field_of(comparison)
        self._count(comparison.field)
        if comparison.operator == "has":
            return Denied(Test(field.name, "none"))
        matches = field.kind.read(comparison.operator, comparison.values, self._asker)
        for match in matches:
            for argument in match.arguments:
                self.values[f"filter_{len(self.values)}"] = argument
        tests = tuple(Test(field.name, match.clause) for match in matches)
        shape = tests[0] if len(tests) == 1 else Joined("or", tests)
        if comparison.operator == "!=":
            return Denied(shape)
        return Joined("and", (shape, OPEN)) if _is_open(field, matches) else shape

    def _count(self, name: Value) -> None:
        """Raise FilterError for too many comparisons that look something up."""
        self._lookups += name.word in LOOKUPS
        if self._lookups > MAX_LOOKUPS:
            names = ", ".join(LOOKUPS)
            raise FilterError(f"A filter has at most {MAX_LOOKUPS} comparisons of {names} together.", name.position)


def _is_open(field: Field, matches: list[Match]) -> bool:
    """Whether only open tasks can match."""
    if field.name != "status":
        return False
    ((found,),) = (match.arguments for match in matches)
    return not CLOSED & {found} if isinstance(found, str) else not CLOSED & set(found)


def field_of(comparison: Comparison) -> Field:
    """The field of a comparison, which it can be compared by. Raises FilterError."""
    name, operator = comparison.field, comparison.operator
    field = FIELDS.get(name.word)
    if field is None or (operator == "has" and "none" not in field.clauses):
        known = [one.name for one in FIELDS.values() if operator != "has" or "none" in one.clauses]
        what = "There is no field" if field is None else "`has` does not go with"
        raise FilterError(f"{what} `{name.text[:40]}`. Use one of {', '.join(known)}.", name.position)
    if operator == "has" or operator in field.kind.operators or (not operator and field.kind.name == "flag"):
        return field
    if not field.kind.operators:
        alone = f"has {field.name}" if field.kind is PART else field.name
        raise FilterError(f"Write `{alone}` or `not {alone}`, without a value.", name.position)
    operators = ", ".join(f"`{one}`" for one in field.kind.operators)
    raise FilterError(f"Compare `{field.name}` with {operators} and {field.kind.values}.", name.position)


def _order(order: tuple[Value, ...]) -> str | None:
    """The sort of a list for an `order by`. Raises FilterError."""
    names = []
    for value in order:
        name = value.word.removeprefix("-")
        if name not in ORDERS:
            raise FilterError(f"Order by {', '.join(ORDERS)}; `-` reverses a field.", value.position)
        names.append(f"{'-' if value.word.startswith('-') else ''}{ORDERS[name]}")
    return ",".join(names) or None


def _necessary(parsed: Filter) -> Iterator[Comparison]:
    """The comparisons that must hold of everything that a filter finds."""
    condition = parsed.condition
    parts = condition.parts if isinstance(condition, Group) and condition.word == "and" else (condition,)
    return (part for part in parts if isinstance(part, Comparison) and part.operator != "!=")


def _projects(parsed: Filter) -> tuple[str, ...] | None:
    for part in _necessary(parsed):
        if part.field.word == "project" and not any(value.word == "inbox" for value in part.values):
            return tuple(value.text for value in part.values)
    return None


def _natural(parsed: Filter) -> str | None:
    """The order in which an index has what the first condition finds that narrows a list."""
    for part in _necessary(parsed):
        if part.values:
            sort = ORDERS.get(part.field.word)
            if sort == "priority":
                return "-priority"
            if sort not in (None, "status") and not any(value.word == "none" for value in part.values):
                return sort
    return None


def _has_index(shape: Shape) -> bool:
    """Whether an index by place has what a shape finds."""
    if isinstance(shape, Joined):
        return (all if shape.word == "or" else any)(_has_index(part) for part in shape.parts)
    return isinstance(shape, Test) and shape.clause == "among" and shape.field in ("label", "assignee")


def clause_of(shape: Shape, take: Take) -> ColumnElement[bool]:
    """The condition of a shape, with parameters `filter_0`, `filter_1` ..., as they are taken."""
    if isinstance(shape, Test):
        return FIELDS[shape.field].clauses[shape.clause](take)
    if isinstance(shape, Denied):
        return not_(clause_of(shape.shape, take))
    parts = [clause_of(part, take) for part in shape.parts]
    return or_(*parts) if shape.word == "or" else and_(True, *parts)
