"""Read a table for the admin: pages, single rows, counts. Every statement is compiled once for each shape."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    Alias,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    Subquery,
    any_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy import (
    column as named,
)
from sqlalchemy.sql.util import ClauseAdapter

from todo.admin.declaration import Filter, Known, ModelAdmin
from todo.admin.fields import Field
from todo.admin.filters import ANY, EMPTY, PERIODS, SET, TIMES, Condition, conditions, key_of, own_conditions
from todo.database import Direct, Query, columns
from todo.listing import Listing, Sort

CAP = 10_000  # larger counts are shown as "10,000+"
FAR_AWAY = "'9999-12-31 00:00:00+00'::timestamptz"  # sort position of rows without an instant, as in their indexes
WORDS = 5
PG_CLASS = table("pg_class", named("oid"), named("relkind"), named("reltuples"))
PG_INHERITS = table("pg_inherits", named("inhrelid"), named("inhparent"))


@dataclass(frozen=True)
class ReadView:
    """What an actor can see of a table: rows, fields, and names of referenced rows."""

    scope: ColumnElement[bool] | None
    hidden: frozenset[str]
    displays: tuple[
        tuple[str, ColumnElement[bool] | None], ...
    ]  # references that may be shown by name, with the scope of the referenced table
    related: tuple[tuple[str, ColumnElement[bool] | None], ...] = ()  # filters by related rows, with their scope
    known: tuple[tuple[str, Known], ...] = ()  # references to resources that may not be viewed


class Counts(Struct):
    """The number of matching rows, and of each filter choice; None where counting is too expensive."""

    total: int
    exact: bool
    facets: dict[str, dict[str, int | None]]


class TableReads:
    """The statements of one table for one read view."""

    def __init__(self, admin: ModelAdmin[Any], read_view: ReadView, related: Mapping[str, ModelAdmin[Any]]):
        self.admin = admin
        self.read_view = read_view
        self._related = related
        self._table = columns(admin.model)
        self._scope = [] if read_view.scope is None else [read_view.scope]
        self.fields = [field for field in admin.fields.values() if field.name not in read_view.hidden]
        self._forms = {condition.key: condition.clause for condition in self._conditions()}
        numbers = range(1, WORDS + 1)
        self._words = {f"q_{number}": self._word(f"q_{number}", "") for number in numbers}
        self._words |= {f"b_{number}": self._word(f"b_{number}", "", "% ") for number in numbers}
        row_id = self._table["id"]
        self._id = {
            "q_id": row_id == bindparam("q_id", type_=row_id.type),
            "q_ids": row_id == any_(bindparam("q_ids", type_=ARRAY(row_id.type))),
        }
        self._chosen = self._forms | self._words | self._id
        self._listings = lru_cache(maxsize=100)(self._listing)
        whole = self._select(heavy=True)
        self.row = whole.where(self._table["id"] == bindparam("row", type_=self._table["id"].type))
        self.one = Query(self.into_whole, self.row)
        self.naming = self._naming()
        self.named = Query(lambda row_id, name: (row_id, name), self.naming)
        self.counting = lru_cache(maxsize=200)(self._count)
        self._spanning = lru_cache(maxsize=50)(self._span)
        self._stepping = lru_cache(maxsize=50)(self._steps)

    def expression(self, field: Field) -> ColumnElement[Any]:
        """Return a field as SQL. A secret only shows whether it is set."""
        return expression_of(self.admin, field)

    def _select(self, *, heavy: bool) -> Select[Any]:
        shown = [field for field in self.fields if heavy or not field.heavy]
        display = cast(self.expression(self.admin.fields[self.admin.display]), String)
        displays = [self._label(name, scope) for name, scope in self.read_view.displays]
        displays += [self._label(name, one.scope, one.display) for name, one in self.read_view.known]
        return select(display, *(self.expression(field) for field in shown), *displays).where(*self._scope)

    def _label(self, name: str, scope: ColumnElement[bool] | None, display: str = "") -> ColumnElement[Any]:
        """Return the display name of a referenced row, or another field of it, if its scope allows."""
        table, called = self._referenced(name, display)
        found = select(called).where(table.c.id == self._table[name])
        return self._in_scope(found, table, name, scope).scalar_subquery()

    def _referenced(self, name: str, display: str = "") -> tuple[Alias, ColumnElement[Any]]:
        """Return the table that a reference leads to, under a name of its own, with the display name of its rows."""
        there = self._related[self.admin.fields[name].reference]
        table = there.model.__table__.alias(f"label_{name}")
        display = display or there.display
        computed = there.computed[display].expression if display in there.computed else None
        # What is itself named by a reference has no name of its own one reference further.
        own = "id" if there.fields[display].reference else display
        called = table.c[own] if computed is None else ClauseAdapter(table).traverse(computed)
        return table, cast(called, String)

    def _in_scope(self, found: Select[Any], table: Alias, name: str, scope: ColumnElement[bool] | None) -> Select[Any]:
        if scope is None:
            return found
        there = self._related[self.admin.fields[name].reference]
        return found.where(table.c.id.in_(select(columns(there.model)["id"]).where(scope)))

    def into_item(self, *row: Any) -> Struct:
        return self._into(row, heavy=False)

    def into_whole(self, *row: Any) -> Struct:
        return self._into(row, heavy=True)

    def _into(self, row: Sequence[Any], *, heavy: bool) -> Struct:
        shown = [field for field in self.fields if heavy or not field.heavy]
        values = {field.name: _read(value) for field, value in zip(shown, row[1:], strict=False)}
        for name, computed in getattr(self.admin, "computed", {}).items():
            if computed.read is not None and name in values:
                values[name] = computed.read(values[name])
        named = row[1 + len(shown) :]
        names = [name for name, _ in (*self.read_view.displays, *self.read_view.known)]
        displays = {name: label for name, label in zip(names, named, strict=True) if label is not None}
        return self.admin.out(**values, display=displays.get(self.admin.display, row[0] or ""), displays=displays)

    def _naming(self) -> Select[Any]:
        """Return the statement for the display names of `ids`."""
        key, name, scopes = self._table["id"], self.admin.display, dict(self.read_view.displays)
        display = cast(self.expression(self.admin.fields[name]), String)
        named = self._label(name, scopes[name]) if name in scopes else display
        found: Any = select(cast(key, String), func.coalesce(named, display, "")).where(
            key == any_(bindparam("ids", type_=ARRAY(key.type)))
        )
        return found.where(*self._scope)  # type: ignore[no-any-return]  # it is a select

    def _conditions(self) -> Any:
        for item in self.admin.filters:
            if isinstance(item, Filter):
                yield from own_conditions(item)
            elif "." in item:
                yield from self._of_related(item)
            elif item not in self.read_view.hidden:
                field = self.admin.fields[item]
                yield from conditions(field, self.expression(field))

    def _of_related(self, name: str) -> Iterable[Condition]:
        """Return the conditions on rows that a reference refers to, of those that the actor may see."""
        via, scopes = self.admin.via(name), dict(self.read_view.related)
        if via is None or name not in scopes:
            return
        there, scope = self._related[via.reference], scopes[name]
        column = expression_of(there, there.fields[name.partition(".")[2]])
        rows = select(columns(there.model)["id"]).where(*([] if scope is None else [scope])).correlate(None)
        for one in conditions(self.admin.filtered[name], column):
            yield Condition(one.key, self._table[via.name].in_(rows.where(one.clause)))

    def _word(self, name: str, *places: str) -> ColumnElement[bool]:
        pattern = bindparam(name, type_=String())
        patterns = [literal(place, String()) + pattern if place else pattern for place in places]
        looked_in = [name for name in self.admin.search if name not in self.read_view.hidden]
        return or_(false(), *(self._matches(name, pattern) for name in looked_in for pattern in patterns))

    def _matches(self, name: str, pattern: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition for a field that is like this, or a reference to a row of such a name."""
        if self.admin.fields[name].kind != "reference":
            return self.expression(self.admin.fields[name]).ilike(pattern)
        if name not in dict(self.read_view.displays):
            return false()
        table, called = self._referenced(name)
        found = select(table.c.id).where(called.ilike(pattern))
        return self._table[name].in_(self._in_scope(found, table, name, dict(self.read_view.displays)[name]))

    def listing(
        self, given: Mapping[str, Any], *, trashed: bool, heavy: bool = False, few: bool = False
    ) -> Listing[Struct]:
        """Return the list for these filters. `few` says that at most CAP rows match, as `counts` does."""
        names = self._names(given)
        joined = any(name.startswith(ANY) for name in names)
        return self._listings(names if joined else frozenset(), trashed, heavy, joined and few)

    def any_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameter that makes one of the given filters suffice."""
        forms = sorted(given.keys() & self._forms.keys())
        return {ANY + "|".join(forms): True} if len(forms) > 1 else {}

    def _listing(self, names: frozenset[str], trashed: bool, heavy: bool, few: bool) -> Listing[Struct]:
        """Return a list with all filters, or with those of `names`, one of which begins with ANY."""
        chosen = {name: self._clause(name, names, trashed, few) for name in names} or self._chosen
        statement = self._select(heavy=heavy).where(*self._standing(trashed))
        sorts = [name for name in ("id", *self.admin.sortable) if name not in self.read_view.hidden]
        return Listing(
            self.into_whole if heavy else self.into_item,
            statement,
            filters=chosen,
            sorts={name: self._sort(self.admin.fields[name]) for name in sorts},
            default=self.admin.sort,
        )

    def _standing(self, trashed: bool) -> list[ColumnElement[bool]]:
        if not self.admin.trash:
            return []
        deleted = self._table[self.admin.trash]
        return [deleted.is_not(None) if trashed else deleted.is_(None)]

    def _sort(self, field: Field) -> Sort:
        """Return the order by a field; references are ordered by their display names, where these may be seen."""
        if field.kind == "reference":
            scope = dict(self.read_view.displays).get(field.name, false())
            label = func.coalesce(self._label(field.name, scope), "")
            return Sort(label, str, lambda item: item.displays.get(field.name, ""))
        column = self.expression(field)
        if not field.nullable:
            return Sort(column, field.type, lambda item: getattr(item, field.name))
        place, value = _end_of(column)
        kind = str if value == "" else field.type
        return Sort(func.coalesce(column, place), kind, lambda item: _or(getattr(item, field.name), value))

    def ids(self, given: Mapping[str, Any], *, trashed: bool, after: bool) -> Select[Any]:
        """Return the ids of matching rows created by `until`, in ascending order, starting after `after`."""
        key = self._table["id"]
        found = select(key).where(*self._matching(self._names(given), trashed)).order_by(key)
        if "created_at" in self._table:
            found = found.where(self._table["created_at"] <= bindparam("until", type_=DateTime(timezone=True)))
        return found.where(key > bindparam("after", type_=key.type)) if after else found

    async def span(self, reads: Direct, given: Mapping[str, Any], *, trashed: bool, **values: Any) -> tuple[Any, Any]:
        """Return the first and last value of the date hierarchy among the matching rows."""
        (found,) = await reads.all(self._spanning(self._names(given), trashed), **values)
        return found

    async def per_step(self, reads: Direct, given: Mapping[str, Any], *, trashed: bool, **values: Any) -> list[int]:
        """Count the rows of each step in one round trip. Each count stops at CAP."""
        return await reads.all(self._stepping(self._names(given), trashed), **values)

    def _span(self, names: frozenset[str], trashed: bool) -> Query[tuple[Any, Any]]:
        moment = self._table[self.admin.date_hierarchy]
        found = select(func.min(moment), func.max(moment)).where(*self._matching(names, trashed))
        return Query(lambda first, last: (first, last), found)

    def _steps(self, names: frozenset[str], trashed: bool) -> Query[int]:
        moment = self._table[self.admin.date_hierarchy]
        bounds = [bindparam(end, type_=ARRAY(moment.type)) for end in ("lows", "highs")]
        step = func.unnest(*bounds).table_valued("low", "high", with_ordinality="place").render_derived()
        inside = (moment >= step.c.low, moment < step.c.high)
        return Query(
            int,
            select(self._capped(*self._matching(names, trashed), *inside, around=step))
            .select_from(step)
            .order_by(step.c.place),
        )

    def _names(self, given: Mapping[str, Any]) -> frozenset[str]:
        joined = {name for name in given if name.startswith(ANY)}
        return frozenset((given.keys() & self._chosen.keys()) - (self._forms.keys() if joined else set()) | joined)

    def _matching(self, names: Iterable[str], trashed: bool, *, few: bool = False) -> list[ColumnElement[bool]]:
        """Return the conditions for matching rows, in an order that makes equal statements equal."""
        clauses = [self._clause(name, names, trashed, few) for name in sorted(names)]
        return [*self._scope, *self._standing(trashed), *clauses]

    def _clause(self, name: str, names: Iterable[str], trashed: bool, few: bool) -> ColumnElement[bool]:
        """Return a condition. Where one part of it suffices, `few` asks the index of each part up to CAP + 1 rows."""
        if not name.startswith(ANY):
            found: ColumnElement[bool] = self._chosen[name]
            return found
        parts = [self._forms[part] for part in name.removeprefix(ANY).split("|")]
        if not few:
            return or_(*parts)
        key, others = self._table["id"], [one for one in names if not one.startswith(ANY)]
        rows = select(key).where(*self._matching(others, trashed)).correlate(None).limit(CAP + 1)
        return key.in_(union_all(*(rows.where(part) for part in parts)))

    def _capped(self, *where: ColumnElement[bool], around: Any = None) -> Any:
        """Count matching rows up to CAP + 1. `around` is a table that the conditions refer to."""
        found: Select[Any] = select(literal_column("1")).select_from(self.admin.model).where(*where).correlate(around)
        return select(func.count()).select_from(found.limit(CAP + 1).subquery()).scalar_subquery()

    async def counts(self, reads: Direct, given: Mapping[str, Any], *, trashed: bool, **values: Any) -> Counts:
        """Return total and facets in one round trip, reading at most CAP + 1 rows for each active filter.

        A facet ignores its own filter. When more rows match, its choices are not counted.
        """
        names = self._names(given)
        query, groups = self.counting(names, trashed)
        (row,) = await reads.all(query, **given, **values)
        estimate, total, *_ = row
        facets: dict[str, dict[str, int | None]] = {}
        numbers = iter(row[1:])
        for places in groups:
            matching = next(numbers)
            for (name, value), number in zip(places, numbers, strict=False):
                facets.setdefault(name, {})[value] = number if matching <= CAP else None
        if total <= CAP:
            return Counts(total, True, facets)
        return Counts(max(estimate, CAP) if not names and self.read_view.scope is None else CAP, False, facets)

    def _count(self, names: frozenset[str], trashed: bool) -> tuple[Query[Any], list[list[tuple[str, str]]]]:
        """Return the statement, and what its columns count in order. The total comes first."""
        groups: dict[frozenset[str], list[tuple[str, str, ColumnElement[bool]]]] = {names: []}
        for item in self.admin.filters:
            name = item if isinstance(item, str) else item.name
            rest = frozenset(key for key in names if not key.startswith(f"{key_of(name)}__"))
            if choices := self._choices(item):
                groups.setdefault(rest, []).extend((name, value, clause) for value, clause in choices)
        size = estimated_rows(str(self.admin.model.__tablename__))
        tallies = [self._tally(rest, trashed, [one[2] for one in choices]) for rest, choices in groups.items()]
        columns_of = [column for tally in tallies for column in tally.c]
        query = Query(lambda *row: row, select(size.scalar_subquery(), *columns_of).select_from(*tallies))
        return query, [[(name, value) for name, value, _ in choices] for choices in groups.values()]

    def _tally(self, names: Iterable[str], trashed: bool, choices: Sequence[ColumnElement[bool]]) -> Subquery:
        """Count the matching rows and those of each choice in one pass that ends after CAP + 1 rows."""
        marks = [choice.label(f"choice_{number}") for number, choice in enumerate(choices)]
        seen: Any = select(literal_column("1"), *marks).select_from(self.admin.model)
        rows = seen.where(*self._matching(names, trashed, few=True)).limit(CAP + 1).subquery()
        counted = [func.count().filter(rows.c[mark.name]).label(mark.name) for mark in marks]
        return select(func.count().label("matching"), *counted).select_from(rows).subquery()

    def _choices(self, item: str | Filter) -> list[tuple[str, ColumnElement[bool]]]:
        """Return the choices that a facet counts. References and free texts have too many."""
        if isinstance(item, Filter):
            return list(item.choices.items())
        if item in self.read_view.hidden or "." in item:  # each choice would read the related table
            return []
        field = self.admin.fields[item]
        column = self.expression(field)
        found: list[tuple[str, ColumnElement[bool]]] = []
        if field.kind == "choice":
            found = [(choice, column == literal(choice, column.type)) for choice in field.choices]
        elif field.kind == "boolean":
            found = [("true", column.is_(True)), ("false", column.is_(False))]
        elif field.kind in TIMES:
            found = [
                (
                    period,
                    (column >= bound(field, period, "from", column)) & (column < bound(field, period, "to", column)),
                )
                for period in PERIODS
            ]
        if field.nullable:
            found += [(EMPTY, column.is_(None)), (SET, column.is_not(None))]
        return found


def expression_of(admin: ModelAdmin[Any], field: Field) -> ColumnElement[Any]:
    """Return a field of a table as SQL. A secret only shows whether it is set."""
    column: ColumnElement[Any] = (
        admin.computed[field.name].expression if field.computed else columns(admin.model)[field.name]
    )
    if field.kind == "secret":
        return case((column.is_(None), "not set"), else_="set")
    return column


def bound(field: Field, period: str, end: str, column: ColumnElement[Any]) -> Any:
    return bindparam(f"p_{field.kind}_{period}_{end}", type_=column.type)


def estimated_rows(name: str) -> Select[Any]:
    """Return the query for the number of rows of a table, with its partitions, as of their last ANALYZE."""
    parts = select(PG_INHERITS.c.inhrelid).where(PG_INHERITS.c.inhparent == func.to_regclass(name))
    is_part = (PG_CLASS.c.oid == func.to_regclass(name)) | PG_CLASS.c.oid.in_(parts)
    rows = func.sum(func.greatest(PG_CLASS.c.reltuples, 0)).cast(BigInteger)
    return select(rows).where(is_part, PG_CLASS.c.relkind != "p")


def _read(value: Any) -> Any:
    """Decode JSON columns, which the pool returns as text and a session decodes."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _or(value: Any, instead: Any) -> Any:
    return instead if value is None else value


def _end_of(column: ColumnElement[Any]) -> tuple[Any, Any]:
    """Return the sort position of rows without a value."""
    match column.type:
        case DateTime(timezone=True):
            return literal_column(FAR_AWAY), datetime(9999, 12, 31, tzinfo=UTC)
        case DateTime():
            return literal_column("'9999-12-31 00:00:00'::timestamp"), datetime.combine(date(9999, 12, 31), time.min)
        case Date():
            return literal_column("'9999-12-31'::date"), date(9999, 12, 31)
        case BigInteger() | Integer():
            return literal_column("-1"), -1
        case Float() | Numeric():
            return literal_column("-1"), -1.0
        case Boolean():
            return literal_column("false"), False
    return literal_column("''"), ""
