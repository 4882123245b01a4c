"""Which column of a file is imported into which field."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from todo.admin.fields import Field
from todo.errors import Invalid

REASON = "rejected_because"  # the column with the reasons in a file of refused rows; not read from one


def guess(columns: Sequence[str], fields: Sequence[Field], translate: Callable[[str], str] = str) -> dict[str, str]:
    """Assign columns to the fields whose name or label they have, whatever its case and blanks."""
    known: dict[str, str] = {}
    for field in fields:
        for text in (field.name, field.label, translate(field.label)):
            known.setdefault(_key(text), field.name)
    found: dict[str, str] = {}
    for column in columns:
        name = known.get(_key(column))
        if name is not None and name not in found.values():
            found[column] = name
    return found


def _key(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def check_mapping(mapping: Mapping[str, str], columns: Sequence[str], fields: Sequence[Field]) -> None:
    """Raise Invalid for an unknown column or field, a field with two columns, and no field at all."""
    known = {field.name: field.label for field in fields}
    for column, name in mapping.items():
        if column not in columns:
            raise Invalid.field("body.mapping", f"The file has no column {column}.", "unknown")
        if name not in known:
            raise Invalid.field("body.mapping", f"There is no field {name} to import into.", "unknown")
        if [*mapping.values()].count(name) > 1:
            raise Invalid.field("body.mapping", f"Two columns are assigned to {known[name]}.")
    if not mapping:
        raise Invalid.field("body.mapping", "Assign at least one column to a field.", "required")


def mapped(values: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a row by field."""
    return {name: values[column] for column, name in mapping.items() if column in values}


def renamed(
    rows: Sequence[dict[str, Any]], fields: Sequence[Field], given: Mapping[str, str], known: Collection[str]
) -> list[dict[str, Any]]:
    """Return rows by field: columns that are not `known` go into fields of their label, or those `given`; "" into none.

    Raise Invalid for an unknown column, and a field with two columns.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if unknown := [column for column in given if column not in columns]:
        raise Invalid.field("body.mapping", f"The file has no column {unknown[0]}.", "unknown")
    names = guess([column for column in columns if column not in known], fields) | {REASON: ""} | dict(given)
    names = {column: names.get(column, column) for column in columns}
    for name in filter(None, names.values()):
        if [*names.values()].count(name) > 1:
            raise Invalid.field("body.mapping", f"Two columns are assigned to {name}.")
    return [{names[column]: value for column, value in row.items() if names[column]} for row in rows]
