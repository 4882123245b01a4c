"""Read a table for the admin: pages and single rows. Every statement is compiled once for each shape."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import ARRAY, ColumnElement, DateTime, Select, String, any_, bindparam, cast, false, func, select, true

from todo.admin.clauses import Clauses
from todo.admin.declaration import ModelAdmin
from todo.admin.expressions import ReadView, expression_of, in_order, in_scope, referenced
from todo.admin.fields import Field
from todo.admin.lookups import CAP, Lookup
from todo.database import Query, columns
from todo.listing import Listing, Sort, Source, Test

UNINDEXED = 100_000  # rows that are looked through for what no index has
ALL = ""  # names all rows of a list without filters


class Way(NamedTuple):
    """How the rows of a list are found.

    With a `smallest` filter, or ALL, the rows that its index has are read and sorted. Otherwise rows are read in the
    order of the list, in which an index has those that match `along`; where others have to match as well, the first
    rows in this order are looked through.
    """

    along: frozenset[str] = frozenset()
    smallest: str | None = None


DIRECT = Way()


class TableReads:
    """The statements of one table for one read view."""

    def __init__(self, admin: ModelAdmin[Any], read_view: ReadView, related: Mapping[str, ModelAdmin[Any]]):
        self.admin = admin
        self.read_view = read_view
        self._related = related
        self.clauses = Clauses(admin, read_view, related)
        self.table = columns(admin.model)
        self.key = self.table["id"]
        self._scope = [] if read_view.scope is None else [read_view.scope]
        self.fields = [field for field in admin.fields.values() if field.name not in read_view.hidden]
        self._sorts = {
            name: self._sort(admin.fields[name]) for name in ("id", *admin.sortable) if name not in read_view.hidden
        }
        self._listings = lru_cache(maxsize=500)(self._listing)
        self.row = self._select(heavy=True).where(*self._scope, self.key == bindparam("row", type_=self.key.type))
        self.one = Query(self.into_whole, self.row)
        self.naming = self._naming()
        self.named = Query(lambda row_id, name: (row_id, name), self.naming)

    @cached_property
    def rows(self) -> Select[Any]:
        """Return the statement for the rows with the ids `rows`."""
        ids = bindparam("rows", type_=ARRAY(self.key.type))
        return self._select(heavy=True).where(*self._scope, self.key == any_(ids))

    def expression(self, field: Field) -> ColumnElement[Any]:
        """Return a field as SQL. A secret only shows whether it is set."""
        known = self.admin.computed[field.name].known if field.name in self.read_view.partly else None
        return expression_of(self.admin, field) if known is None else known

    def _select(self, *, heavy: bool) -> Select[Any]:
        shown = [field for field in self.fields if heavy or not field.heavy]
        display = cast(self.expression(self.admin.fields[self.admin.display]), String)
        displays = [self._label(name, scope) for name, scope in self.read_view.displays]
        displays += [self._label(name, one.scope, one.display) for name, one in self.read_view.known]
        return select(display, *(self.expression(field) for field in shown), *displays)

    def _label(self, name: str, scope: ColumnElement[bool] | None, display: str = "") -> ColumnElement[Any]:
        """Return the display name of a referenced row, or another field of it, if its scope allows."""
        there = self._related[self.admin.fields[name].reference]
        table, called = referenced(there, name, display)
        found = select(called).where(table.c.id == self.table[name])
        return in_scope(found, table, there, scope).scalar_subquery()

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
        key, name, scopes = self.key, self.admin.display, dict(self.read_view.displays)
        display = cast(self.expression(self.admin.fields[name]), String)
        named = self._label(name, scopes[name]) if name in scopes else display
        found: Any = select(cast(key, String), func.coalesce(named, display, "")).where(
            key == any_(bindparam("ids", type_=ARRAY(key.type)))
        )
        return found.where(*self._scope)  # type: ignore[no-any-return]  # it is a select

    def way(self, names: frozenset[str], sort: str, *, trashed: bool) -> Way | None:
        """Return the way to read a list in an order that an index has, or None."""
        (name, *others) = [one.removeprefix("-") for one in (sort or self.admin.sort).split(",")]
        if name not in self._sorts or [one for one in others if one != "id"]:
            return None
        order = self._sorts[name].expression
        if not self.clauses.has_order(order, trashed):
            return None
        return Way(self.clauses.along(names, order, trashed))

    def listing(
        self, given: Mapping[str, Any], *, trashed: bool, heavy: bool = False, way: Way = DIRECT
    ) -> Listing[Struct]:
        """Return the list for these filters."""
        return self._listings(self.clauses.names(given), trashed, heavy, way)

    def _listing(self, names: frozenset[str], trashed: bool, heavy: bool, way: Way) -> Listing[Struct]:
        lookup = None if way.smallest is None else self.lookup(way.smallest, trashed)
        chosen = {name: self.clauses.clause(name) for name in self.asked(names, way.smallest, trashed)}
        tested = names - way.along if way.smallest is None else frozenset()
        return Listing(
            self.into_whole if heavy else self.into_item,
            self._select(heavy=heavy).where(*self.clauses.standing(trashed)),
            filters=chosen,
            sorts=self._sorts,
            default=self.admin.sort,
            tests={name: Test(chosen[name], has_index=False) for name in tested},
            sources=lookup.parts if lookup else (),
            most=CAP + 1,
            walk=0 if self._has_indexes(tested, trashed) else UNINDEXED,
        )

    def asked(self, names: frozenset[str], smallest: str | None, trashed: bool) -> frozenset[str]:
        """Return the filters that rows are asked for, which the index of the smallest has not answered."""
        lookup = None if smallest is None else self.lookup(smallest, trashed)
        return names - {smallest} if lookup and lookup.is_exact else names

    def _has_indexes(self, names: frozenset[str], trashed: bool) -> bool:
        """Return whether an index was asked for each filter. Without one, more rows are looked through."""
        return all(self.clauses.lookup(name, trashed) is not None for name in names)

    def lookup(self, name: str, trashed: bool) -> Lookup | None:
        """Return what indexes have of a filter, or of ALL rows, in their usual order where an index has it."""
        if name != ALL:
            return self.clauses.lookup(name, trashed)
        usual = self._sorts[self.admin.sort.partition(",")[0].removeprefix("-")].expression
        return Lookup((Source(true(), (usual,) if self.clauses.has_order(usual, trashed) else ()),))

    def _sort(self, field: Field) -> Sort:
        """Return the order by a field; references are ordered by their display names, where these may be seen."""
        if field.kind == "reference":
            scope = dict(self.read_view.displays).get(field.name, false())
            label = func.coalesce(self._label(field.name, scope), "")
            return Sort(label, str, lambda item: item.displays.get(field.name, ""))
        column = self.expression(field)
        if not field.nullable:
            return Sort(column, field.type, lambda item: getattr(item, field.name))
        ordered, value = in_order(column)
        kind = str if value == "" else field.type
        return Sort(ordered, kind, lambda item: _or(getattr(item, field.name), value))

    def ids(self, given: Mapping[str, Any], *, trashed: bool, after: bool) -> Select[Any]:
        """Return the ids of matching rows created by `until`, in ascending order, starting after `after`."""
        names, key = self.clauses.names(given), self.key
        found = select(key).where(*self.clauses.standing(trashed), *self.clauses.matching(names)).order_by(key)
        if "created_at" in self.table:
            found = found.where(self.table["created_at"] <= bindparam("until", type_=DateTime(timezone=True)))
        return found.where(key > bindparam("after", type_=key.type)) if after else found


def _read(value: Any) -> Any:
    """Decode JSON columns, which the pool returns as text and a session decodes."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _or(value: Any, instead: Any) -> Any:
    return instead if value is None else value
