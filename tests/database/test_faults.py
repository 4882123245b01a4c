"""A database that goes away in the middle of the work: clear refusals meanwhile, nothing acknowledged is lost."""

import asyncio
from pathlib import Path

import asyncpg
import httpx
from conftest import serving, settings_for
from support.factories import World
from support.waiting import until

from todo.app import create_app
from todo.cli.migrate import install
from todo.embedded.server import Server


async def keep_adding(http: httpx.AsyncClient, seen: list[httpx.Response], stop: asyncio.Event) -> None:
    while not stop.is_set():
        seen.append(await http.post("/api/tasks", json={"title": f"{len(seen)}"}))
        await http.get("/api/tasks")
        await asyncio.sleep(0.005)


async def answered(seen: list[httpx.Response], status: int) -> None:
    """Wait until ten more requests had this answer."""
    before = len(seen)
    await until(lambda: sum(answer.status_code == status for answer in seen[before:]) >= 10)


async def test_a_restarted_database_loses_no_acknowledged_write(tmp_path: Path) -> None:
    server = Server(tmp_path)
    await asyncio.to_thread(server.start)
    settings = settings_for(server.url, actor_cache_seconds=5, database_wait=2)
    await install(settings, server.url)
    async with serving(create_app(settings)) as app:
        world, seen, stop = World(app), [], asyncio.Event()
        eve = await world.person("eve")
        adding = [asyncio.create_task(keep_adding(eve.http, seen, stop)) for _ in range(4)]
        await answered(seen, 201)

        await asyncio.to_thread(server.stop)
        await answered(seen, 503)
        await asyncio.to_thread(server.start)
        await answered(seen, 201)
        stop.set()
        await asyncio.gather(*adding)
        await world.close()

    connection = await asyncpg.connect(server.url)
    stored = {str(row["id"]) for row in await connection.fetch("SELECT id FROM tasks")}
    audited = {str(row["subject_id"]) for row in await connection.fetch("SELECT subject_id FROM audit_events")}
    await connection.close()
    await asyncio.to_thread(server.stop)
    acknowledged = {answer.json()["id"] for answer in seen if answer.status_code == 201}
    refused = [answer for answer in seen if answer.status_code != 201]
    assert refused
    assert {answer.status_code for answer in refused} == {503}
    assert all("Retry-After" in answer.headers for answer in refused)
    assert seen[-1].status_code == 201
    assert acknowledged <= stored
    assert stored <= audited
