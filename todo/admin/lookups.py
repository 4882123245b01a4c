"""What an index has of a condition, so that a statement reads the rows of the index and no others."""

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BinaryExpression,
    Column,
    ColumnElement,
    Index,
    Label,
    Select,
    Table,
    UniqueConstraint,
    and_,
    any_,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import AsBoolean, BooleanClauseList, CollectionAggregate
from sqlalchemy.sql.selectable import ScalarSelect

from todo.direct import DIALECT
from todo.listing import Source
from todo.listing.statements import up_to

CAP = 10_000  # rows that are read and sorted, or counted; more are "more than 10,000"
WORDS = "gin_trgm_ops"
COMPARED = {eq, ge, gt, le, lt}


class Lookup(NamedTuple):
    """Rows that indexes have, among which are all that meet the condition looked up; if `is_exact`, no others.

    It serves only while each statement of `related` has at most CAP rows.
    """

    parts: tuple[Source, ...]
    related: tuple[Select[Any], ...] = ()
    is_exact: bool = True


class Order(NamedTuple):
    """An index: what it is ordered by. One with `is_set` has only rows with a value of the first column."""

    texts: Sequence[str]
    expressions: Sequence[ColumnElement[Any]]
    is_set: bool = False


Known = Mapping[ColumnElement[Any], Lookup | None]


def either(lookups: Iterable[Lookup | None]) -> Lookup | None:
    """Return the lookup of rows that meet one of several conditions, if indexes have each of these."""
    parts: list[Source] = []
    related: list[Select[Any]] = []
    is_exact = True
    for one in lookups:
        if one is None:
            return None
        parts += one.parts
        related += one.related
        is_exact = is_exact and one.is_exact
    return Lookup(tuple(parts), tuple(related), is_exact)


