"""Handlers that change rows: one, many, all that match; and imports."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, delete, patch, post
from litestar.params import FromPath
from msgspec import UNSET

from todo.admin.rest.parameters import (
    ActorRequest,
    ImportIn,
    Previewing,
    Writer,
    body_for_many,
    form_of,
    read_body,
    sent_of,
)
from todo.admin.schemas import ImportReport, ListQuery, Outcome, Selection
from todo.errors import FieldError, Invalid
from todo.http.etags import IfMatch, versioned, versions_of


@post(operation_id="admin_rest_add", opt={"kind": "add"})
async def add_row(writer: Writer, request: ActorRequest, resource: FromPath[str]) -> Response[Any]:
    """Add a row.

    Example: `POST /api/admin/tasks`
    """
    data = await read_body(request, writer.context.table(resource, "add").new)
    return versioned(await writer.editor.add(resource, sent_of(data)), status_code=201)


@patch("/{row_id:str}", operation_id="admin_rest_change", opt={"kind": "change"})
async def change_row(
    writer: Writer, request: ActorRequest, resource: FromPath[str], row_id: FromPath[str], if_match: IfMatch = None
) -> Response[Any]:
    """Change the given fields; `null` clears a field.

    Example: `PATCH /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000`
    """
    data = await read_body(request, writer.context.table(resource, "change").patch)
    return versioned(await writer.editor.change(resource, row_id, sent_of(data), version=versions_of(if_match)))


@delete("/{row_id:str}", operation_id="admin_rest_delete", opt={"kind": "delete"}, status_code=200)
async def delete_row(
    writer: Writer, resource: FromPath[str], row_id: FromPath[str], preview: Previewing = False,
    if_match: IfMatch = None,
) -> Response[Any]:  # fmt: skip
    """Move a row to the trash. Delete it permanently if it is in the trash or there is none.

    Example: `DELETE /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000?preview=true`
    """
    if preview:
        return Response(await writer.editor.preview(resource, [row_id]))
    await writer.editor.delete(resource, row_id, version=versions_of(if_match))
    return Response(None, status_code=204)


@post("/{row_id:str}/restore", operation_id="admin_rest_restore", opt={"kind": "restore"}, status_code=200)
async def restore_row(writer: Writer, resource: FromPath[str], row_id: FromPath[str]) -> Response[Any]:
    """Restore a row from the trash.

    Example: `POST /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/restore`
    """
    return versioned(await writer.editor.restore(resource, row_id))


@post(
    "/{row_id:str}/history/{event_id:uuid}/revert",
    operation_id="admin_rest_revert",
    opt={"kind": "revert"},
    status_code=200,
)
async def revert_row(
    writer: Writer, resource: FromPath[str], row_id: FromPath[str], event_id: FromPath[UUID]
) -> Response[Any]:
    """Revert one change: restore its fields to their previous values, unless they have changed since.

    Example: `POST /api/admin/tasks/{row_id}/history/0190f5f0-7c1d-7000-8000-000000000000/revert`
    """
    return versioned(await writer.history.revert(resource, row_id, event_id))


@post("/import", operation_id="admin_rest_import", opt={"kind": "import"}, status_code=200)
async def import_rows(writer: Writer, request: ActorRequest, resource: FromPath[str]) -> ImportReport:
    """Import rows: those with an `id` change that row, the others are added. All rows are imported, or none.

    Example: `POST /api/admin/tasks/import`
    """
    data = await read_body(request, ImportIn)
    if data.csv is not UNSET:
        return await writer.imports.import_rows(resource, data.csv.encode(), "csv", apply=data.apply)
    rows = msgspec.json.encode([] if data.rows is UNSET else data.rows)
    return await writer.imports.import_rows(resource, rows, "json", apply=data.apply)


@post(
    "/{row_id:str}/actions/{name:str}",
    operation_id="admin_rest_act_on_one",
    opt={"kind": "act_on_one"},
    status_code=200,
)
async def act_on_one(
    writer: Writer, request: ActorRequest, resource: FromPath[str], row_id: FromPath[str], name: FromPath[str],
    if_match: IfMatch = None,
) -> Outcome:  # fmt: skip
    """Run an action on a row.

    Example: `POST /api/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000/actions/complete`
    """
    form = await _form(writer, request, resource, name)
    return await writer.actions.act_on_one(resource, name, row_id, form, version=versions_of(if_match))


@post("/actions/{name:str}", operation_id="admin_rest_act_on_many", opt={"kind": "act_on_many"}, status_code=200)
async def act_on_many(writer: Writer, request: ActorRequest, resource: FromPath[str], name: FromPath[str]) -> Outcome:
    """Run an action on many rows, or on the resource as a whole. More than 100 rows run in the background.

    Example: `POST /api/admin/tasks/actions/complete`
    """
    action = writer.registry[resource].actions.get(name)
    if action is not None and action.on == "resource":
        return await writer.actions.act(resource, name, Selection(), await _form(writer, request, resource, name))
    data = await read_body(request, body_for_many(writer.registry.table(resource), name))
    matching = data.matching
    if matching is not None:
        matching = ListQuery(filters=matching.filters, match=matching.match, q=matching.q, trash=matching.trash)
    given = sent_of(data.form) if hasattr(data, "form") else {}
    try:
        return await writer.actions.act(resource, name, Selection(ids=data.ids, matching=matching), given)
    except Invalid as refused:
        raise Invalid(refused.detail, errors=[_in_the_body(error) for error in refused.errors]) from None


async def _form(writer: Writer, request: ActorRequest, resource: str, name: str) -> dict[str, Any]:
    """Return the form of an action. The body is ignored when the action has no form."""
    form = form_of(writer.registry[resource], name)
    return {} if form is None else sent_of(await read_body(request, form))


def _in_the_body(error: FieldError) -> FieldError:
    """Convert the field name of a list parameter to its place in `matching`."""
    place, _, name = error.field.partition(".")
    where = "body.matching" if name in {"q", "trash"} else "body.matching.filters"
    return FieldError(f"{where}.{name}", error.message, error.code) if place == "query" else error


WRITES = [add_row, change_row, delete_row, restore_row, revert_row, import_rows, act_on_one, act_on_many]
