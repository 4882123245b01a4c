"""The routes that change one row, and imports."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from todo.admin.declaration import ModelAdmin
from todo.admin.rest.shaping import ID, Writer, answer_of, body_of, route, sent_of, shaped
from todo.admin.schemas import ImportReport, Preview
from todo.http.versions import IfMatch, versioned, versions_of
from todo.schema import Schema

File = Annotated[str, Meta(max_length=5_000_000, examples=["title,priority\nWater the plants,2\n"])]


Previewing = Annotated[bool, QueryParameter(description="Delete nothing: tell what a delete would take along.")]
DELETED = ResponseSpec(None, generate_examples=False, description="It is deleted.")


class ImportIn(Schema):
    """Rows to import: the text of a CSV file, or objects. Nothing is kept unless `apply`."""

    csv: File | UnsetType = UNSET
    rows: Annotated[list[dict[str, Any]], Meta(max_length=5_000)] | UnsetType = UNSET
    apply: bool = False


def writing_routes(resource: ModelAdmin[Any]) -> list[HTTPRouteHandler]:
    """What the declaration allows."""
    makers: dict[str, Callable[[ModelAdmin[Any]], HTTPRouteHandler]] = {
        "add": add_route, "change": change_route, "import": import_route, "delete": delete_route,
    }  # fmt: skip
    made = [make(resource) for verb, make in makers.items() if verb in resource.verbs]
    made += [revert_route(resource)] if "change" in resource.verbs else []
    return made + ([restore_route(resource)] if resource.trash else [])


def add_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def add_row(writer: Writer, data: Any) -> Any:
        return versioned(await writer.editor.add(resource.name, sent_of(data)), status_code=201)

    example = f"POST /api/admin/{resource.name}"
    doc = f"Add to the {resource.label.lower()}."
    fn = shaped(add_row, doc, example, answer=answer_of(resource), data=body_of(resource.new))
    return route(post, resource, "add", "add", fn)


def change_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def change_row(writer: Writer, row_id: FromPath[UUID], data: Any, if_match: IfMatch = None) -> Any:
        return versioned(
            await writer.editor.change(resource.name, row_id, sent_of(data), version=versions_of(if_match))
        )

    example = f"PATCH /api/admin/{resource.name}/{ID}"
    doc = "Change the fields you send; `null` clears one."
    fn = shaped(change_row, doc, example, answer=answer_of(resource), data=body_of(resource.patch))
    return route(patch, resource, "change", "change", fn, "/{row_id:uuid}")


def revert_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def revert_row(writer: Writer, row_id: FromPath[UUID], event_id: FromPath[UUID]) -> Any:
        return versioned(await writer.history.revert(resource.name, row_id, event_id))

    path = "/{row_id:uuid}/history/{event_id:uuid}/revert"
    doc = "Undo one change: its fields get the values they had before, unless they changed again."
    fn = shaped(
        revert_row, doc, f"POST /api/admin/{resource.name}/{ID}/history/{ID}/revert", answer=answer_of(resource)
    )
    return route(post, resource, "change", "revert", fn, path, status_code=200)


def delete_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def delete_row(
        writer: Writer, row_id: FromPath[UUID], preview: Previewing = False, if_match: IfMatch = None
    ) -> Response[Preview]:
        if preview:
            return Response(await writer.editor.preview(resource.name, [row_id]))
        await writer.editor.delete(resource.name, row_id, version=versions_of(if_match))
        nothing: Any = None
        return Response(nothing, status_code=204)

    doc = "Delete a row for good."
    if resource.trash:
        doc = "Move a row to the trash; one that lies there is deleted for good, which needs the permission to purge."
    fn = shaped(delete_row, doc, f"DELETE /api/admin/{resource.name}/{ID}?preview=true")
    return route(
        delete, resource, "delete", "delete", fn, "/{row_id:uuid}", status_code=200, responses={204: DELETED},
        response_description="With `preview`: what it would take along; nothing is deleted.",
    )  # fmt: skip


def restore_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def restore_row(writer: Writer, row_id: FromPath[UUID]) -> Any:
        return versioned(await writer.editor.restore(resource.name, row_id))

    example = f"POST /api/admin/{resource.name}/{ID}/restore"
    fn = shaped(restore_row, "Take a row out of the trash.", example, answer=answer_of(resource))
    return route(post, resource, "delete", "restore", fn, "/{row_id:uuid}/restore", status_code=200)


def import_route(resource: ModelAdmin[Any]) -> HTTPRouteHandler:
    async def import_rows(writer: Writer, data: JSONBody[ImportIn]) -> ImportReport:
        if data.csv is not UNSET:
            return await writer.files.import_rows(resource.name, data.csv.encode(), "csv", apply=data.apply)
        rows = msgspec.json.encode([] if data.rows is UNSET else data.rows)
        return await writer.files.import_rows(resource.name, rows, "json", apply=data.apply)

    doc = "Import rows: those with an `id` change that row, the others are added; all of them, or none."
    fn = shaped(import_rows, doc, f"POST /api/admin/{resource.name}/import")
    return route(post, resource, "import", "import", fn, "/import", status_code=200)
