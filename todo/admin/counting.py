"""Count the rows of a list, of each choice of its filters and of each step of its dates, reading a bounded number."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    table,
    true,
    union,
    union_all,
)
from sqlalchemy import (
    column as named,
)
from sqlalchemy.dialects.postgresql import OID

from todo.admin.declaration import Filter
from todo.admin.fields import Field
from todo.admin.filters import EMPTY, PERIODS, SET, TIMES, key_of
from todo.admin.lookups import CAP, Lookup
from todo.admin.reads import ALL, TableReads
from todo.database import Direct, Query
from todo.listing.statements import WALK, up_to

PG_CLASS = table("pg_class", named("oid"), named("relkind"), named("reltuples"))
PG_INHERITS = table("pg_inherits", named("inhrelid"), named("inhparent"))
MOST_COUNTED = 2_000  # rows of which each is asked for every choice of every filter
ONE: ColumnElement[Any] = literal_column("1").label("one")
Names = frozenset[str]
Values = Mapping[str, Any]


class Counts(Struct):
    """The number of matching rows, and of each filter choice, and sums; None where counting is too expensive.

    A total that is not exact is the least that was seen, or of a table without filters what the database estimates.
    """

    total: int
    exact: bool
    facets: dict[str, dict[str, int | None]]
    sums: dict[str, int | float] | None = None


class Gauge(Struct):
    """How many rows an index has for each filter, and for ALL, up to a little more than CAP."""

    sizes: dict[str, int]

    def smallest(self, names: Iterable[str]) -> str | None:
        """Return the filter, or ALL, whose index has the fewest rows: all that match are among them.

        None, if even these are more than may be read.
        """
        few = {name: self.sizes[name] for name in (ALL, *names) if self.sizes.get(name, CAP + 1) <= CAP}
        return min(few, key=lambda name: few[name]) if few else None

    def may_count(self, smallest: str) -> bool:
        """Return whether the index has so few rows that each is asked which choices it has."""
        return self.sizes[smallest] <= MOST_COUNTED


class Counting:
    """The counts of a table for one read view."""

    def __init__(self, reads: TableReads):
        self._reads, self._clauses = reads, reads.clauses
        self._model = reads.admin.model
        self._summed = [field for field in reads.fields if field.name in reads.admin.sums]
        self._gauging = lru_cache(maxsize=200)(self._gauge)
        self._counting = lru_cache(maxsize=200)(self._count)

    async def gauge(self, direct: Direct, names: Names, *, trashed: bool, values: Values) -> Gauge:
        """Ask indexes how many rows they have for each filter, in one round trip."""
        (found,) = await direct.all(self._gauging(names, trashed), **values)
        return found

    def _gauge(self, names: Names, trashed: bool) -> Query[Gauge]:
        lookups = {name: self._reads.lookup(name, trashed) for name in (ALL, *sorted(names))}
        known = {name: lookup for name, lookup in lookups.items() if lookup is not None}
        sizes = [self._size(lookup, trashed) for lookup in known.values()]
        found: Any = select(*sizes)
        return Query(lambda *row: Gauge(dict(zip(known, row, strict=True))), found)

    def _size(self, lookup: Lookup, trashed: bool) -> ColumnElement[int]:
        standing = self._clauses.standing(trashed)
        every = select(ONE).select_from(self._model).where(*standing)
        rows = [every.where(part.clause).order_by(*part.counted).limit(up_to(CAP + 1)) for part in lookup.parts]
        number = _number(union_all(*(one.subquery().select() for one in rows)))
        if not lookup.ids:
            return number
        few = and_(*(_number(one.limit(up_to(CAP + 1))) <= CAP for one in lookup.ids))
        return case((few, number), else_=CAP + 1)

    async def counts(self, direct: Direct, gauge: Gauge, names: Names, *, trashed: bool, values: Values) -> Counts:
        """Return total and facets. A facet ignores its own filter.

        Choices are counted where an index has at most MOST_COUNTED rows for one of the other filters.
        """
        every = {names, *self._groups(names)}
        smallest = {rest: one for rest in every if (one := gauge.smallest(rest)) is not None}
        size = self._known(gauge, names, smallest.get(names), trashed)
        asked = [(rest, one, gauge.may_count(one)) for rest, one in smallest.items()]
        counted = frozenset(one for one in asked if one[2] or (one[0] == names and (size is None or self._summed)))
        query, places = self._counting(names, trashed, counted, is_sampled=bool(names) and names not in smallest)
        (row,) = await direct.all(query, **values)
        estimate, sampled, *numbers = row
        found = dict(zip(places, numbers, strict=True))
        facets = self._facets(names, found)
        if names in smallest:
            sums = {field.name: _sum(field, found[names, ALL, field.name]) for field in self._summed}
            return Counts(size if size is not None else found[names, ALL, ALL], True, facets, sums)
        return Counts(self._least(names, trashed, sampled, estimate or 0), False, facets)

    def _facets(self, names: Names, found: Mapping[tuple[Names, str, str], int]) -> dict[str, dict[str, int | None]]:
        """Return the number of rows of each choice, of those that were counted."""
        facets: dict[str, dict[str, int | None]] = {}
        for rest, choices in self._groups(names).items():
            for name, value, _ in choices:
                facets.setdefault(name, {})[value] = found.get((rest, name, value))
        return facets

    def _least(self, names: Names, trashed: bool, sampled: int, estimate: int) -> int:
        """Return how many rows match at least; without filters, about how many there are."""
        if not names:
            return max(estimate, CAP)
        is_many = len(names) == 1 and self._is_alone(next(iter(names)), trashed)
        return max(sampled, CAP if is_many else 0)

    def _known(self, gauge: Gauge, names: Names, smallest: str | None, trashed: bool) -> int | None:
        """Return the number of matching rows, if the index that was asked has these and no others."""
        if smallest is None or not self._is_alone(smallest, trashed) or self._reads.asked(names, smallest, trashed):
            return None
        return gauge.sizes[smallest]

    def _is_alone(self, name: str, trashed: bool) -> bool:
        """Return whether one index has what matches a filter, and no others."""
        lookup = self._reads.lookup(name, trashed)
        return lookup is not None and lookup.is_exact and len(lookup.parts) == 1 and not lookup.ids

    def _groups(self, names: Names) -> dict[Names, list[tuple[str, str, ColumnElement[bool]]]]:
        """Return the choices to count, by the filters with which they are."""
        groups: dict[Names, list[tuple[str, str, ColumnElement[bool]]]] = {}
        for item in self._reads.admin.filters:
            name = item if isinstance(item, str) else item.name
            rest = frozenset(key for key in names if not key.startswith(f"{key_of(name)}__"))
            if choices := self._choices(item):
                groups.setdefault(rest, []).extend((name, value, clause) for value, clause in choices)
        return groups

    def _count(
        self, names: Names, trashed: bool, counted: frozenset[tuple[Names, str, bool]], *, is_sampled: bool
    ) -> tuple[Query[Any], list[tuple[Names, str, str]]]:
        """Return the statement, and what its columns count after the estimate and the sample."""
        size = estimated_rows(str(self._model.__tablename__)).scalar_subquery()
        sampled = self._sample(names, trashed) if is_sampled else literal(0)
        groups, tallies, places = self._groups(names), [], []
        for rest, smallest, has_choices in counted:
            choices = groups.get(rest, []) if has_choices else []
            summed = self._summed if rest == names else []
            tallies.append(self._tally(rest, smallest, trashed, [clause for *_, clause in choices], summed))
            places += [(rest, ALL, ALL), *((rest, name, value) for name, value, _ in choices)]
            places += [(rest, ALL, field.name) for field in summed]
        columns_of = [column for tally in tallies for column in tally.c]
        return Query(lambda *row: row, select(size, sampled, *columns_of).select_from(*tallies)), places

    def _sample(self, names: Names, trashed: bool) -> ColumnElement[int]:
        """Count what matches among the last rows in the usual order."""
        lookup = self._reads.lookup(ALL, trashed)
        order = [one.desc() for one in lookup.parts[0].order] if lookup else []
        passes = and_(*self._clauses.matching(names)).label("passes")
        rows = select(passes).select_from(self._model).where(*self._clauses.standing(trashed))
        last = rows.order_by(*order).limit(up_to(WALK)).subquery()
        return select(func.count()).select_from(last).where(last.c.passes).scalar_subquery()

    def _tally(
        self,
        names: Names,
        smallest: str,
        trashed: bool,
        choices: Sequence[ColumnElement[bool]],
        summed: Sequence[Field],
    ) -> Subquery:
        """Count the matching rows and those of each choice among the rows that an index has, and sum fields."""
        marks = [choice.label(f"choice_{number}") for number, choice in enumerate(choices)]
        numbers = [self._reads.expression(field).label(f"sum_{field.name}") for field in summed]
        rows = self.drawn(names, smallest, trashed, [*marks, *numbers])
        counted: list[Any] = [func.count().filter(rows.c[mark.name]).label(mark.name) for mark in marks]
        counted += [func.sum(rows.c[one.name]).label(one.name) for one in numbers]
        return select(func.count().label("matching"), *counted).where(rows.c.passes).subquery()

    def drawn(self, names: Names, smallest: str, trashed: bool, shown: Sequence[Any]) -> Subquery:
        """Return the rows that an index has, each once, and whether each `passes` all filters."""
        lookup = self._reads.lookup(smallest, trashed)
        parts = lookup.parts if lookup else ()
        once = [self._reads.key.label("key")] if len(parts) > 1 else []
        asked = self._reads.asked(names, smallest, trashed)
        passes = and_(true(), *self._clauses.matching(asked)).label("passes")
        columns_of = select(*once, passes, *shown).select_from(self._model).where(*self._clauses.standing(trashed))
        found = [columns_of.where(part.clause).order_by(*part.order).limit(up_to(CAP + 1)) for part in parts]
        rows = [one.subquery().select() for one in found]
        return (union(*rows) if once else rows[0]).subquery()

    def _choices(self, item: str | Filter) -> list[tuple[str, ColumnElement[bool]]]:
        """Return the choices that a facet counts. References and free texts have too many."""
        if isinstance(item, Filter):
            return list(item.choices.items())
        if item in self._reads.read_view.hidden or "." in item:  # each choice would read the related table
            return []
        field = self._reads.admin.fields[item]
        column = self._reads.expression(field)
        found: list[tuple[str, ColumnElement[bool]]] = []
        if field.kind == "choice":
            found = [(choice, column == literal(choice, column.type)) for choice in field.choices]
        elif field.kind == "boolean":
            found = [("true", column.is_(True)), ("false", column.is_(False))]
        elif field.kind in TIMES:
            ends = [
                (period, _bound(field, period, "from", column), _bound(field, period, "to", column))
                for period in PERIODS
            ]
            found = [(period, (column >= low) & (column < high)) for period, low, high in ends]
        if field.nullable:
            found += [(EMPTY, column.is_(None)), (SET, column.is_not(None))]
        return found


def _sum(field: Field, found: Any) -> int | float:
    """Return a sum as JSON has it: of whole numbers the database may answer a decimal, of no rows null."""
    return int(found or 0) if field.kind == "integer" else float(found or 0)


def _number(rows: Any) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()


def _bound(field: Field, period: str, end: str, column: ColumnElement[Any]) -> Any:
    return bindparam(f"p_{field.kind}_{period}_{end}", type_=column.type)


def estimated_rows(name: str) -> Select[Any]:
    """Return the query for the number of rows of a table, with its partitions, as of their last ANALYZE."""
    table_id = cast(func.to_regclass(name), OID)
    parts = select(PG_INHERITS.c.inhrelid).where(PG_INHERITS.c.inhparent == table_id)
    ids = func.array(union_all(select(table_id), parts).scalar_subquery(), type_=ARRAY(OID))
    rows = func.sum(func.greatest(PG_CLASS.c.reltuples, 0)).cast(BigInteger)
    return select(rows).where(PG_CLASS.c.oid == any_(ids), PG_CLASS.c.relkind != "p")
