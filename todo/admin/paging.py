"""Pages of a table: after a cursor, before one, or by number."""

from collections.abc import Mapping
from typing import Any

from todo.admin.lookups import CAP
from todo.admin.schemas import ListQuery, ListResult
from todo.database import Direct
from todo.errors import Invalid
from todo.listing import Listing


def skipped_before(list_query: ListQuery, number: int) -> int:
    """Return how many rows come before a page, 0 where a cursor says where it begins. Raise Invalid beyond CAP rows."""
    if list_query.cursor is not None or list_query.before is not None:
        return 0
    skipped = (number - 1) * list_query.limit
    if not 0 <= skipped < CAP:
        raise Invalid.field("query.page", f"Pages are numbered up to row {CAP:,}. Filter the list first.")
    return skipped


async def rows_of(
    listing: Listing[Any], reads: Direct, given: Mapping[str, Any], list_query: ListQuery, skipped: int,
    values: Mapping[str, Any],
) -> ListResult:  # fmt: skip
    """Read a page; one `before` a cursor in the opposite order, from its end."""
    if skipped and listing.walk:
        raise Invalid.field("query.page", f"Pages have no numbers here: more than {CAP:,} rows are looked through.")
    sort, opposite = list_query.sort or None, listing.reversed_sort(list_query.sort)
    if list_query.before is None:
        page = await listing.page(
            reads, given, sort=sort, limit=list_query.limit, cursor=list_query.cursor, skipped=skipped, **values
        )
        has_more = (list_query.cursor is not None or skipped) and page.items
        previous = listing.cursor_of(page.items[0], given, opposite) if has_more else None
        is_short = page.next_cursor is not None and len(page.items) < list_query.limit
        looked_through = listing.walk if is_short else None
        return ListResult(page.items, page.next_cursor, previous_cursor=previous, looked_through=looked_through)
    page = await listing.page(reads, given, sort=opposite, limit=list_query.limit, cursor=list_query.before, **values)
    items = page.items[::-1]
    following = listing.cursor_of(items[-1], given, sort) if items else None
    return ListResult(items, following, previous_cursor=page.next_cursor)
