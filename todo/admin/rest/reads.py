"""Read-only handlers: lists, rows, dates, references, history, files."""

import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from todo.access import requires
from todo.admin.declaration import ENTER
from todo.admin.describing import Description, describe
from todo.admin.explanations import Explanation
from todo.admin.file_formats import FORMATS
from todo.admin.rest.parameters import (
    WITHIN,
    ActorRequest,
    Admin,
    At,
    Columns,
    Facets,
    FileForm,
    Match,
    Order,
    Q,
    Reference,
    Trash,
    Within,
    read_filters,
)
from todo.admin.schemas import FacetValue, HistoryPage, ListQuery, ListResult, Option, RowAsOf, SearchHit
from todo.errors import Invalid
from todo.http.etags import IfNoneMatch, versioned
from todo.schema import Cursor, Limit, read_instant


@get(operation_id="admin_overview", guards=[requires(ENTER)])
async def overview(admin: Admin) -> list[Description]:
    """List the resources you may see, with their fields, filters and actions, and your permissions.

    Example: `GET /api/admin`
    """
    return [describe(resource, admin.actor) for resource in admin.resources()]


@get("/search", operation_id="admin_search", guards=[requires(ENTER)])
async def search(admin: Admin, q: Q) -> list[SearchHit]:
    """Search all resources, with the first few matches of each.

    Example: `GET /api/admin/search?q=rent`
    """
    return await admin.queries.search(q)


@get("/recent", operation_id="admin_recent", guards=[requires(ENTER)])
async def recent(admin: Admin) -> list[SearchHit]:
    """List the rows you changed last.

    Example: `GET /api/admin/recent`
    """
    return await admin.history.recent()


@get(operation_id="admin_rest_list", opt={"kind": "list", "any_query": True})
async def list_rows(
    admin: Admin, request: ActorRequest, resource: FromPath[str], q: Q = "", sort: Order = None, trash: Trash = False,
    limit: Limit = 50, cursor: Cursor = None, facets: Facets = True, match: Match = "all",
) -> ListResult:  # fmt: skip
    """List the rows of a resource, with counts for each filter.

    Example: `GET /api/admin/tasks?status=open`
    """
    filters = read_filters(admin.registry[resource], request)
    list_query = ListQuery(
        filters=filters, match=match, q=q, sort=sort or "", trash=trash, limit=limit, cursor=cursor, facets=facets
    )
    return await admin.queries.page(resource, list_query)


@get("/docs", operation_id="admin_rest_docs", opt={"kind": "docs"})
async def get_docs(admin: Admin, resource: FromPath[str]) -> Description:
    """Describe a resource: fields with their constraints, filters, actions, and your permissions.

    Example: `GET /api/admin/tasks/docs`
    """
    return describe(admin.resource(resource), admin.actor)


@get("/{row_id:str}", operation_id="admin_rest_get", opt={"kind": "get"})
async def get_row(
    admin: Admin, resource: FromPath[str], row_id: FromPath[str], if_none_match: IfNoneMatch = None
) -> Response[Any]:
    """Get one complete row.

    Example: `GET /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000`
    """
    row = await admin.queries.get(resource, row_id)
    # A row also shows others, such as the roles of a user, which change without its version.
    is_versioned = hasattr(row, "version")
    return versioned(row, if_none_match=if_none_match, checksum=True) if is_versioned else Response(row)


@get("/export", operation_id="admin_rest_export", opt={"kind": "export", "any_query": True})
async def export_rows(
    admin: Admin, request: ActorRequest, resource: FromPath[str], form: FileForm = "csv", q: Q = "",
    sort: Order = None, trash: Trash = False, columns: Columns = "", match: Match = "all",
) -> Stream:  # fmt: skip
    """Export the matching rows, up to 100,000. Text never becomes a formula; secrets are left out.

    Example: `GET /api/admin/tasks/export?form=csv`
    """
    filters = read_filters(admin.registry[resource], request)
    list_query = ListQuery(filters=filters, match=match, q=q, sort=sort or "", trash=trash)
    parts: AsyncIterator[bytes] = await admin.files.export(
        resource, list_query, form, [name for name in columns.split(",") if name]
    )
    attached = {"Content-Disposition": f'attachment; filename="{resource}.{form}"'}
    return Stream(parts, media_type=FORMATS[form], headers=attached)


@get("/dates", operation_id="admin_rest_dates", opt={"kind": "dates"})
async def list_dates(admin: Admin, resource: FromPath[str], within: Within = None) -> list[FacetValue]:
    """Count the rows of each year, month of a year, or day of a month.

    Example: `GET /api/admin/tasks/dates?within=2026-11`
    """
    if within is not None and not re.fullmatch(WITHIN, within):
        raise Invalid.field("query.within", "Use a year or a month, such as 2026 or 2026-11.")
    name = admin.resource(resource).date_hierarchy
    return await admin.queries.periods(resource, ListQuery(filters={name: [within]} if within else {}))


@get("/options", operation_id="admin_rest_options", opt={"kind": "options"})
async def list_options(admin: Admin, resource: FromPath[str], field: Reference, q: Q = "") -> list[Option]:
    """List rows a reference may refer to, by display name.

    Example: `GET /api/admin/tasks/options?field=owner_id&q=ada`
    """
    return await admin.queries.options(resource, field, q)


@get("/{row_id:str}/history", operation_id="admin_rest_history", opt={"kind": "history"})
async def list_history(
    admin: Admin, resource: FromPath[str], row_id: FromPath[str], cursor: Cursor = None, limit: Limit = 50
) -> HistoryPage:
    """List the history of a row, newest first: actor, time, source, values before and after.

    Example: `GET /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/history`
    """
    return await admin.history.of_row(resource, row_id, cursor, limit)


@get("/{row_id:str}/explanation", operation_id="admin_rest_explanation", opt={"kind": "explanation"})
async def get_explanation(admin: Admin, resource: FromPath[str], row_id: FromPath[str]) -> Explanation:
    """Explain why a row did or did not come up: rule, occurrences, worker, reminders, messages and what blocks it.

    Example: `GET /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/explanation`
    """
    return await admin.explanations.of_row(resource, row_id)


@get("/{row_id:str}/as-of", operation_id="admin_rest_as_of", opt={"kind": "as_of"})
async def get_as_of(admin: Admin, resource: FromPath[str], row_id: FromPath[str], at: At) -> RowAsOf:
    """Get a row as it was at an instant, by the audit log.

    Example: `GET /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/as-of?at=2026-11-01T00:00:00Z`
    """
    return await admin.history.as_of(resource, row_id, read_instant("query.at", at))


READS = [list_rows, get_docs, get_row, export_rows, list_dates, list_options, list_history, get_as_of, get_explanation]
