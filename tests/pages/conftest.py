"""People before the admin pages, without a real browser: what the server answers."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from litestar import Litestar
from support.factories import Person, World
from support.pages import Visitor

Entering = Callable[[Person], Awaitable[Visitor]]


@pytest.fixture
async def entering(app: Litestar) -> AsyncIterator[Entering]:
    """Signs people in, each in a browser of their own."""
    clients: list[httpx.AsyncClient] = []

    async def enter(person: Person) -> Visitor:
        clients.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test"))
        return await Visitor.enter(app, clients[-1], person)

    yield enter
    for client in clients:
        await client.aclose()


@pytest.fixture
async def boss(world: World) -> Person:
    """Somebody who may do everything."""
    return await world.person("boss", "superuser", timezone="UTC")


@pytest.fixture
async def visitor(entering: Entering, boss: Person) -> Visitor:
    return await entering(boss)
