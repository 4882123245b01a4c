"""Resources that are not tables: filter, count, sort and page rows in memory."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from todo.admin.declaration import RowsAdmin
from todo.admin.fields import write_text
from todo.admin.filters import read_filter
from todo.admin.schemas import Facet, FacetValue, ListQuery, ListResult
from todo.errors import Invalid, NotFound
from todo.schema import decode_cursor, encode_cursor

MOST_ROWS = 1000  # of such a resource


def page_of(resource: RowsAdmin, rows: Sequence[Any], list_query: ListQuery, number: int = 1) -> ListResult:
    """Return a page of these rows. Raise Invalid for undeclared filters and sorts."""
    if unknown := list_query.filters.keys() - set(resource.filter_names):
        name = sorted(unknown)[0]
        raise Invalid.field(f"query.{name}", f"Unknown filter. Filters: {_list(resource.filter_names)}.")
    for name, texts in list_query.filters.items():  # only to validate the values; none of these filters is a time
        for text in texts:
            read_filter(resource.fields[name], [text], ZoneInfo("UTC"), date.min)
    words = list_query.q.casefold().split()
    found = [row for row in rows if all(_holds(resource, row, word) for word in words)]
    matching = [row for row in found if _passes(row, list_query)]
    facets = [_facet(resource, found, name, list_query) for name in resource.filter_names] if list_query.facets else []
    items = _sorted(resource, matching, list_query.sort)
    start = _start(items, list_query, number)
    end = start + list_query.limit
    if list_query.before is not None:
        start, end = max(0, start - list_query.limit), start
    page = items[start:end]
    cursor = encode_cursor(list_query.sort, str(page[-1].id)) if page and end < len(items) else None
    previous = encode_cursor(list_query.sort, str(page[0].id)) if page and start > 0 else None
    sums = (
        {name: sum(getattr(row, name) or 0 for row in items) for name in resource.sums} if list_query.facets else None
    )
    return ListResult(page, cursor, len(items), True, facets, sums, previous)


def neighbor_in(rows: Sequence[Any], row_id: str, step: str) -> Any:
    """Return the row after or before this one, or None at the end, or when it is not among them."""
    at = next((place for place, row in enumerate(rows) if str(row.id) == row_id), None)
    if at is None:
        return None
    wanted = at + 1 if step == "next" else at - 1
    return rows[wanted] if 0 <= wanted < len(rows) else None


def one_of(rows: Sequence[Any], row_id: str) -> Struct:
    """Return the row with this id. Raise NotFound."""
    for row in rows:
        if str(row.id) == row_id:
            found: Struct = row
            return found
    raise NotFound


def _passes(row: Any, list_query: ListQuery, but: str = "") -> bool:
    """Return whether a row passes the filters: all `but` one, or with `match` at least one."""
    passed = {name: write_text(getattr(row, name)) in texts for name, texts in list_query.filters.items()}
    if list_query.match == "any":
        return not passed or any(passed.values())
    return all(one for name, one in passed.items() if name != but)


def _holds(resource: RowsAdmin, row: Any, word: str) -> bool:
    return any(word in write_text(getattr(row, name)).casefold() for name in resource.search)


def _facet(resource: RowsAdmin, rows: Sequence[Any], name: str, list_query: ListQuery) -> Facet:
    """Count the choices of a filter, ignoring the filter itself."""
    counts: dict[str, int] = dict.fromkeys(resource.fields[name].choices, 0)
    for row in rows:
        if _passes(row, list_query, but=name):
            value = write_text(getattr(row, name))
            counts[value] = counts.get(value, 0) + 1
    chosen = list_query.filters.get(name, [])
    values = [
        FacetValue(value, value.replace("_", " ").capitalize(), n, value in chosen) for value, n in counts.items()
    ]
    return Facet(name, resource.fields[name].label, "choice", values)


def _sorted(resource: RowsAdmin, rows: list[Any], sort: str) -> list[Any]:
    if not sort:
        return rows
    name = sort.removeprefix("-")
    if name not in (*resource.sortable, "id"):
        raise Invalid.field("query.sort", f"Sort by one of {_list(('id', *resource.sortable))}; `-` reverses it.")
    return sorted(rows, key=lambda row: _key(getattr(row, name)), reverse=sort.startswith("-"))


def _key(value: Any) -> tuple[bool, Any]:
    """Return the sort key. Rows without a value come last."""
    return value is None, "" if value is None else value


def _start(items: Sequence[Any], list_query: ListQuery, number: int) -> int:
    """Return where the page begins: after the row of the cursor, or at the end when it is gone.

    With `before`, return where it ends.
    """
    if list_query.before is not None:
        (first,) = decode_cursor(list_query.before, list_query.sort, [str])
        return next((place for place, row in enumerate(items) if str(row.id) == first), 0)
    if list_query.cursor is None:
        return (number - 1) * list_query.limit
    (last,) = decode_cursor(list_query.cursor, list_query.sort, [str])
    return next((place for place, row in enumerate(items, 1) if str(row.id) == last), len(items))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
