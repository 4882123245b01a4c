"""`/health`: the process answers for itself, and for what it depends on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from conftest import create_database, serving, settings_for
from database.wire import tapped
from factories import Person, World

from todo.app import create_app
from todo.database import Database
from todo.http.health import beat

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def test_a_process_that_answers_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_service_with_its_database_is_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok", "worker": "late"}


async def test_a_worker_that_beats_is_seen(client: httpx.AsyncClient, database: Database) -> None:
    await beat(database)
    await beat(database)

    answer = await client.get("/health/ready")

    assert answer.json()["worker"] == "ok"


async def test_a_worker_that_stopped_is_late_and_the_service_ready(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await beat(database)
    await sql.execute("UPDATE heartbeats SET seen_at = seen_at - $1::interval", timedelta(seconds=31))

    answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()["worker"]) == (200, "late")


@pytest.fixture
async def deserted(database_url: str, sql: object) -> AsyncIterator[Person]:
    """Somebody whose service has lost its database: nothing listens at the address any more."""
    async with AsyncExitStack() as stack, AsyncExitStack() as relay:
        wire = await relay.enter_async_context(tapped(database_url))
        settings = settings_for(wire.url, database_pool=2, database_overflow=0, actor_cache_seconds=5)
        app = await stack.enter_async_context(serving(create_app(settings)))
        world = World(app)
        stack.push_async_callback(world.close)
        person = await world.person("eve")
        await person.add()
        await relay.aclose()
        yield person


async def test_without_a_database_the_process_is_alive(deserted: Person) -> None:
    answer = await deserted.http.get("/health/live")

    assert answer.status_code == 200


async def test_without_a_database_the_service_is_not_ready(deserted: Person) -> None:
    answer = await deserted.http.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == {"status": "away", "database": "away", "migrations": "pending", "worker": "late"}


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_database_requests_are_told_to_come_back(
    deserted: Person, method: str, headers: dict[str, str]
) -> None:
    answer = await deserted.http.request(method, "/api/tasks", json={"title": "a"}, headers=headers)

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("change", [None, "UPDATE alembic_version SET version_num = 'older'"])
async def test_a_database_that_is_not_migrated_makes_the_service_unready(
    worker_id_or_main: str, change: str | None
) -> None:
    template = "todo_template" if change else "template1"
    url = await create_database(f"todo_unready_{worker_id_or_main}", template)
    if change:
        connection = await asyncpg.connect(url)
        await connection.execute(change)
        await connection.close()

    async with serving(create_app(settings_for(url, database_pool=2, database_overflow=0))) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == {"status": "away", "database": "ok", "migrations": "pending", "worker": "late"}
