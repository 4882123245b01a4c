"""Pages for imports: upload a file, assign its columns, import in the background, download what is left."""

from collections.abc import Iterable
from typing import Annotated, Any, BinaryIO, cast

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from todo.admin.file_formats import csv_rows, read_json
from todo.admin.imports import MOST_ROWS
from todo.admin.pages.files import attached
from todo.admin.pages.forms import Sent, sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.reauthentication import require_reauthentication
from todo.admin.pages.renderer import Pages
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.schemas import ImportColumn
from todo.admin.spreadsheets import is_workbook, xlsx_rows
from todo.errors import Forbidden, Invalid, Problem

AnyRequest = Request[Any, Any, Any]
LARGEST = 8 * 1024 * 1024  # bytes of a file
COLUMN = "column."  # with the number of a column: the field that it is imported into
After = Annotated[str, QueryParameter(max_length=36, description="An earlier import, of which this is the rest.")]


class ImportPages(Controller):
    """Imports."""

    guards = [may_enter]

    @get("/{resource:str}/import", operation_id="show_admin_import")
    async def show(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], after: After = ""
    ) -> Response[Any]:
        """Show the upload form and the expected format.

        Example: `GET /admin/tasks/import`
        """
        return _asking(pages, request, resource, after)

    @post(
        "/{resource:str}/import",
        operation_id="admin_import",
        status_code=303,
        request_max_body_size=LARGEST + 64 * 1024,
    )
    async def upload(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Keep a file as a draft, whose columns are assigned next.

        Example: `POST /admin/tasks/import` with a `file` (CSV, JSON or Excel)
        """
        admin, form = pages.admin(request), await request.form()
        after = str(form.get("after", ""))
        try:
            name, rows, lax = await _sent_file(form.get("file"))
            say = pages.language(request.scope).translate
            draft = await admin.imports.upload(resource, name, rows, lax=lax, after=after or None, translate=say)
        except Invalid as problem:
            return _asking(pages, request, resource, after, problem)
        return pages.go(f"/admin/{resource}/import/{draft}")

    @get("/{resource:str}/import/{run_id:str}", operation_id="show_admin_import_columns")
    async def show_columns(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], run_id: FromPath[str]
    ) -> Response[Any]:
        """Show which column goes into which field, and what becomes of the first rows.

        Example: `GET /admin/tasks/import/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return await _columns(pages, request, resource, run_id)

    @post("/{resource:str}/import/{run_id:str}", operation_id="admin_import_start", status_code=303)
    async def start(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], run_id: FromPath[str]
    ) -> Response[Any]:
        """Import the file with these columns, or with `check` only show what becomes of its first rows.

        Example: `POST /admin/tasks/import/0190f5f0-7c1d-7000-8000-000000000000` with `column.0=title`
        """
        sent = await sent_by(request)
        admin = pages.admin(request, sent.get("_reason", [""])[-1] or None)
        if "check" in sent:
            return await _columns(pages, request, resource, run_id, sent)
        if admin.resource(resource, "import").is_dangerous("import"):
            await require_reauthentication(pages, request)
        try:
            draft = await admin.imports.draft(resource, run_id)
            await admin.imports.start(resource, run_id, _mapping(draft.columns, sent))
        except Invalid as problem:
            return await _columns(pages, request, resource, run_id, sent, problem)
        return pages.go(f"/admin/runs/{run_id}")

    @get("/{resource:str}/import/{run_id:str}/rest", operation_id="admin_import_rest")
    async def rest(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], run_id: FromPath[str]
    ) -> Stream:
        """Download the rows that were not imported as CSV, with the reason of each.

        Example: `GET /admin/tasks/import/0190f5f0-7c1d-7000-8000-000000000000/rest`
        """
        return attached(await pages.admin(request).imports.rest(resource, run_id), f"{resource}-rest", "csv")


def _asking(
    pages: Pages, request: AnyRequest, resource: str, after: str, problem: Problem | None = None
) -> Response[str]:
    """Render the upload form."""
    admin = pages.admin(request)
    if not admin.may(resource, "import"):
        raise Forbidden(f"This needs the permission {resource}.import.", slug="permission-required")
    values = {
        "resource": admin.registry[resource], "fields": admin.editor.writable(resource, adding=True), "after": after,
        "problem": problem, "largest": LARGEST, "most": MOST_ROWS,
    }  # fmt: skip
    return pages.render(request.scope, "import.html", int(problem.status) if problem else 200, **values)


async def _columns(
    pages: Pages, request: AnyRequest, resource: str, run_id: str, sent: Sent | None = None,
    problem: Problem | None = None,
) -> Response[str]:  # fmt: skip
    """Render the columns of a draft, as sent or as suggested, with a preview."""
    admin = pages.admin(request)
    draft = await admin.imports.draft(resource, run_id)
    mapping = draft.mapping if sent is None else _mapping(draft.columns, sent)
    report = None
    try:
        report = await admin.imports.preview(resource, run_id, mapping)
    except Invalid as found:
        problem = problem or (found if sent else None)
    values = {
        "resource": admin.registry[resource], "run_id": run_id, "draft": draft, "mapping": mapping,
        "fields": admin.imports.fields(resource), "report": report, "problem": problem,
    }  # fmt: skip
    return pages.render(request.scope, "import_columns.html", int(problem.status) if problem else 200, **values)


def _mapping(columns: Iterable[ImportColumn], sent: Sent) -> dict[str, str]:
    """Return the field of each column that has one."""
    chosen = {column.name: sent.get(f"{COLUMN}{place}", [""])[-1] for place, column in enumerate(columns)}
    return {column: name for column, name in chosen.items() if name}


async def _sent_file(file: Any) -> tuple[str, Iterable[dict[str, Any]], bool]:
    """Return the name of the uploaded file, its rows, and whether they are text as people type it. Raise Invalid."""
    if not isinstance(file, UploadFile) or not file.filename:
        raise Invalid("Choose a file.")
    begin = await file.read(1024)
    if not begin:
        raise Invalid("The file is empty. Choose another one.")
    await file.seek(0)
    if file.filename.lower().endswith(".json") or begin.lstrip()[:1] in (b"[", b"{"):
        return file.filename, read_json(await file.read()), False
    read = xlsx_rows if is_workbook(begin) else csv_rows
    return file.filename, read(cast(BinaryIO, file.file)), True
