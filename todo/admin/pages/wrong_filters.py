"""Lists that are asked for with wrong values: what is wrong with which, and the list without them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from todo.admin.declaration import Resource
from todo.admin.pages.list_state import ListState
from todo.admin.schemas import ListQuery, ListResult
from todo.admin.service import AdminService
from todo.errors import FieldError, Invalid

ATTEMPTS = 3  # a resource without a table reports one wrong value at a time
Errors = Mapping[str, str]  # messages by the names of filters, or of other parts of the state


async def with_references(admin: AdminService, resource: Resource, state: ListState) -> tuple[ListState, Errors]:
    """Return the list with ids for the names of references, and what is wrong with those that name none or several."""
    fields = getattr(resource, "filtered", resource.fields)
    filters, unclear, errors = dict(state.filters), dict[str, str](), dict[str, str]()
    for name, text in state.named.items():
        try:
            found = await admin.queries.id_of(fields[name], text) if name in fields else text
        except Invalid as problem:
            unclear[name], errors[name] = text, problem.errors[0].message
        else:
            filters[name] = tuple(dict.fromkeys((*filters.get(name, ()), *filter(None, [found]))))
    return replace(state, filters={name: texts for name, texts in filters.items() if texts}, named=unclear), errors


async def read_list(
    admin: AdminService, resource: Resource, state: ListState, errors: Errors
) -> tuple[ListResult, Errors]:
    """Return the page, and what is wrong. Where anything is, it has no rows: only the filters that the list has."""
    query, number, found = state.list_query(), state.page, dict(errors)
    for _ in range(ATTEMPTS):
        try:
            return _without_rows(await admin.queries.page(resource.name, query, number=number), found), found
        except Invalid as problem:
            wrong = problem.errors or [FieldError("query", problem.detail)]
            found |= {error.field.removeprefix("query."): error.message for error in wrong}
            query, number = _without(query, [*found]), 1
    return _without_rows(await admin.queries.page(resource.name, ListQuery()), found), found


def _without(query: ListQuery, names: Sequence[str]) -> ListQuery:
    """Return a query without its wrong parts, on its first page."""
    filters = {name: texts for name, texts in query.filters.items() if name not in names}
    parts = {"q": "", "sort": "", "trash": False}
    wrong = {name: nothing for name, nothing in parts.items() if name in names}
    return msgspec.structs.replace(query, filters=filters, cursor=None, before=None, **wrong)


def _without_rows(page: ListResult, errors: Errors) -> ListResult:
    return ListResult([], None, facets=page.facets) if errors else page
