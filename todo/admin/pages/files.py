"""Pages for exports, and for imports with a preview."""

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Stream

from todo.admin.context import uuid_of
from todo.admin.file_formats import FORMATS, Format
from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.list_state import read_state
from todo.admin.pages.sign_in import PagesDependency
from todo.database import now
from todo.errors import Forbidden, Invalid, NotFound

AnyRequest = Request[Any, Any, Any]
LARGEST = 512 * 1024  # bytes; the preview sends the file back as text, a third longer


class FilePages(Controller):
    """Exports and imports."""

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
        return _attached(chunks, resource, file_format)

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
        return _attached(chunks, resource, file_format)

    @get("/{resource:str}/import", operation_id="show_admin_import")
    async def show_import(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Show the upload form and the expected format.

        Example: `GET /admin/tasks/import`
        """
        admin = pages.admin(request)
        if not admin.may(resource, "import"):
            raise Forbidden(f"This needs the permission {resource}.import.", slug="permission-required")
        values: dict[str, Any] = {
            "resource": admin.registry[resource],
            "fields": admin.editor.writable(resource, adding=True),
        }
        return pages.render(request.scope, "import.html", problem=None, largest=LARGEST, **values)

    @post("/{resource:str}/import", operation_id="admin_import", status_code=200)
    async def read_file(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Preview an import row by row; with `apply`, import all rows or none.

        Example: `POST /admin/tasks/import` with a `file` (CSV or JSON)
        """
        admin = pages.admin(request)
        values: dict[str, Any] = {
            "resource": admin.registry[resource],
            "fields": admin.editor.writable(resource, adding=True),
        }
        try:
            data, kind = await _sent_file(request)
            apply = "apply" in await request.form()
            report = await admin.files.import_rows(resource, data, "json" if kind == "json" else "csv", apply=apply)
        except Invalid as problem:
            return pages.render(request.scope, "import.html", 422, problem=problem, largest=LARGEST, **values)
        if report.applied:
            done = pages.language(request.scope).gettext(
                "Imported: %(added)s added, %(changed)s changed, %(unchanged)s unchanged.",
                added=report.added, changed=report.changed, unchanged=report.unchanged,
            )  # fmt: skip
            return pages.go(f"/admin/{resource}", done=done)
        carried = base64.b64encode(data).decode()
        return pages.render(request.scope, "imported.html", report=report, data=carried, kind=kind, **values)


def _attached(chunks: AsyncIterator[bytes], resource: str, kind: Format) -> Stream:
    headers = {
        "Content-Disposition": f'attachment; filename="{resource}-{now():%Y-%m-%d}.{kind}"',
        "Cache-Control": "no-store",
    }
    return Stream(chunks, media_type=FORMATS[kind], headers=headers)


async def _sent_file(request: AnyRequest) -> tuple[bytes, str]:
    """Return the uploaded file, or the copy from the preview. Raise Invalid."""
    form = await request.form()
    file = form.get("file")
    if isinstance(file, UploadFile):
        data, name = await file.read(), file.filename.lower()
        kind = "json" if name.endswith(".json") or data.lstrip()[:1] in (b"[", b"{") else "csv"
    else:
        try:
            data, kind = base64.b64decode(str(form.get("data", "")), validate=True), str(form.get("kind", ""))
        except (binascii.Error, ValueError):
            raise Invalid("Choose the file again.") from None
    if not data:
        raise Invalid("The file is empty. Choose another one.")
    if len(data) > LARGEST:
        raise Invalid(f"The file can have at most {LARGEST // 1024} KiB. Split it, or use the API.")
    return data, kind
