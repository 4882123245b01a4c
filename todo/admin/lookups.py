"""Find what indexes have of a condition, so that a statement reads these rows and no others.

Example: tasks with `status=waiting` and `owner.email=ada`, sorted by title, for which there is no index.

1. `lists.py` asks whether an index has the matching rows in the order of the list (`has_order`, `has_range`,
   `has_one`), as one has for `status=waiting` alone, sorted by creation. Here none has.
2. Each filter is looked up: `status = $1` in an index that begins with `status`; for the address first the ids of users
   (`related.py`), and these in an index that begins with `owner_id`.
3. `counting.py` asks how many rows each `Lookup` has, up to CAP. If the smallest has no more, its rows are read, tested
   by the other filters, and sorted. Otherwise rows are read in an order that an index has and tested, up to a bound;
   here, sorted by title, the list is refused.

What a condition needs is seen from its SQL: the expression at its left, its subject, and how this is compared.

| condition | found by |
|---|---|
| `x = $1`, `x = ANY ($1)`, `x < $1`, `x IS NOT NULL` | an index that begins with x |
| `x IS NULL` | the same, unless it has only rows with an x |
| `x ILIKE $1` | an index of the trigrams of x |
| `x && $1`, `x <> '{}'` | an index of the items of x |
| `a OR b` | the lookups of both |
| `a AND b` | the lookup of one of them, which has other rows too |
| `x IN (SELECT ...)`, references to related rows | `by_ids` |
"""

from collections.abc import Iterable, Sequence
from operator import eq
from typing import Any, NamedTuple, TypeGuard

