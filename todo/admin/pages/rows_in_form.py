"""The rows below a row that are lines of its form."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from todo.admin.declaration import Resource
from todo.admin.editor import Editor
from todo.admin.fields import Field
from todo.admin.inlines import Inline
from todo.admin.pages.forms import Sent, read_values
from todo.admin.pages.grids import EMPTY, Grid, Line
from todo.admin.schemas import ListResult
from todo.admin.service import AdminService
from todo.admin.together import Edit, NotSaved, RowNotSaved, add_with_rows, save_with_rows
from todo.errors import Invalid, Problem

MOST = 50  # rows of one resource; what has more is not in the form
Problems = Mapping[str, Mapping[int, Problem]]


def grid_in_form(admin: AdminService, inline: Inline, found: ListResult, sent: Sent | None = None) -> Grid | None:
    """Return the lines of these rows, or None where they are a list of their own: of many, or not to be changed.

    A form that was `sent` with lines keeps them, whatever has become of the rows since.
    """
    if not inline.in_form:
        return None
    were_lines = f"_count-{inline.resource}" in (sent or {})
    grid = Grid(admin, inline, found.items, in_form=True)
    are_few = not found.next_cursor and len(found.items) <= MOST
    return grid if grid.columns and grid.may_change and (were_lines or are_few and grid.changes_all) else None


async def grids_of(admin: AdminService, declared: Resource, row: Any, sent: Sent) -> dict[str, Grid]:
    """Return the lines of a row's form that was sent, by their resource."""
    inlines = [one for one in declared.inlines if one.in_form]
    found = await admin.queries.inlines(declared.name, row.id, most=MOST) if inlines else {}
    grids = {
        one.resource: grid_in_form(admin, one, found[one.resource], sent) for one in inlines if one.resource in found
    }
    return {name: grid for name, grid in grids.items() if grid is not None}


def new_grids(admin: AdminService, declared: Resource) -> dict[str, Grid]:
    """Return the lines of the form of a new row, by their resource: of those that this actor may add."""
    if not admin.may(declared.name, "view"):  # rows below may refer only to what one may see
        return {}
    inlines = [one for one in declared.inlines if one.in_form and admin.may(one.resource, "add")]
    return {one.resource: Grid(admin, one, [], in_form=True, of_new=True) for one in inlines}


async def copied_lines(
    admin: AdminService, declared: Resource, row: Any
) -> tuple[dict[str, list[str]], list[Resource]]:
    """Return the lines of a row's form as those of a new row, and the resources of which there are too many."""
    grids, sent, too_many = new_grids(admin, declared), dict[str, list[str]](), list[Resource]()
    found = await admin.queries.inlines(declared.name, row.id, most=MOST) if grids else {}
    for name in grids.keys() & found.keys():
        if found[name].next_cursor:
            too_many.append(grids[name].resource)
        else:
            sent |= grids[name].copied(found[name].items)
    return sent, too_many


def lines_of(grid: Grid, sent: Sent | None, problems: Problems) -> list[Line]:
    """Return the lines as they are, or as they were sent: with more empty ones or moved, if that was asked for."""
    if not sent or f"_count{grid.mark}" not in sent:
        return grid.lines()
    name = grid.resource.name
    places = _moved(grid.places(sent), sent) if _asked(sent, "_move").startswith(f"{name} ") else None
    more = EMPTY if _asked(sent, "_more") == name else 0
    return grid.again(sent, problems.get(name, {}), more, places)


def asks_for_lines(sent: Sent) -> bool:
    """Return whether the form is to be shown again rather than saved."""
    return "_more" in sent or "_move" in sent


async def read_form(
    admin: AdminService, fields: Sequence[Field], grids: Mapping[str, Grid], sent: Sent, row_id: Any = None
) -> tuple[dict[str, str], dict[str, list[Edit]]]:
    """Return what was typed into the fields of a row, all for a new one, and into its lines, by their resource.

    Raise RowNotSaved for values that cannot be read.
    """
    values, problem = dict[str, str](), None
    edits, problems = dict[str, list[Edit]](), dict[str, Mapping[int, Problem]]()
    try:
        values = await read_values(admin, fields, sent, admin.actor.timezone, whole=row_id is None)
    except Invalid as invalid:
        problem = invalid
    for name, grid in grids.items():
        if f"_count{grid.mark}" not in sent:
            continue
        try:
            found = await grid.edits(sent)
        except NotSaved as refused:
            problems[name] = refused.problems
            continue
        edits[name] = below(found, grid.inline, row_id) if row_id else found
    if problem or problems:
        raise RowNotSaved(problem, problems)
    return values, {name: found for name, found in edits.items() if found}


def verbs_of(edits: Mapping[str, Sequence[Edit]]) -> Collection[tuple[str, str]]:
    """Return what is done to rows, as resources and verbs."""
    return {(name, one.verb) for name, found in edits.items() for one in found}


def below(edits: Sequence[Edit], inline: Inline, row_id: Any) -> list[Edit]:
    """Return the edits with new rows that refer to the row."""
    return [one if one.row_id else one._replace(values={**one.values, inline.via: str(row_id)}) for one in edits]


async def add_form(
    admin: AdminService, resource: str, values: Mapping[str, str], edits: Mapping[str, Sequence[Edit]]
) -> Any:
    """Add a row with those of its form."""
    if edits:
        return await add_with_rows(admin, resource, values, edits)
    return await admin.editor.add(resource, values, lax=True)


async def save_form(
    admin: AdminService,
    resource: str,
    row: Any,
    values: Mapping[str, str],
    version: int,
    edits: Mapping[str, Sequence[Edit]],
) -> Any:
    """Change a row with those of its form; its version matters where something was typed into itself."""

    async def change(editor: Editor) -> Any:
        return await editor.change(resource, row.id, values, version=version, lax=True) if values or not edits else row

    return await (save_with_rows(admin, change, edits) if edits else change(admin.editor))


def carried(sent: Sent, grids: Mapping[str, Grid]) -> list[tuple[str, str]]:
    """Return the fields of lines, for a page that asks about the row first."""
    marks = [grid.mark for grid in grids.values()]
    names = [name for name in sent if any(f"{name}-".find(f"{mark}-") > 0 for mark in marks)]
    return [(name, text) for name in names for text in sent[name]]


def _asked(sent: Sent, name: str) -> str:
    return sent.get(name, [""])[-1]


def _moved(places: list[int], sent: Sent) -> list[int]:
    """Return the places in another order: that of `_move`, such as `sections 3 up`."""
    if not places:
        return places
    _, place, step = (*_asked(sent, "_move").split(" "), "", "")[:3]
    at = places.index(int(place)) if place.isascii() and place.isdigit() and int(place) in places else 0
    to = max(0, min(len(places) - 1, at + {"up": -1, "down": 1}.get(step, 0)))
    places.insert(to, places.pop(at))
    return places
