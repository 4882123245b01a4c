"""The admin as somebody with rights uses it, without a face."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.factories import World, origin_for

from todo.access import Actor
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.database import Database
from todo.modules import REGISTRY

Serve = Callable[..., AdminService]


@pytest.fixture(autouse=True)
async def nothing_is_left(sql: Any) -> AsyncIterator[None]:
    """Roles and keys outlive other tests; those that are made here do not."""
    roles = await sql.fetchval("SELECT array_agg(id) FROM roles")
    keys = dict(await sql.fetch("SELECT id, status FROM signing_keys"))
    yield
    await sql.execute("DELETE FROM user_roles")
    await sql.execute("DELETE FROM roles WHERE id <> ALL($1)", roles)
    await sql.execute("DELETE FROM signing_keys WHERE id <> ALL($1)", [*keys])
    await sql.executemany("UPDATE signing_keys SET status = $2 WHERE id = $1", keys.items())


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
    return AdminService(registry, database, origin_for(boss))
