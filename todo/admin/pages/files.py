"""Pages for exports."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Controller, Request, get, post
from litestar.params import FromPath
from litestar.response import Stream

from todo.admin.context import uuid_of
from todo.admin.file_formats import FORMATS, Format
from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.list_state import read_state
from todo.admin.pages.sign_in import PagesDependency
from todo.database import now
from todo.errors import NotFound

AnyRequest = Request[Any, Any, Any]


class FilePages(Controller):
    """Exports."""

    guards = [may_enter]

    @get("/{resource:str}/export/{kind:str}", operation_id="admin_export", opt={"any_query": True})
    async def export(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], kind: FromPath[str]
    ) -> Stream:
        """Export all rows of a list, with the columns that it shows when they were chosen.

        Example: `GET /admin/tasks/export/csv?status=open`
        """
        file_format = next((known for known in FORMATS if known == kind), None)
        if file_format is None:
            raise NotFound
        state = read_state(f"/admin/{resource}", request.scope["query_string"].decode("latin-1"))
        chunks = await pages.admin(request).files.export(resource, state.list_query(), file_format, state.columns)
        return attached(chunks, resource, file_format)

    @post("/{resource:str}/export/{kind:str}", operation_id="admin_export_selected", status_code=200)
    async def export_selected(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], kind: FromPath[str]
    ) -> Any:
        """Export the selected rows of a list, with its columns; all that match with `matching`.

        Example: `POST /admin/tasks/export/csv` with the fields `id` and `state`
        """
        file_format = next((known for known in FORMATS if known == kind), None)
        if file_format is None:
            raise NotFound
        sent = await sent_by(request)
        state = read_state(f"/admin/{resource}", sent.get("state", [""])[-1].removeprefix("?"))
        query, ids = state.list_query(), sent.get("id", [])
        if "matching" not in sent:
            if not ids:
                return pages.go(state.here, refused="Select at least one row.")
            query.ids = [uuid_of(row_id) for row_id in ids]
        chunks = await pages.admin(request).files.export(resource, query, file_format, state.columns)
        return attached(chunks, resource, file_format)


def attached(chunks: AsyncIterator[bytes], resource: str, kind: Format) -> Stream:
    """Return a file for download, named after its rows and today."""
    headers = {
        "Content-Disposition": f'attachment; filename="{resource}-{now():%Y-%m-%d}.{kind}"',
        "Cache-Control": "no-store",
    }
    return Stream(chunks, media_type=FORMATS[kind], headers=headers)
