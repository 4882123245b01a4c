"""The indexes of a table, as the lists of the admin use them."""

import re
from collections.abc import Iterator, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal, NamedTuple

from sqlalchemy import Column, ColumnElement, Index, Label, Table, UniqueConstraint, literal_column
from sqlalchemy.sql import operators

from todo.direct import DIALECT

COMPARED = {eq, ge, gt, le, lt, operators.is_not}
TRIGRAMS = "gin_trgm_ops"


class KnownIndex(NamedTuple):
    """An index: its expressions, as text and as SQL. One with `is_set` has only rows with a value of the first."""

    kind: Literal["order", "words", "items"]
    texts: Sequence[str]
    expressions: Sequence[ColumnElement[Any]]
    is_set: bool = False
    is_partial: bool = False  # it has only the rows that are asked for

    @property
    def has_all(self) -> bool:
        """Return whether it has all rows that are asked for in its order, also those without a value."""
        return self.kind == "order" and not self.is_set

    def serves(self, operator: Any) -> bool:
        """Return whether it has the rows whose first expression compares like this with a value."""
        match self.kind:
            case "words":
                return operator is operators.ilike_op
            case "items":
                return operator is ne or (isinstance(operator, operators.custom_op) and operator.opstring == "&&")
            case "order":
                return operator in COMPARED or (operator is operators.is_ and self.has_all)


def indexes_of(table: Table, rows: ColumnElement[bool] | None) -> list[KnownIndex]:
    """Return the indexes of a table that have all `rows` that meet a condition, or with None all rows.

    Those that lack only rows without a value are among them.
    """
    keys = (one.columns for one in table.constraints if isinstance(one, UniqueConstraint))
    found = [KnownIndex("order", of.keys(), of.values()) for of in (table.primary_key.columns, *keys)]
    asked = "" if rows is None else text_of(table, rows)
    return found + [
        one for index in sorted(table.indexes, key=lambda one: str(one.name)) for one in _usable(table, index, asked)
    ]


def _usable(table: Table, index: Index, asked: str) -> Iterator[KnownIndex]:
    options = index.dialect_options["postgresql"]
    expressions = [_expression(one) for one in index.expressions]
    texts = [text_of(table, one) for one in expressions]
    where = _bare(str(options["where"])) if options["where"] is not None else ""
    is_set = where in (f"{texts[0]} IS NOT NULL", f"{texts[0]} <> '{{}}'::uuid[]")
    if where in ("", asked) or is_set:
        has_words = TRIGRAMS in (options["ops"] or {}).values()
        kind: Any = "order" if options["using"] != "gin" else "words" if has_words else "items"
        yield KnownIndex(kind, texts, expressions, is_set, is_partial=where == asked != "")


def text_of(table: Table, expression: ColumnElement[Any]) -> str:
    """Return an expression as the declarations of indexes have it."""
    return _bare(str(expression.compile(dialect=DIALECT)).replace(f"{table.name}.", ""))


def _expression(one: Any) -> ColumnElement[Any]:
    if isinstance(one, Label):
        return one.element
    return one if isinstance(one, Column) else literal_column(str(one))


def _bare(text: str) -> str:
    """Return an expression without the parentheses around it."""
    text = re.sub(r"\s+", " ", text.strip())
    return text[1:-1] if re.fullmatch(r"\([^()]*\)", text) else text