from sqlalchemy import (
    ARRAY,
    BinaryExpression,
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    any_,
    func,
    select,
    true,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import AsBoolean, BooleanClauseList, CollectionAggregate
from sqlalchemy.sql.selectable import ScalarSelect

from todo.admin.indexes import indexes_of, text_of
from todo.listing import Source
from todo.listing.statements import up_to

CAP = 10_000  # rows that are read and sorted, or counted; more are "more than 10,000"
Clause = ColumnElement[bool]
Ids = Select[Any]  # ids of rows, and whether each counts


class Lookup(NamedTuple):
    """Rows that indexes have, among which are all that meet a condition; if `is_exact`, no others.

    It serves only while each of the statements that find `ids` of related rows has at most CAP rows.
    """

    parts: tuple[Source, ...]
    ids: tuple[Ids, ...] = ()
    is_exact: bool = True


class Indexes:
    """The indexes that a table has of its rows of one kind, such as those in the trash; or of all its rows."""

    def __init__(self, table: Table, kind: Clause | None = None):
        self._table = table
        self._all = indexes_of(table, kind)
        self._noted: dict[Clause, Lookup | None] = {}

    @property
    def every(self) -> Source:
        """Return all rows of this kind: where an index has no others, those of the smallest, in its order."""
        orders = [tuple(one.expressions) for one in self._all if one.kind == "order" and one.is_partial]
        return Source(true(), min(orders, key=len, default=()))

    def has_order(self, order: ColumnElement[Any]) -> bool:
        """Return whether an index has all rows in an order."""
        text = self._text_of(order)
        return any(one.texts[0] == text and one.has_all for one in self._all)

    def has_range(self, clause: Clause, order: ColumnElement[Any]) -> bool:
        """Return whether a condition is about what rows are ordered by, so that it has a part of the order's index."""
        return self._subject(clause) == self._text_of(order) and self.has_order(order)

    def has_one(self, clause: Clause, order: ColumnElement[Any]) -> bool:
        """Return whether an index has the rows of this one value in an order."""
        pair = [self._subject(clause), self._text_of(order)]
        return _is_one(clause) and any(one.kind == "order" and [*one.texts[:2]] == pair for one in self._all)

    def note(self, clause: Clause, lookup: Lookup | None) -> None:
        """Remember the lookup of a condition whose SQL does not show how it is looked up."""
        self._noted[clause] = lookup

    def lookup(self, clause: Clause) -> Lookup | None:
        """Return the lookup of a condition, or None without an index."""
        clause = clause.element if isinstance(clause, AsBoolean) else clause
        if clause in self._noted:
            return self._noted[clause]
        if _joins(clause, operators.or_):
            return either(map(self.lookup, clause.clauses))
        if subject := self._subject(clause):
            return Lookup((self._source(clause, subject),))
        if _joins(clause, operators.and_):
            return self._one_of(clause.clauses)
        return self._in_subquery(clause)

    def _one_of(self, clauses: Sequence[Clause]) -> Lookup | None:
        """Return the lookup of one of the conditions that rows must meet, or of all that have the same subject."""
        subjects = [self._subject(one) for one in clauses]
        first = next(filter(None, subjects), "")
        alike = [one for one, subject in zip(clauses, subjects, strict=True) if subject == first]
        some = [and_(*alike)] if first else clauses
        found = next((found for one in some if (found := self.lookup(one))), None)
        return found and found._replace(is_exact=False)

    def _in_subquery(self, clause: Clause) -> Lookup | None:
        """Return the lookup of rows that refer to some of another table."""
        if not isinstance(clause, BinaryExpression) or clause.operator is not operators.in_op:
            return None
        rows = clause.right.element if isinstance(clause.right, ScalarSelect) else clause.right
        if not isinstance(rows, Select):
            return None
        return self.by_ids(clause.left, [rows.add_columns(true().label("counts"))])

    def by_ids(self, column: ColumnElement[Any], ids: Sequence[Ids]) -> Lookup | None:
        """Return the lookup of rows whose column has an id of the last statement, which may be built on the others."""
        clause = among(column, ids[-1])
        subject = self._subject(clause)
        return Lookup((self._source(clause, subject),), tuple(ids)) if subject else None

    def _source(self, clause: Clause, subject: str) -> Source:
        """Return the rows of an index, in its order; of several indexes, one that can be read without the table."""
        if isinstance(clause, BinaryExpression) and clause.operator is operators.ilike_op:
            return Source(clause)
        orders = [tuple(one.expressions[:2]) for one in self._all if one.kind == "order" and one.texts[0] == subject]
        order = max(orders, key=lambda order: sum(isinstance(one, Column) for one in order), default=())
        return Source(clause, order[1:] if _is_one(clause) else order)

    def _text_of(self, expression: ColumnElement[Any]) -> str:
        return text_of(self._table, expression)

    def _subject(self, clause: Clause) -> str:
        """Return the expression that a condition compares, if an index has the rows for which it holds, or ""."""
        if _joins(clause, operators.and_):
            subject, *others = {self._subject(one) for one in clause.clauses}
            return "" if others else subject
        if not isinstance(clause, BinaryExpression):
            return ""
        text = self._text_of(clause.left)
        return text if any(one.texts[0] == text and one.serves(clause.operator) for one in self._all) else ""


def either(lookups: Iterable[Lookup | None]) -> Lookup | None:
    """Return the lookup of rows that meet one of several conditions, if indexes have each of these."""
    found = list(lookups)
    some = [one for one in found if one is not None]
    if len(some) < len(found):
        return None
    parts = [part for one in some for part in one.parts]
    ids = [each for one in some for each in one.ids]
    return Lookup(tuple(parts), tuple(ids), all(one.is_exact for one in some))


def among(column: ColumnElement[Any], ids: Ids) -> Clause:
    """Return the condition that a column has one of the ids that count."""
    rows = ids.correlate(None).limit(up_to(CAP + 1)).subquery()
    key, counts = rows.c
    chosen = func.array(select(key).where(counts).scalar_subquery(), type_=ARRAY(key.type))
    return column == any_(chosen)


def _joins(clause: Clause, operator: Any) -> TypeGuard[BooleanClauseList]:
    return isinstance(clause, BooleanClauseList) and clause.operator is operator


def _is_one(clause: Clause) -> bool:
    """Return whether a condition allows one value."""
    is_equal = isinstance(clause, BinaryExpression) and clause.operator is eq
    return is_equal and not isinstance(clause.right, CollectionAggregate)
