"""The queue: jobs in the caller's transaction, run by a real worker."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from factories import Person

from todo.app import FUNCTIONS, LOOPS
from todo.database import Database
from todo.loops import run_once
from todo.queue import SCHEMA_VERSION, enqueue, new_worker

Sql = Any


@asynccontextmanager
async def working(database: Database) -> AsyncIterator[None]:
    """A real SAQ worker for the time of the block."""
    worker = new_worker(database.settings, database, [], FUNCTIONS)
    await worker.queue.connect()
    life = asyncio.create_task(worker.start())
    try:
        yield
    finally:
        await worker.stop()
        await life
        await worker.queue.disconnect()


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what a worker does; fails after twenty seconds."""
    for _ in range(400):
        if await so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the worker did not do it")


async def test_the_tables_that_enqueue_writes_to_are_as_it_knows_them(sql: Sql) -> None:
    assert await sql.fetchval("SELECT version FROM saq_versions") == SCHEMA_VERSION


async def test_a_job_of_a_transaction_that_fails_never_was(database: Database, sql: Sql) -> None:
    with pytest.raises(RuntimeError):
        async with database.session() as session:
            await enqueue(session, "follow_timezone", user_id="x")
            raise RuntimeError

    assert await sql.fetchval("SELECT count(*) FROM saq_jobs") == 0


async def test_a_job_is_tried_again_when_its_worker_dies(database: Database, sql: Sql) -> None:
    async with database.session() as session:
        await enqueue(session, "follow_timezone", user_id="x")

    job = json.loads(await sql.fetchval("SELECT job FROM saq_jobs"))
    assert job["retries"] == 3
    assert job["timeout"] > 0
    assert "group_key" not in job


async def test_what_is_due_wherever_the_owner_is_follows_a_move(ada: Person, database: Database) -> None:
    day = await ada.add(due={"kind": "day", "date": "2031-01-31"})
    floating = await ada.add(due={"kind": "floating", "at": "2031-01-31T09:00"})
    zoned = await ada.add(due={"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "Europe/Berlin"})
    await ada.add(due={"kind": "floating", "at": "2031-01-31T09:00"}, recurrence={"rrule": "FREQ=DAILY"})

    moved = await ada.http.patch("/api/auth/me", json={"timezone": "America/New_York"})

    async def due(task: dict[str, Any]) -> str:
        return str((await ada.http.get(f"/api/tasks/{task['id']}")).json()["due_at"])

    async def has_moved() -> bool:
        return await due(day) != day["due_at"]

    async with working(database):
        await until(has_moved)
    assert moved.json()["timezone"] == "America/New_York"
    assert await due(day) == "2031-01-31T05:00:00Z"
    assert await due(floating) == "2031-01-31T14:00:00Z"
    assert await due(zoned) == zoned["due_at"]


async def test_a_series_goes_on_where_its_owner_has_moved(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due={"kind": "floating", "at": "2031-01-31T09:00"}, recurrence={"rrule": "FREQ=DAILY"})
    await ada.http.patch("/api/auth/me", json={"timezone": "America/New_York"})

    async def has_moved() -> bool:
        return bool(await sql.fetchval("SELECT owner_timezone = 'America/New_York' FROM series"))

    async with working(database):
        await until(has_moved)
    await run_once(database, LOOPS)

    assert str(await sql.fetchval("SELECT next_run_at FROM series")) == "2031-02-01 14:00:00+00:00"


async def test_an_open_turn_expires_in_time_where_its_owner_has_moved(
    ada: Person, database: Database, sql: Sql
) -> None:
    recurrence = {"rrule": "FREQ=YEARLY", "on_missed": "expire", "expire_after_seconds": 3600}
    await ada.add(due={"kind": "floating", "at": "2031-01-31T09:00"}, recurrence=recurrence)
    await ada.http.patch("/api/auth/me", json={"timezone": "America/New_York"})

    async def has_moved() -> bool:
        return bool(await sql.fetchval("SELECT owner_timezone = 'America/New_York' FROM series"))

    async with working(database):
        await until(has_moved)
    await run_once(database, LOOPS)

    assert str(await sql.fetchval("SELECT next_run_at FROM series")) == "2031-01-31 15:00:00+00:00"


async def test_changing_ones_account_needs_its_version_and_a_real_zone(ada: Person) -> None:
    stale = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"9"'})
    unreal = await ada.http.patch("/api/auth/me", json={"timezone": "Mars/Base"})
    renamed = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"1"'})

    assert (stale.status_code, unreal.status_code, renamed.status_code) == (412, 422, 200)
    assert (renamed.json()["name"], renamed.headers["etag"]) == ("Ada", '"2"')
