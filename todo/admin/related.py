"""Conditions on rows that references lead to, such as `project.owner.email` of tasks.

A row is asked by following its references, each by the key of the row that it refers to. The rows that match are found
the other way round: first the ids of the users with such an address, then of the projects that refer to one of these,
and last the tasks that refer to one of those. At most CAP rows are read each time.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import FromClause, and_, false, func, select, true, union
from sqlalchemy.sql.util import ClauseAdapter

from todo.admin.declaration import ModelAdmin
from todo.admin.expressions import in_scope, standing
from todo.admin.lookups import CAP, Clause, Ids, Indexes, Lookup
from todo.database import table_of
from todo.listing import Source
from todo.listing.statements import up_to


class Step(NamedTuple):
    """A reference: its column, and the rows that it leads to, of those in the scope of the actor."""

    via: str
    there: ModelAdmin[Any]
    scope: Clause | None


def leads_to(table: FromClause, steps: Sequence[Step], asked: Clause) -> Clause:
    """Return the condition that the references of a row lead to one that meets another condition."""
    if not steps:
        return ClauseAdapter(table).traverse(asked)
    step, *further = steps
    there = table_of(step.there.model).alias()
    found = select(leads_to(there, further, asked)).where(there.c.id == table.c[step.via])
    return func.coalesce(in_scope(found, there, step.there, step.scope).scalar_subquery(), false())


def ids_of(steps: Sequence[Step], asked: Clause) -> tuple[Ids, ...]:
    """Return the ids of the rows that each step may lead to, the last step first: those that meet a condition.

    Each other statement has the rows that refer to some of the statement before it.
    """
    step, *further = steps
    before = ids_of(further, asked) if further else ()
    table = table_of(step.there.model)
    met = and_(leads_to(table, further, asked), true() if step.scope is None else step.scope)
    rows = select(table.c.id, met.label("counts"))
    parts = _parts(step.there, table.c[further[0].via] if further else None, before, asked)
    found = [rows.where(one.clause).order_by(*one.order).limit(up_to(CAP + 1)) for one in parts]
    some = found[0] if len(found) == 1 else select(union(*(one.subquery().select() for one in found)).subquery())
    return (*before, some)


def _parts(there: ModelAdmin[Any], column: Any, ids: Sequence[Ids], asked: Clause) -> Sequence[Source]:
    """Return the rows whose column has one of some ids, or that meet a condition, as indexes have them; else all rows.

    Where indexes have only rows in the trash, or only the others, both kinds are asked for.
    """

    def lookup(indexes: Indexes) -> Lookup | None:
        return indexes.lookup(asked) if column is None else indexes.by_ids(column, ids)

    table = table_of(there.model)
    every = Indexes(table)
    kinds = [(kind, Indexes(table, kind)) for kind in map(partial(standing, there), (False, True)) if kind is not None]
    if (found := lookup(every)) or not any(lookup(indexes) for _, indexes in kinds):
        return found.parts if found else (every.every,)
    parts = [(kind, found.parts if (found := lookup(indexes)) else (indexes.every,)) for kind, indexes in kinds]
    return [part._replace(clause=and_(kind, part.clause)) for kind, some in parts for part in some]
