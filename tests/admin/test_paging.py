"""Sorting by every column, and pages in both directions."""

from typing import Any

import pytest
from support.admin_rows import Rows
from support.factories import Person, World, origin_for

from todo.access import Actor
from todo.admin.declaration import ModelAdmin
from todo.admin.pages.languages import language_of
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Invalid
from todo.modules import REGISTRY

LARGE = {"audit"}


@pytest.fixture
async def root(world: World) -> Person:
    return await world.person("root", "superuser", timezone="UTC")


@pytest.fixture
def admin(database: Database, root: Person) -> AdminService:
    return AdminService(REGISTRY, database, origin_for(Actor(root.id, root.email, permissions=frozenset({"*"}))))


SORTED = [(one.name, name) for one in REGISTRY if isinstance(one, ModelAdmin) for name in one.sortable]


async def whole(admin: AdminService, resource: str, query: ListQuery) -> list[list[str]]:
    """All pages of a list, forwards."""
    pages, cursor = [], None
    while True:
        query.cursor = cursor
        page = await admin.queries.page(resource, query)
        pages.append([str(row.id) for row in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize("direction", ["", "-"])
@pytest.mark.parametrize(("resource", "name"), SORTED)
async def test_every_column_sorts_and_is_paged_in_both_directions(
    admin: AdminService, database: Database, root: Person, resource: str, name: str, direction: str
) -> None:
    rows = Rows(REGISTRY, database, root.id)
    for _ in range(5):
        await rows.of(REGISTRY.table(resource))
    query = ListQuery(sort=f"{direction}{name}", limit=2, facets=False)

    forwards = await whole(admin, resource, query)

    assert len({row for page in forwards for row in page}) == sum(map(len, forwards)) >= 5
    query.cursor = None
    last = await admin.queries.page(resource, ListQuery(sort=query.sort, limit=2, facets=False, before=None))
    for page in forwards[1:]:
        last = await admin.queries.page(
            resource, ListQuery(sort=query.sort, limit=2, facets=False, cursor=last.next_cursor)
        )
        assert [str(row.id) for row in last.items] == page
    for page in forwards[-2::-1]:
        last = await admin.queries.page(
            resource, ListQuery(sort=query.sort, limit=2, facets=False, before=last.previous_cursor)
        )
        assert [str(row.id) for row in last.items] == page
    assert last.previous_cursor is None
    for number, page in enumerate(forwards, 1):
        found = await admin.queries.page(resource, ListQuery(sort=query.sort, limit=2, facets=False), number=number)
        assert [str(row.id) for row in found.items] == page
        assert (found.previous_cursor is None, found.next_cursor is None) == (number == 1, number == len(forwards))
    first = await admin.queries.get(resource, forwards[0][0])
    assert str((await admin.queries.neighbor(resource, first, query, "next")).id) == forwards[0][1]
    assert await admin.queries.neighbor(resource, first, query, "previous") is None


async def test_a_reference_sorts_by_the_name_that_is_shown(admin: AdminService, root: Person, world: World) -> None:
    for name in ("zoe", "ada"):
        await (await world.person(name)).add(f"Of {name}")

    page = await admin.queries.page("tasks", ListQuery(sort="owner_id"))

    assert [row.display for row in page.items] == ["Of ada", "Of zoe"]


def test_columns_are_sortable_unless_declared_otherwise() -> None:
    tables = [one for one in REGISTRY if isinstance(one, ModelAdmin)]
    fixed = {
        one.name: missing
        for one in tables
        if (missing := [name for name in one.columns if name not in ("id", *one.sortable)])
    }

    assert {"title", "status", "owner_id"} <= {*REGISTRY["tasks"].sortable}
    assert {one.name for one in tables if one.large} == LARGE
    for name, missing in fixed.items():
        kinds = {REGISTRY[name].fields[column].kind for column in missing}
        read = {column for column, one in REGISTRY.table(name).computed.items() if one.read}
        assert name in LARGE or {*missing} <= read or kinds <= {"json", "list", "secret", "id"}, (name, missing)


async def test_pages_have_numbers_up_to_row_10000(admin: AdminService) -> None:
    last = await admin.queries.page("tasks", ListQuery(limit=50), number=200)

    with pytest.raises(Invalid) as refused:
        await admin.queries.page("tasks", ListQuery(limit=50), number=201)

    assert last.items == []
    assert [error.field for error in refused.value.errors] == ["query.page"]
    assert "up to row 10,000" in refused.value.errors[0].message


async def test_a_resource_that_is_not_a_table_is_paged_in_both_directions(admin: AdminService) -> None:
    first = await admin.queries.page("settings", ListQuery(limit=5))
    second = await admin.queries.page("settings", ListQuery(limit=5, cursor=first.next_cursor))

    again = await admin.queries.page("settings", ListQuery(limit=5, before=second.previous_cursor))

    by_number = await admin.queries.page("settings", ListQuery(limit=5), number=2)

    assert [row.id for row in by_number.items] == [row.id for row in second.items]
    assert [row.id for row in again.items] == [row.id for row in first.items]
    assert (first.previous_cursor, again.previous_cursor) == (None, None)


@pytest.mark.parametrize(
    ("number", "exact", "shown"),
    [(9_999, True, "9,999"), (10_000, False, "more than 10,000"), (62_349, False, "about 62,000"),
     (1_234_567, False, "about 1,200,000")],
)  # fmt: skip
def test_a_total_that_is_not_exact_says_so(number: Any, exact: bool, shown: str) -> None:
    assert language_of("en").about(number, exact) == shown
