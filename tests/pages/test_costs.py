"""What a page costs on the wire, whoever is before it: a number of its own, whatever the number of rows."""

from collections.abc import AsyncIterator

import httpx
import pytest
from conftest import serving, settings_for
from support.factories import World
from support.pages import Visitor
from support.wire import Wire, tapped

from todo.app import create_app

MANY = 20


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


@pytest.fixture
async def visitor(wire: Wire) -> AsyncIterator[Visitor]:
    """A superuser before a server of their own, whose round trips are counted."""
    settings = settings_for(wire.url, database_pool=4, database_overflow=0, actor_cache_seconds=5)
    async with serving(create_app(settings)) as app:
        world = World(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            yield await Visitor.enter(app, http, await world.person("boss", "superuser"))
        await world.close()


async def trips(wire: Wire, visitor: Visitor, path: str) -> int:
    """Round trips of a page once statements and connections are warm, and what is remembered has not just expired."""
    taken = []
    for _ in range(6):
        wire.trips = 0
        assert (await visitor.get(path)).status_code == 200
        taken.append(wire.trips)
    return min(taken)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/admin", 26),
        ("/admin/tasks", 8),
        ("/admin/tasks?q=water&status=open&sort=-due_at", 9),
        ("/admin/tasks/{task}", 14),
        ("/admin/tasks/{task}/history", 5),
        ("/admin/users/{user}", 8),
        ("/admin/audit", 8),
        ("/admin/docs/tasks", 1),
        ("/admin/health", 6),
    ],
)
async def test_a_page_costs_the_same_however_many_rows_there_are(
    wire: Wire, visitor: Visitor, path: str, most: int
) -> None:
    task = await visitor.person.add()
    address = path.format(task=task["id"], user=visitor.person.id)
    few = await trips(wire, visitor, address)
    for _ in range(MANY):
        await visitor.person.add()

    many = await trips(wire, visitor, address)

    assert many <= few  # fewer, where the first visit had to look up what is remembered
    assert few <= most
