"""What a page of the admin costs on the wire: the same for one row and for many, whatever the resource."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from conftest import settings_for
from support.admin_rows import Rows
from support.factories import Person, World, origin_for
from support.wire import Wire, tapped

from todo.access import Actor
from todo.admin.declaration import ModelAdmin
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.modules import REGISTRY

TABLES = [one for one in REGISTRY if isinstance(one, ModelAdmin)]
IDS = {"ids": lambda value: value.name}
MANY = 30


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


@pytest.fixture
async def root(world: World) -> Person:
    return await world.person("root", "superuser", timezone="UTC")


@pytest.fixture
async def admin(wire: Wire, root: Person) -> AsyncIterator[AdminService]:
    settings = settings_for(wire.url, database_pool=4, database_overflow=0)
    database = await Database(settings).open()
    yield AdminService(REGISTRY, database, origin_for(Actor(root.id, root.email, permissions=frozenset({"*"}))))
    await database.close()


async def trips(wire: Wire, work: Callable[[], Awaitable[Any]]) -> int:
    """Round trips, once statements and connections are warm: which connection gets which statement is open."""
    found = []
    for _ in range(9):
        wire.trips = 0
        await work()
        found.append(wire.trips)
    return min(found[6:])


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_a_list_costs_the_same_however_many_rows_there_are(
    wire: Wire, admin: AdminService, database: Database, root: Person, resource: ModelAdmin[Any]
) -> None:
    rows = Rows(REGISTRY, database, root.id)
    await rows.of(resource)
    few = await trips(wire, lambda: admin.queries.page(resource.name))
    for _ in range(MANY):
        await rows.of(resource)

    many = await trips(wire, lambda: admin.queries.page(resource.name))

    assert len((await admin.queries.page(resource.name)).items) > MANY
    assert (few, many) == (3, 3)  # what indexes have for each filter; the rows; the total with all facets
    # Rows that everybody sees only some of are a filter.
    filtered = resource.scope(Actor(root.id, "root", permissions=frozenset({"*"}))) is not None
    assert await trips(wire, lambda: admin.queries.page(resource.name, ListQuery(facets=False))) == 1 + filtered


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_a_row_costs_one_and_its_history_two(
    wire: Wire, admin: AdminService, database: Database, root: Person, resource: ModelAdmin[Any]
) -> None:
    row_id = await Rows(REGISTRY, database, root.id).of(resource)

    assert await trips(wire, lambda: admin.queries.get(resource.name, row_id)) == 1
    assert await trips(wire, lambda: admin.history.of_row(resource.name, row_id)) == 2
    # The rows of each, and where no index has these in order, first how many there are.
    assert await trips(wire, lambda: admin.queries.inlines(resource.name, row_id)) <= 2 * len(resource.inlines)


async def test_the_search_asks_twice_for_each_resource_that_can_be_searched(wire: Wire, admin: AdminService) -> None:
    searched = [one for one in TABLES if one.search]

    assert await trips(wire, lambda: admin.queries.search("water")) == 2 * len(searched)
