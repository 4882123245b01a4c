"""`/admin/<resource>`: the list of a resource, with filters, search, sorting and columns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import ceil
from typing import Any, NamedTuple

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from todo.admin.declaration import Resource
from todo.admin.fields import Field
from todo.admin.filters import EMPTY, SET
from todo.admin.pages.guards import may_enter
from todo.admin.pages.languages import Language
from todo.admin.pages.list_state import LIMITS, ListState, read_state
from todo.admin.pages.row_menus import row_menus
from todo.admin.pages.sign_in import PagesDependency
from todo.admin.pages.wrong_filters import Errors, read_list, with_references
from todo.admin.schemas import Facet, ListResult
from todo.admin.service import AdminService

FEW_PAGES = 7  # all of which are shown
CALENDAR = re.compile(r"\d{4}(-\d{2}){0,2}")


@dataclass(frozen=True)
class Column:
    """A column. `order` is the value of `aria-sort`; `sort_href` is empty where sorting is not possible."""

    field: Field
    sort_href: str = ""
    order: str = ""


@dataclass(frozen=True)
class Chip:
    """An active filter, and the URL without it."""

    label: str
    value: str
    href: str


class Step(NamedTuple):
    """A step of the date hierarchy: label, URL and number of rows."""

    label: str
    href: str
    number: int | None
    chosen: bool


class ListPages(Controller):
    """List pages."""

    guards = [may_enter]

    @get("/{resource:str}", operation_id="show_admin_list", opt={"any_query": True})
    async def show(
        self, pages: PagesDependency, request: Request[Any, Any, Any], resource: FromPath[str]
    ) -> Response[Any]:
        """List the rows of a resource: filtered, searched, sorted, page by page.

        Example: `GET /admin/tasks?status=open&sort=-due_at`
        """
        admin = pages.admin(request)
        declared = admin.registry[resource]
        state = read_state(f"/admin/{resource}", request.scope["query_string"].decode("latin-1"))
        named = state.named
        state, unclear = await with_references(admin, declared, state)
        if named and not unclear:
            return pages.go(state.href())
        found, errors = await read_list(admin, declared, state, unclear)
        if not found.items and state.number > 1 and found.total_is_exact and not errors:
            return pages.go(state.href(page=last_page(found, state)))
        values = await _values(pages.language(request.scope), admin, declared, state, found, errors)
        values["menu_of"] = row_menus(pages, admin, declared, state)
        values["filters_hidden"] = pages.cookies.read(request.scope, pages.cookies.filters) == "hidden"
        return pages.render(request.scope, "list.html", 422 if errors else 200, **values)


async def _values(
    say: Language, admin: AdminService, resource: Resource, state: ListState, found: ListResult, errors: Errors
) -> dict[str, Any]:  # fmt: skip
    shown = shown_columns(admin, resource, state)
    changes = admin.may(resource.name, "change")
    in_place = changes and "change" not in resource.dangerous
    verbs = (*resource.verbs, *resource.actions)
    return {
        "admin": admin, "resource": resource, "state": state, "found": found, "page_sizes": LIMITS,
        "columns": [_column(resource, field, state, few=found.total_is_exact) for field in shown],
        "all_fields": visible_fields(admin, resource),
        "numbers": page_numbers(state.number, last_page(found, state)) if found.total_is_exact else [],
        "chips": list(_chips(say, state, found.facets)),
        "may": {verb: admin.may(resource.name, verb) for verb in verbs},
        "actions": [one for one in resource.actions.values() if one.on == "row" and admin.may(resource.name, one.name)],
        "wide_actions": [
            one for one in resource.actions.values() if one.on != "row" and admin.may(resource.name, one.name)
        ],
        "hierarchy": [] if errors else await hierarchy(say, admin, resource, state),
        "views": await admin.views.of_list(resource.name),
        "may_save_views": admin.may("saved_views", "add") and not errors,
        "errors": errors, "problems": list(_problems(state, found.facets, errors)),
        "editable": {field.name for field in admin.editor.writable(resource.name, adding=False)} if in_place else set(),
    }  # fmt: skip


def _problems(state: ListState, facets: Sequence[Facet], errors: Errors) -> Iterator[tuple[str, str]]:
    """Return what is wrong: the label of the filter, if it is one, and the message."""
    labels = {facet.name: facet.label for facet in facets}
    for name, message in errors.items():
        yield labels.get(name, name if name in state.filters or name in state.named else ""), message


def last_page(found: ListResult, state: ListState) -> int:
    return max(1, ceil((found.total or 0) / state.limit))


def page_numbers(number: int, last: int) -> list[int]:
    """Return the numbers of the first and last pages, and of those beside this one; 0 stands for some between."""
    if last <= FEW_PAGES:
        return list(range(1, last + 1))
    near = {1, last, *range(max(1, number - 1), min(last, number + 1) + 1)}
    near |= {page for page in range(1, last + 1) if {page - 1, page + 1} <= near}
    return [one for page in sorted(near) for one in ((page,) if page == 1 or page - 1 in near else (0, page))]


def shown_columns(admin: AdminService, resource: Resource, state: ListState) -> Sequence[Field]:
    """Return the chosen columns, or the declared ones, without fields that this actor may not see."""
    hidden = resource.hidden_from(admin.actor)
    names = [name for name in state.columns if name in resource.fields] or resource.columns or ("id",)
    fields = (as_seen(admin, resource.fields[name]) for name in names if name not in hidden)
    return [field for field in fields if not field.heavy]


def visible_fields(admin: AdminService, resource: Resource) -> list[Field]:
    """Return the fields this actor may see."""
    hidden = resource.hidden_from(admin.actor)
    return [as_seen(admin, field) for field in resource.fields.values() if field.name not in hidden]


def as_seen(admin: AdminService, field: Field) -> Field:
    """Return a field as the actor sees it: a reference to what they may not view is no link."""
    return replace(field, linked=not field.reference or admin.may(field.reference, "view"))


def _column(resource: Resource, field: Field, state: ListState, *, few: bool) -> Column:
    if field.name not in {"id", *resource.sortable} or not (few or resource.has_index_for(field.name)):
        return Column(field)
    first = (state.sort or resource.sort).split(",")[0]
    order = {field.name: "ascending", f"-{field.name}": "descending"}.get(first, "")
    wanted = f"-{field.name}" if order == "ascending" else field.name
    return Column(field, state.href(sort=wanted), order)


def _chips(say: Language, state: ListState, facets: Sequence[Facet]) -> Iterator[Chip]:
    """Return the active filters with URLs to remove them."""
    labels = {(facet.name, one.value): one.label for facet in facets for one in facet.values}
    named = {facet.name: facet.label for facet in facets}
    typed = {facet.name for facet in facets if facet.kind == "text"}
    if state.q:
        yield Chip("Search", state.q, state.href(q=""))
    for name, values in state.filters.items():
        for value in values:
            shown = (
                value if name in typed and value not in (EMPTY, SET) else say.words(labels.get((name, value), value))
            )
            yield Chip(named.get(name, name), shown, state.filtered(name, [one for one in values if one != value]))
    for name, text in state.named.items():
        yield Chip(named.get(name, name), text, state.href())


async def hierarchy(say: Language, admin: AdminService, resource: Resource, state: ListState) -> list[Step]:
    """Return the steps of the date hierarchy: years, months of a year, or days of a month, with counts."""
    name = resource.date_hierarchy
    if not name or name in resource.hidden_from(admin.actor) or state.match == "any":
        return []
    chosen = next(iter(state.filters.get(name, ())), "")
    above = [chosen[:length] for length in (4, 7) if CALENDAR.fullmatch(chosen) and len(chosen) >= length]
    steps = [Step(say.gettext("Any time"), state.filtered(name, []), None, not chosen)]
    steps += [Step(_called(one, say), state.filtered(name, [one]), None, one == chosen) for one in above]
    for value in await admin.queries.periods(resource.name, state.list_query()):
        here = value.value == chosen
        steps.append(Step(_called(value.value, say), state.filtered(name, [value.value]), value.count, here))
    return steps


def _called(value: str, say: Language) -> str:
    """Return the label of a year, month or day: 2026, Nov, 25."""
    if len(value) == 7:
        return say.month(date.fromisoformat(f"{value}-01"))
    return value[8:].lstrip("0") or value
