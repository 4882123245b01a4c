"""Rows named by what names them, such as an e-mail address, in place of their id."""

from collections.abc import Mapping, Sequence

from todo.admin.declaration import Action, RowsAdmin
from todo.admin.filters import EMPTY, SET
from todo.admin.queries import MOST_CALLED, is_id
from todo.admin.service import AdminService
from todo.errors import Conflict, NotFound


async def resolve_values(admin: AdminService, resource: str, values: Mapping[str, str]) -> dict[str, str]:
    """Values of fields, with ids for the names of references. Raises Invalid."""
    found, resolved = admin.registry[resource], dict(values)
    for name, text in values.items():
        if name in found.fields and found.fields[name].kind == "reference":
            resolved[name] = await admin.queries.id_of(found.fields[name], text)
        elif name in found.fields and found.fields[name].reference:
            resolved[name] = await admin.queries.ids_of(found.fields[name], text)
    return resolved


async def resolve_form(admin: AdminService, action: Action, values: Mapping[str, str]) -> dict[str, str]:
    """Values of the form of an action, with ids for what names rows. Raises as `row_id_of`."""
    there = action.references
    return {name: await row_id_of(admin, there[name], text) if name in there else text for name, text in values.items()}


async def resolve_filters(
    admin: AdminService, resource: str, filters: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Filters, with ids for the names of references. Raises Invalid."""
    fields = admin.registry[resource].fields
    return {
        name: [
            await admin.queries.id_of(fields[name], text)
            if name in fields and fields[name].kind == "reference" and text not in (EMPTY, SET)
            else text
            for text in texts
        ]
        for name, texts in filters.items()
    }


async def row_id_of(admin: AdminService, resource: str, text: str) -> str:
    """The id of the row named `text`, which may be the id itself. Raises Forbidden, NotFound, Conflict for several."""
    found = admin.registry[resource]
    if is_id(text) or isinstance(found, RowsAdmin):
        return text
    rows = await admin.queries.called(resource, text) if found.search else []
    if len(rows) == 1:
        return rows[0].value
    one, name = found.label_one.lower(), found.fields[found.display].label.lower()
    names = "its id" if name == "id" or not found.search else f"its id or its {name}"
    if rows:
        if len(rows) >= MOST_CALLED:
            raise Conflict(f"There are many {found.label.lower()} named {text}: give the id.")
        raise Conflict(f"There are {len(rows)} {found.label.lower()} named {text}: give the id.")
    raise NotFound(f"There is no {one} {text}: give {names}.")
