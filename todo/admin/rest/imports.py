"""Handlers of imports in the background: upload a file, assign its columns, try it out, begin, follow, download."""

from collections.abc import Iterable
from io import BytesIO
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import UNSET, Meta, UnsetType

from todo.admin.file_formats import FORMATS, csv_rows
from todo.admin.imports import MOST_ROWS
from todo.admin.rest.parameters import ActorRequest, Admin, Writer, read_body
from todo.admin.schemas import ImportJob, ImportReport
from todo.admin.spreadsheets import xlsx_rows
from todo.errors import Invalid
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Line, Schema

LARGEST = 12 * 1024 * 1024  # bytes of a body
Column = Annotated[str, Meta(max_length=500)]
Csv = Annotated[str, Meta(max_length=8 * 1024 * 1024, examples=["Title,Priority\nWater the plants,high\n"])]

Xlsx = Annotated[bytes, Meta(max_length=8 * 1024 * 1024, description="The first sheet is read; it has a header.")]


class ImportFile(Schema):
    """A file to import: the text of a CSV file, an Excel workbook in Base64, or objects.

    `after` is an earlier import, of which this is the rest.
    """

    file: Line = ""
    csv: Csv | UnsetType = UNSET
    rows: Annotated[list[dict[str, Any]], Meta(max_length=MOST_ROWS)] | UnsetType = UNSET
    xlsx: Xlsx | UnsetType = UNSET
    after: UUID | None = None


class ImportMapping(Schema):
    """The field of each column that is imported."""

    mapping: Annotated[dict[Column, Column], Meta(max_length=500, examples=[{"Title": "title"}])]


@post("/import/jobs", operation_id="admin_rest_upload", opt={"kind": "upload"}, request_max_body_size=LARGEST)
async def upload(writer: Writer, request: ActorRequest, resource: FromPath[str]) -> Response[ImportJob]:
    """Upload a file to import in the background. Its columns are assigned to the fields with their name or label.

    Example: `POST /api/admin/tasks/import/jobs`
    """
    data = await read_body(request, ImportFile)
    rows, lax = rows_of(data)
    job = await writer.imports.upload(resource, data.file, rows, lax=lax, after=data.after)
    return versioned(await writer.imports.get(resource, job), status_code=201)


@get("/import/jobs/{import_id:uuid}", operation_id="admin_rest_import_job", opt={"kind": "import_job"})
async def get_import(
    admin: Admin, resource: FromPath[str], import_id: FromPath[UUID], if_none_match: IfNoneMatch = None
) -> Response[ImportJob]:
    """Get an import that you uploaded: its columns, how far it is, and what was refused.

    Example: `GET /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000`
    """
    return versioned(await admin.imports.get(resource, import_id), if_none_match=if_none_match)


@patch("/import/jobs/{import_id:uuid}", operation_id="admin_rest_assign", opt={"kind": "assign"})
async def assign(
    writer: Writer, request: ActorRequest, resource: FromPath[str], import_id: FromPath[UUID], if_match: IfMatch = None
) -> Response[ImportJob]:
    """Assign the columns of an import that has not begun; those that are not named are not imported.

    Example: `PATCH /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000`
    """
    data = await read_body(request, ImportMapping)
    return versioned(await writer.imports.assign(resource, import_id, data.mapping, versions_of(if_match)))


@delete("/import/jobs/{import_id:uuid}", operation_id="admin_rest_discard", opt={"kind": "discard"}, status_code=204)
async def discard(writer: Writer, resource: FromPath[str], import_id: FromPath[UUID], if_match: IfMatch = None) -> None:
    """Delete an import that has not begun. After a day without a change it is deleted anyway.

    Example: `DELETE /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000`
    """
    await writer.imports.delete(resource, import_id, versions_of(if_match))


@get("/import/jobs/{import_id:uuid}/trial", operation_id="admin_rest_trial", opt={"kind": "trial"})
async def try_out(admin: Admin, resource: FromPath[str], import_id: FromPath[UUID]) -> ImportReport:
    """Try out the first 20 rows with the columns as assigned. Nothing is kept.

    Example: `GET /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000/trial`
    """
    return await admin.imports.preview(resource, import_id)


@post(
    "/import/jobs/{import_id:uuid}/start",
    operation_id="admin_rest_start_import",
    opt={"kind": "start"},
    status_code=200,
)
async def start(
    writer: Writer, resource: FromPath[str], import_id: FromPath[UUID], if_match: IfMatch = None
) -> Response[ImportJob]:
    """Import the rows: up to 100 at once, more in the background. Refused rows are left out.

    Example: `POST /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000/start`
    """
    return versioned(await writer.imports.start(resource, import_id, versions=versions_of(if_match)))


@get("/import/jobs/{import_id:uuid}/rest", operation_id="admin_rest_rest", opt={"kind": "rest"})
async def get_rest(admin: Admin, resource: FromPath[str], import_id: FromPath[UUID]) -> Stream:
    """Download the rows that were not imported as CSV, with the reason of each in the column `rejected_because`.

    Example: `GET /api/admin/tasks/import/jobs/0190f5f0-7c1d-7000-8000-000000000000/rest`
    """
    attached = {"Content-Disposition": f'attachment; filename="{resource}-rest.csv"'}
    parts = await admin.imports.rest(resource, import_id)
    return Stream(parts, media_type=FORMATS["csv"], headers=attached)


def rows_of(data: ImportFile) -> tuple[Iterable[dict[str, Any]], bool]:
    """Return the rows of a file, and whether they are text as people type it. Raise Invalid."""
    given = [name for name in ("csv", "rows", "xlsx") if getattr(data, name) is not UNSET]
    if len(given) != 1:
        raise Invalid.field(f"body.{given[1] if given else 'csv'}", "Give one of `csv`, `rows` and `xlsx`.")
    if data.rows is not UNSET:
        return data.rows, False
    if data.csv is not UNSET:
        return csv_rows(BytesIO(data.csv.encode())), True
    return xlsx_rows(BytesIO(b"" if data.xlsx is UNSET else data.xlsx)), True


IMPORTS = [upload, get_import, assign, discard, try_out, start, get_rest]
