"""The conditions of a list by the names of its parameters, and what indexes have of each."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    any_,
    bindparam,
    cast,
    false,
    literal,
    or_,
)

from todo.admin.declaration import Filter, ModelAdmin
from todo.admin.expressions import Admins, ReadView, expression_of, in_order, standing
from todo.admin.fields import Field
from todo.admin.filters import ANY, TIMES, WORDS, conditions, own_conditions
from todo.admin.lookups import Clause, Indexes, Lookup
from todo.admin.related import Step, ids_of, leads_to
from todo.database import columns, table_of

ANYWHERE, BEGINS = ("",), ("", "% ")  # what comes before the pattern of a word
SCOPE = "actor"  # the name of the scope among the filters: that of its parameter


class Clauses:
    """The conditions of one table for one read view. Every filter, and the scope, has a name."""

    def __init__(self, admin: ModelAdmin[Any], read_view: ReadView, related: Admins):
        self._admin, self._view, self._related = admin, read_view, related
        self._table = columns(admin.model)
        self._indexes = {trashed: Indexes(table_of(admin.model), standing(admin, trashed)) for trashed in (True, False)}
        self.forms = dict(self._conditions())
        numbers = range(1, WORDS + 1)
        words = {f"q_{number}": self._word(f"q_{number}", *ANYWHERE) for number in numbers}
        words |= {f"b_{number}": self._word(f"b_{number}", *BEGINS) for number in numbers}
        called = {"q_called": self._called("q", *ANYWHERE), "b_called": self._called("b", *BEGINS)}
        key = self._table["id"]
        ids = {
            "q_id": key == bindparam("q_id", type_=key.type),
            "q_ids": key == any_(bindparam("q_ids", type_=ARRAY(key.type))),
        }
        scope = {} if read_view.scope is None else {SCOPE: read_view.scope}
        self._chosen = self.forms | words | called | ids | scope
        self.lookup = cache(self._lookup)

    def names(self, given: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the conditions that are given, and of the scope."""
        joined = {name for name in given if name.startswith(ANY)}
        single = (given.keys() & self._chosen.keys()) - (self.forms.keys() if joined else set())
        return frozenset(single | joined | ({SCOPE} & self._chosen.keys()))

    def any_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameter that makes one of the given filters suffice."""
        forms = sorted(given.keys() & self.forms.keys())
        return {ANY + "|".join(forms): True} if len(forms) > 1 else {}

    def clause(self, name: str) -> Clause:
        if name.startswith(ANY):
            return or_(*(self.forms[part] for part in name.removeprefix(ANY).split("|")))
        return self._chosen[name]

    def matching(self, names: Iterable[str]) -> list[Clause]:
        """Return the conditions for matching rows, in an order that makes equal statements equal."""
        return [self.clause(name) for name in sorted(names)]

    def standing(self, trashed: bool) -> list[Clause]:
        """Return the condition for rows in the trash, or for the others."""
        found = standing(self._admin, trashed)
        return [] if found is None else [found]

    def has_order(self, order: ColumnElement[Any], trashed: bool) -> bool:
        """Return whether an index has the rows in this order."""
        return self._indexes[trashed].has_order(order)

    def along(self, names: Iterable[str], order: ColumnElement[Any], trashed: bool) -> frozenset[str]:
        """Return the filters for which an index has the rows that match in this order."""
        indexes, clauses = self._indexes[trashed], {name: self.clause(name) for name in sorted(names)}
        ranges = [name for name, clause in clauses.items() if indexes.has_range(clause, order)]
        one = [name for name, clause in clauses.items() if indexes.has_one(clause, order)][:1]
        return frozenset(ranges + one)

    def _lookup(self, name: str, trashed: bool) -> Lookup | None:
        """Return what indexes have of a condition, or None."""
        return self._indexes[trashed].lookup(self.clause(name))

    def _conditions(self) -> Iterable[tuple[str, Clause]]:
        for item in self._admin.filters:
            if isinstance(item, Filter):
                yield from ((one.key, one.clause) for one in own_conditions(item))
            elif "." in item:
                yield from self._of_related(item)
            elif item not in self._view.hidden:
                field = self._admin.fields[item]
                column = expression_of(self._admin, field)
                yield from ((one.key, one.clause) for one in conditions(field, column, self._ordered(field, column)))

    def _ordered(self, field: Field, column: ColumnElement[Any]) -> ColumnElement[Any] | None:
        """Return a time as it is sorted, where an index has it."""
        if field.kind not in TIMES or not field.nullable or field.computed:
            return None
        ordered, _ = in_order(column)
        return ordered if self.has_order(ordered, False) else None

    def _of_related(self, name: str) -> Iterable[tuple[str, Clause]]:
        """Return the conditions on rows that references lead to, of those that the actor may see."""
        scopes = dict(self._view.related)
        if name not in scopes:
            return
        steps = [
            Step(via.name, self._related[via.reference], scope)
            for via, scope in zip(self._admin.paths[name], scopes[name], strict=True)
        ]
        there = steps[-1].there
        column = expression_of(there, there.fields[name.rpartition(".")[2]])
        for one in conditions(self._admin.filtered[name], column):
            yield one.key, self._leads_to(steps, one.clause)

    def _leads_to(self, steps: Sequence[Step], asked: Clause) -> Clause:
        """Return the condition that references lead to a row that meets another, and note how it is looked up."""
        clause = leads_to(table_of(self._admin.model), steps, asked)
        ids, column = ids_of(steps, asked), self._table[steps[0].via]
        for indexes in self._indexes.values():
            indexes.note(clause, indexes.by_ids(column, ids))
        return clause

    def _word(self, name: str, *places: str, fields: Sequence[str] = ()) -> Clause:
        pattern = bindparam(name, type_=String())
        patterns = [literal(place, String()) + pattern if place else pattern for place in places]
        looked_in = [one for one in fields or self._admin.search if one not in self._view.hidden]
        return or_(false(), *(self._matches(one, pattern) for one in looked_in for pattern in patterns))

    def _called(self, kind: str, *places: str) -> Clause:
        """Return the condition for rows of a name.

        What an index has is the rows that contain the name: those with all of its trigrams may be any number of others.
        """
        field = self._admin.fields[self._admin.display]
        if field.name in self._view.hidden or field.kind not in {"text", "reference"}:
            return false()
        clause = self._matches(field.name, bindparam(f"{kind}_called", type_=String()))
        contained = self._word(f"{kind}_whole", *places, fields=[field.name])
        for indexes in self._indexes.values():
            found = indexes.lookup(contained)
            indexes.note(clause, found and found._replace(is_exact=False))
        return clause

    def _matches(self, name: str, pattern: ColumnElement[str]) -> Clause:
        """Return the condition for a field that is like this, or a reference to a row of such a name."""
        if self._admin.fields[name].kind != "reference":
            return expression_of(self._admin, self._admin.fields[name]).ilike(pattern)
        if name not in dict(self._view.displays):
            return false()
        there, scope = self._related[self._admin.fields[name].reference], dict(self._view.displays)[name]
        called = expression_of(there, there.fields["id" if there.fields[there.display].reference else there.display])
        called = called if isinstance(called.type, String) else cast(called, String)
        return self._leads_to([Step(name, there, scope)], called.ilike(pattern))
