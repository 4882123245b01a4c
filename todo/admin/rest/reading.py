"""The routes that only read: lists, rows, dates, references, history, files."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from todo.admin.declaration import ModelAdmin, Resource
from todo.admin.describing import Description, describe
from todo.admin.file_formats import FORMATS
from todo.admin.rest.shaping import (
    ID,
    Admin,
    Facets,
    FileForm,
    Q,
    answer_of,
    asked_of,
    example_filter,
    example_id,
    id_type,
    list_parameters,
    parameter,
    route,
    row_path,
    shaped,
)
from todo.admin.schemas import Asked, Facet, FacetValue, HistoryPage, Option
from todo.http.versions import IfNoneMatch, versioned
from todo.schema import Cursor, Limit

Within = Annotated[str, QueryParameter(max_length=7, description="A year or a month.")]


def reading_routes(resource: Resource) -> list[HTTPRouteHandler]:
    """What every resource has, and what its declaration adds."""
    made = [list_route(resource), docs_route(resource), get_route(resource)]
    made += [export_route(resource)] if "export" in resource.verbs else []
    if isinstance(resource, ModelAdmin):
        made += [history_route(resource)]
        made += [dates_route(resource)] if resource.date_hierarchy else []
        made += [options_route(resource)] if any(field.reference for field in resource.fields.values()) else []
    return made


def list_route(resource: Resource) -> HTTPRouteHandler:
    async def list_rows(admin: Admin, **asked: Any) -> Any:
        found = await admin.queries.page(resource.name, asked_of(resource, asked))
        return page(**{name: getattr(found, name) for name in page.__struct_fields__})

    page = page_type(resource)
    paging = [parameter("limit", Limit, 50), parameter("cursor", Cursor, None), parameter("facets", Facets, True)]
    doc = f"{resource.label}, a page at a time, with counts for each filter."
    example = f"GET /api/admin/{resource.name}?{example_filter(resource)}"
    fn = shaped(list_rows, doc, example, [*list_parameters(resource), *paging], answer=page)
    return route(get, resource, "view", "list", fn)


def docs_route(resource: Resource) -> HTTPRouteHandler:
    async def get_docs(admin: Admin) -> Description:
        return describe(admin.resource(resource.name), admin.actor)

    doc = (
        f"What there is to know of {resource.label.lower()}: fields with their limits, filters, actions; what you may."
    )
    return route(get, resource, "view", "docs", shaped(get_docs, doc, f"GET /api/admin/{resource.name}/docs"), "/docs")


def page_type(resource: Resource) -> type[msgspec.Struct]:
    """A page of exactly these rows."""
    row: Any = resource.out
    fields: list[Any] = [
        ("items", list[row]), ("next_cursor", str | None), ("total", int | None), ("total_is_exact", bool),
        ("facets", list[Facet]),
    ]  # fmt: skip
    doc = "A page of rows. `total` is exact up to 10,000; beyond, it is an estimate or a lower bound."
    return msgspec.defstruct(f"{row.__name__}Page", fields, module=__name__, kw_only=True, namespace={"__doc__": doc})


def get_route(resource: Resource) -> HTTPRouteHandler:
    async def get_row(admin: Admin, row_id: Any, if_none_match: IfNoneMatch = None) -> Any:
        row = await admin.queries.get(resource.name, row_id)
        return versioned(row, if_none_match=if_none_match) if hasattr(row, "version") else Response(row)

    example = f"GET /api/admin/{resource.name}/{example_id(resource)}"
    doc = f"One {resource.label_one.lower()}, whole."
    fn = shaped(get_row, doc, example, answer=answer_of(resource), row_id=id_type(resource))
    return route(get, resource, "view", "get", fn, row_path(resource))


def export_route(resource: Resource) -> HTTPRouteHandler:
    async def export_rows(admin: Admin, form: FileForm = "csv", **asked: Any) -> Stream:
        parts: AsyncIterator[bytes] = await admin.files.export(resource.name, asked_of(resource, asked), form)
        attached = {"Content-Disposition": f'attachment; filename="{resource.name}.{form}"'}
        return Stream(parts, media_type=FORMATS[form], headers=attached)

    doc = "The rows that match as a file, up to 100,000 of them. Texts never become formulas; secrets are left out."
    example = f"GET /api/admin/{resource.name}/export?form=csv"
    fn = shaped(export_rows, doc, example, list_parameters(resource))
    return route(get, resource, "export", "export", fn, "/export", opt={"produces": list(FORMATS.values())})


def dates_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def list_dates(admin: Admin, within: Within = "") -> list[FacetValue]:
        filters = {resource.date_hierarchy: [within]} if within else {}
        return await admin.queries.periods(resource.name, Asked(filters=filters))

    doc = f"How many there are by `{resource.date_hierarchy}`: of each year, month of a year, or day of a month."
    fn = shaped(list_dates, doc, f"GET /api/admin/{resource.name}/dates?within=2026-11")
    return route(get, resource, "view", "dates", fn, "/dates")


def options_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def list_options(admin: Admin, field: Any, q: Q = "") -> list[Option]:
        return await admin.queries.options(resource.name, field, q)

    names = [field.name for field in resource.fields.values() if field.reference]
    about = QueryParameter(max_length=100, schema_extra={"enum": names}, description="The reference.")
    example = f"GET /api/admin/{resource.name}/options?field={names[0]}&q=ada"
    doc = "What a reference may lead to, by what it is called."
    return route(
        get, resource, "view", "options", shaped(list_options, doc, example, field=Annotated[str, about]), "/options"
    )


def history_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def list_history(
        admin: Admin, row_id: FromPath[UUID], cursor: Cursor = None, limit: Limit = 50
    ) -> HistoryPage:
        return await admin.history.of_row(resource.name, row_id, cursor, limit)

    doc = "What happened to a row, newest first: who, when, through which interface, before and after."
    fn = shaped(list_history, doc, f"GET /api/admin/{resource.name}/{ID}/history")
    return route(get, resource, "view", "history", fn, "/{row_id:uuid}/history")
