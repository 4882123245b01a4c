"""`/admin/<resource>`: a list with everything that finds something in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from todo.admin.declaration import Resource
from todo.admin.fields import Field
from todo.admin.filters import PERIODS
from todo.admin.pages.guards import may_enter
from todo.admin.pages.pages import Pages
from todo.admin.pages.references import name_of, resolve
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.pages.state import ListState, read_state
from todo.admin.service import AdminService, Listed
from todo.database import now


@dataclass(frozen=True)
class Column:
    """A column as it is shown. `order` is what `aria-sort` says; `sort_href` is empty where it cannot be sorted by."""

    field: Field
    sort_href: str = ""
    order: str = ""


@dataclass(frozen=True)
class Chip:
    """A filter that is set, and the address without it."""

    label: str
    value: str
    href: str


class ListPages(Controller):
    """Lists."""

    guards = [may_enter]

    @get("/{resource:str}", operation_id="show_admin_list", opt={"any_query": True})
    async def show(
        self, pages: PagesDependency, request: Request[Any, Any, Any], resource: FromPath[str]
    ) -> Response[Any]:
        """The rows of a resource: filtered, searched, sorted, page by page.

        Example: `GET /admin/tasks?status=open&sort=-due_at`
        """
        admin = pages.admin(request)
        declared = admin.registry[resource]
        state = read_state(f"/admin/{resource}", request.scope["query_string"].decode("latin-1"))
        if state.named:
            return pages.go(await _with_references(admin, declared, state))
        found = await admin.page(resource, state.asked())
        return pages.render(request.scope, "list.html", **await _values(pages, admin, declared, state, found))


async def _values(
    pages: Pages, admin: AdminService, resource: Resource, state: ListState, found: Listed
) -> dict[str, Any]:
    shown = shown_columns(admin, resource, state)
    hidden = resource.hidden_from(admin.actor)
    verbs = (*resource.verbs, *resource.actions)
    return {
        "admin": admin, "resource": resource, "state": state, "found": found,
        "columns": [_column(resource, field, state) for field in shown],
        "all_fields": [field for field in resource.fields.values() if field.name not in hidden],
        "chips": [chip async for chip in _chips(admin, resource, state)],
        "may": {verb: admin.may(resource.name, verb) for verb in verbs},
        "actions": [one for one in resource.actions.values() if one.on == "row" and admin.may(resource.name, one.name)],
        "wide_actions": [
            one for one in resource.actions.values() if one.on != "row" and admin.may(resource.name, one.name)
        ],
        "hierarchy": list(hierarchy(state, resource.date_hierarchy, now().date())) if resource.date_hierarchy else [],
        "editable": {field.name for field in writable(admin, resource)},
        "names": {value: await name_of(admin, field, value) for field, value in _chosen_references(resource, state)},
        "periods": PERIODS,
    }  # fmt: skip


def shown_columns(admin: AdminService, resource: Resource, state: ListState) -> Sequence[Field]:
    """The chosen columns, or those the declaration names; never one that this actor may not see."""
    hidden = resource.hidden_from(admin.actor)
    names = [name for name in state.columns if name in resource.fields] or resource.columns or ("id",)
    return [resource.fields[name] for name in names if name not in hidden and not resource.fields[name].heavy]


def writable(admin: AdminService, resource: Resource) -> list[Field]:
    """The fields this actor may change."""
    if not admin.may(resource.name, "change"):
        return []
    hidden = resource.hidden_from(admin.actor)
    return [field for field in resource.fields.values() if field.on_change and field.name not in hidden]


def _chosen_references(resource: Resource, state: ListState) -> Iterator[tuple[Field, str]]:
    for name, values in state.filters.items():
        field = resource.fields.get(name)
        if field and field.reference:
            yield from ((field, value) for value in values)


def _column(resource: Resource, field: Field, state: ListState) -> Column:
    if field.name not in {"id", *resource.sorts}:
        return Column(field)
    first = (state.sort or resource.sort).split(",")[0]
    order = {field.name: "ascending", f"-{field.name}": "descending"}.get(first, "")
    wanted = f"-{field.name}" if order == "ascending" else field.name
    return Column(field, state.href(sort=wanted), order)


async def _chips(admin: AdminService, resource: Resource, state: ListState) -> Any:
    if state.q:
        yield Chip("Search", state.q, state.href(q=""))
    for name, values in state.filters.items():
        field = resource.fields.get(name)
        label = field.label if field else name.replace("_", " ").capitalize()
        for value in values:
            shown = await name_of(admin, field, value) if field else value
            rest = [one for one in values if one != value]
            yield Chip(label, shown, state.filtered(name, rest))


async def _with_references(admin: AdminService, resource: Resource, state: ListState) -> str:
    """The address of the list filtered by what was typed; raises Invalid when it names nothing, or several."""
    filters = dict(state.filters)
    for name, text in state.named.items():
        found = await resolve(admin, resource.name, resource.fields[name], text) if name in resource.fields else text
        filters[name] = tuple(dict.fromkeys((*filters.get(name, ()), found)))
    return state.href(filters=filters, named={})


def hierarchy(state: ListState, name: str, today: date) -> Iterator[tuple[str, str, bool]]:
    """Steps into the past: years, then the months of one, then its days. (what it is called, its address, chosen)"""
    chosen = next(iter(state.filters.get(name, ())), "")
    year, month = (chosen[:4], chosen[:7]) if chosen[:4].isdigit() else ("", "")
    yield "Any time", state.filtered(name, []), not chosen
    if not year:
        for one in range(today.year, today.year - 4, -1):
            yield str(one), state.filtered(name, [str(one)]), False
        return
    yield year, state.filtered(name, [year]), chosen == year
    if len(chosen) < 7:
        for number in range(1, 13):
            text = f"{year}-{number:02}"
            yield date(2000, number, 1).strftime("%b"), state.filtered(name, [text]), False
        return
    yield date(2000, int(month[5:]), 1).strftime("%B"), state.filtered(name, [month]), chosen == month
    for number in range(1, _days(int(year), int(month[5:])) + 1):
        text = f"{month}-{number:02}"
        yield str(number), state.filtered(name, [text]), chosen == text


def _days(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - date(year, month, 1)).days