def among(column: ColumnElement[Any], some: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has an id of `some`: ids, and whether they count."""
    rows = some.correlate(None).limit(up_to(CAP + 1)).subquery()
    key, counts = rows.c
    chosen = func.array(select(key).where(counts).scalar_subquery(), type_=ARRAY(key.type))
    return column == any_(chosen)


class Indexes:
    """The indexes that a table has of its rows of one kind: those with `standing`, or all."""

    def __init__(self, table: Table, standing: ColumnElement[bool] | None = None):
        self._prefix = f"{table.name}."
        kind = "" if standing is None else self._text(standing)
        self._orders: list[Order] = []
        self._words: set[str] = set()
        self._items: set[str] = set()
        self.every = Source(true())  # all rows of this kind
        keys = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
        for of in (table.primary_key.columns, *keys):
            self._orders.append(Order(of.keys(), of.values()))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            self._add(index, kind)

    def _add(self, index: Index, kind: str) -> None:
        options = index.dialect_options["postgresql"]
        found = [_expression(one) for one in index.expressions]
        texts = [self._text(one) for one in found]
        where = _bare(str(options["where"])) if options["where"] is not None else ""
        is_set = where in (f"{texts[0]} IS NOT NULL", f"{texts[0]} <> '{{}}'::uuid[]")
        if where not in ("", kind) and not is_set:
            return
        if options["using"] == "gin":
            has_words = WORDS in (options["ops"] or {}).values()
            (self._words if has_words else self._items).add(texts[0])
        else:
            self._orders.append(Order(texts, found, is_set))
            if kind and where == kind and (not self.every.order or len(found) < len(self.every.order)):
                self.every = Source(true(), tuple(found))  # of the smallest index

    def _text(self, expression: Any) -> str:
        text = expression if isinstance(expression, str) else str(expression.compile(dialect=DIALECT))
        return _bare(text.replace(self._prefix, ""))

    def has_order(self, expression: ColumnElement[Any]) -> bool:
        """Return whether an index has all rows in the order of an expression."""
        return self._begins(self._text(expression))

    def _begins(self, text: str) -> bool:
        return self._has(text, is_empty=True)

    def has_range(self, clause: ColumnElement[bool], order: ColumnElement[Any]) -> bool:
        """Return whether a condition is about what rows are ordered by, so that it has a part of the order's index."""
        text = self._text(order)
        return self._column(clause) == text and self._begins(text)

    def has_one(self, clause: ColumnElement[bool], order: ColumnElement[Any]) -> bool:
        """Return whether an index has the rows of this one value in an order."""
        pair = [self._column(clause), self._text(order)]
        return _is_one(clause) and any(list(one.texts[:2]) == pair for one in self._orders)

    def lookup(self, clause: ColumnElement[bool], known: Known) -> Lookup | None:
        """Return the lookup of a condition, or None without an index. `known` has that of some conditions."""
        clause = clause.element if isinstance(clause, AsBoolean) else clause
        if clause in known:
            return known[clause]
        if isinstance(clause, BooleanClauseList) and clause.operator is operators.or_:
            return either(self.lookup(one, known) for one in clause.clauses)
        if column := self._column(clause):
            return Lookup((self._source(clause, column),))
        if isinstance(clause, BooleanClauseList):
            return self._one_of(clause, known)
        return self._referring(clause)

    def _one_of(self, clause: BooleanClauseList, known: Known) -> Lookup | None:
        """Return the lookup of one of the conditions that rows must meet: of all that are about one column."""
        about: dict[str, list[ColumnElement[bool]]] = {}
        for one in clause.clauses:
            if column := self._column(one):
                about.setdefault(column, []).append(one)
        for column, clauses in about.items():
            return Lookup((self._source(and_(*clauses), column),), is_exact=False)
        found = next((found for one in clause.clauses if (found := self.lookup(one, known))), None)
        return found and found._replace(is_exact=False)

    def _referring(self, clause: ColumnElement[bool]) -> Lookup | None:
        """Return the lookup of rows that refer to some of another table."""
        if not isinstance(clause, BinaryExpression) or clause.operator is not operators.in_op:
            return None
        rows = clause.right.element if isinstance(clause.right, ScalarSelect) else clause.right
        if not isinstance(rows, Select):
            return None
        return self.by_ids(clause.left, [rows.add_columns(true().label("counts"))])

    def by_ids(self, column: ColumnElement[Any], some: Sequence[Select[Any]]) -> Lookup | None:
        """Return the lookup of rows whose column has one of the last ids of `some`, each found by the ones before."""
        text = self._text(column)
        if not self._has(text, is_empty=False):
            return None
        return Lookup((self._source(among(column, some[-1]), text),), tuple(some))

    def _source(self, clause: ColumnElement[bool], column: str) -> Source:
        """Return the rows of an index, in its order; of several indexes, one that can be read without the table."""
        if isinstance(clause, BinaryExpression) and clause.operator is operators.ilike_op:
            return Source(clause)
        orders = [tuple(one.expressions[:2]) for one in self._orders if one.texts[0] == column]
        order = max(orders, key=lambda order: sum(isinstance(one, Column) for one in order), default=())
        return Source(clause, order[1:] if _is_one(clause) else order)

    def _column(self, clause: ColumnElement[bool]) -> str:
        """Return the column or expression that a condition is about, if an index has what meets it, or ""."""
        if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
            columns = {self._column(one) for one in clause.clauses}
            return columns.pop() if len(columns) == 1 else ""
        if not isinstance(clause, BinaryExpression):
            return ""
        text, operator = self._text(clause.left), clause.operator
        if operator in COMPARED or operator is operators.is_not:
            return text if self._has(text, is_empty=False) else ""
        if operator is operators.is_:
            return text if self._has(text, is_empty=True) else ""
        if operator is operators.ilike_op:
            return text if text in self._words else ""
        return text if text in self._items and (operator is operators.ne or _is_overlap(operator)) else ""

    def _has(self, text: str, *, is_empty: bool) -> bool:
        return any(one.texts[0] == text and not (one.is_set and is_empty) for one in self._orders)


def _expression(one: Any) -> ColumnElement[Any]:
    if isinstance(one, Label):
        return one.element
    return one if isinstance(one, Column) else literal_column(str(one))


def _bare(text: str) -> str:
    """Return an expression without the parentheses around it."""
    text = re.sub(r"\s+", " ", text.strip())
    return text[1:-1] if re.fullmatch(r"\([^()]*\)", text) else text


def _is_one(clause: ColumnElement[bool]) -> bool:
    """Return whether a condition allows one value."""
    return (
        isinstance(clause, BinaryExpression)
        and clause.operator is eq
        and not isinstance(clause.right, CollectionAggregate)
    )


def _is_overlap(operator: Any) -> bool:
    return isinstance(operator, operators.custom_op) and operator.opstring == "&&"
