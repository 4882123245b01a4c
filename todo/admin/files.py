"""Export rows to files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from todo.admin.context import AdminContext
from todo.admin.declaration import ModelAdmin, Resource, RowsAdmin
from todo.admin.file_formats import WRITERS, Format, Pages
from todo.admin.queries import Queries
from todo.admin.rows import page_of
from todo.admin.schemas import ListQuery
from todo.audit import record
from todo.errors import Invalid

MOST_OUT = 100_000  # rows of one export
PAGE = 1_000


class Files:
    """Exports."""

    def __init__(self, context: AdminContext, queries: Queries):
        self._context, self._queries = context, queries

    async def export(
        self, resource: str, list_query: ListQuery | None = None, form: Format = "csv", columns: Sequence[str] = ()
    ) -> AsyncIterator[bytes]:
        """Export the matching rows, up to MOST_OUT, with these columns or all; audited.

        Raise Forbidden, NotFound or Invalid, before the first byte.
        """
        list_query, found = list_query or ListQuery(), self._context.resource(resource, "export")
        self._context.require(found, "view")
        fields = self._columns(found, columns)
        pages = self._pages(found, list_query)
        first: list[Any] = await anext(pages, [])
        details: dict[str, Any] = {
            "format": form,
            "filters": list_query.filters,
            **({"match": "any"} if list_query.match == "any" else {}),
            "q": list_query.q,
            "trash": list_query.trash,
        }
        details |= {"columns": fields} if columns else {}
        details |= {"ids": [str(row_id) for row_id in list_query.ids]} if list_query.ids else {}
        async with self._context.transaction() as session:
            await record(session, found.event("export"), resource, after=details)
        return WRITERS[form](fields, _chain(first, pages))

    def _columns(self, resource: Resource, columns: Sequence[str]) -> list[str]:
        """Return the fields to export, in the order asked for. Raise Invalid."""
        hidden = resource.hidden_from(self._context.actor)
        known = [name for name in resource.fields if name not in hidden]
        if unknown := [name for name in columns if name not in known]:
            raise Invalid.field("query.columns", f"There is no field {unknown[0]}. Fields: {', '.join(known)}.")
        return list(dict.fromkeys(columns)) or known

    async def _pages(self, resource: Resource, list_query: ListQuery) -> Pages:
        """Yield the rows page by page."""
        if isinstance(resource, RowsAdmin):
            rows = await resource.rows(self._context.database, self._context.actor)
            everything = msgspec.structs.replace(list_query, limit=MOST_OUT, facets=False, cursor=None)
            yield page_of(resource, rows, everything).items
            return
        admin: ModelAdmin[Any] = self._context.registry.table(resource.name)
        cursor: str | None = None
        given, read = self._queries.lists.params(admin, list_query), 0
        listing = await self._queries.lists.listing(admin, given, list_query, heavy=True)
        while read < MOST_OUT:
            page = await listing.page(
                self._context.database.reads,
                given,
                sort=list_query.sort or None,
                limit=min(PAGE, MOST_OUT - read),
                cursor=cursor,
                **self._queries.lists.common_params,
            )
            read += len(page.items)
            yield page.items
            cursor = page.next_cursor
            if cursor is None:
                return


async def _chain(first: list[Any], rest: Pages) -> Pages:
    async with aclosing(rest):  # a client may disconnect; each generator closes the one it reads from
        yield first
        async for page in rest:
            yield page
