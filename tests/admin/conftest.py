"""The admin as somebody with rights uses it, without a face."""

from collections.abc import Callable

import pytest
from factories import World

from todo.access import Actor
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.app import REGISTRY
from todo.database import Database

Serve = Callable[..., AdminService]


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
async def boss(world: World) -> Actor:
    """Somebody who may do everything."""
    person = await world.person("boss", "superuser", timezone="UTC")
    return Actor(id=person.id, name=person.email, permissions=frozenset({"*"}))


@pytest.fixture
def admin(registry: Registry, database: Database, boss: Actor) -> AdminService:
    return AdminService(registry, database, boss)
