"""The fields of a table as SQL: as they are shown, and as they are sorted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import (
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
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.util import ClauseAdapter

from todo.admin.declaration import Known, ModelAdmin
from todo.admin.fields import Field
from todo.database import columns

FAR_AWAY = "'9999-12-31 00:00:00+00'::timestamptz"  # sort position of rows without an instant, as in their indexes
Admins = Mapping[str, ModelAdmin[Any]]


@dataclass(frozen=True)
class ReadView:
    """What an actor can see of a table: rows, fields, and names of referenced rows."""

    scope: ColumnElement[bool] | None
    hidden: frozenset[str]
    displays: tuple[
        tuple[str, ColumnElement[bool] | None], ...
    ]  # references that may be shown by name, with the scope of the referenced table
    related: tuple[
        tuple[str, tuple[ColumnElement[bool] | None, ...]], ...
    ] = ()  # filters by related rows, with the scope of the resource that each reference leads to
    known: tuple[tuple[str, Known], ...] = ()  # references to resources that may not be viewed
    partly: frozenset[str] = frozenset()  # computed fields that name rows of such resources


def expression_of(admin: ModelAdmin[Any], field: Field) -> ColumnElement[Any]:
    """Return a field of a table as SQL. A secret only shows whether it is set."""
    column: ColumnElement[Any] = (
        admin.computed[field.name].expression if field.computed else columns(admin.model)[field.name]
    )
    if field.kind == "secret":
        return case((column.is_(None), "not set"), else_="set")
    return column


def in_order(column: ColumnElement[Any]) -> tuple[ColumnElement[Any], Any]:
    """Return a column that can be null as it is sorted, and the value that null is sorted as."""
    place, value = _end_of(column)
    return func.coalesce(column, place), value


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


def referenced(there: ModelAdmin[Any], name: str, display: str = "") -> tuple[Alias, ColumnElement[Any]]:
    """Return the table that a reference leads to, under a name of its own, with the display name of its rows."""
    table = there.model.__table__.alias(f"label_{name}")
    display = display or there.display
    computed = there.computed[display].expression if display in there.computed else None
    # What is itself named by a reference has no name of its own one reference further.
    own = "id" if there.fields[display].reference else display
    called = table.c[own] if computed is None else ClauseAdapter(table).traverse(computed)
    return table, cast(called, String)


def standing(admin: ModelAdmin[Any], trashed: bool) -> ColumnElement[bool] | None:
    """Return the condition for rows in the trash, or for the others; None without a trash."""
    if not admin.trash:
        return None
    deleted = columns(admin.model)[admin.trash]
    return deleted.is_not(None) if trashed else deleted.is_(None)


def in_scope(found: Select[Any], table: Any, there: ModelAdmin[Any], scope: ColumnElement[bool] | None) -> Select[Any]:
    """Return the rows of a table, or of one with another name, that are in a scope."""
    if scope is None:
        return found
    return found.where(table.c.id.in_(select(columns(there.model)["id"]).where(scope)))
