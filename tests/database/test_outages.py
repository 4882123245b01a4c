"""A database that hangs, takes no changes, or has no connection free: said as such, in time, until it is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import psycopg
import pytest
from conftest import FAST, create_database, serving, settings_for
from support.factories import Person, World
from support.processes import frozen

from todo import watch
from todo.app import create_app
from todo.cli.migrate import install
from todo.embedded.server import Server
from todo.queue import new_job
from todo.saq_queue import open_queue
from todo.settings import Settings

WAIT = 2.0  # seconds, of TODO_DATABASE_WAIT
BOUND = 5 * WAIT  # on a loaded machine; a statement has 15 seconds, a repetition ten more


@asynccontextmanager
async def person(settings: Settings) -> AsyncIterator[Person]:
    """Somebody of a service of their own."""
    async with serving(create_app(settings)) as app:
        world = World(app)
        yield await world.person("eve")
        await world.close()


async def health(eve: Person) -> tuple[int, str]:
    answer = await eve.http.get("/health/ready")
    return answer.status_code, answer.json()["database"]


async def is_well(eve: Person) -> bool:
    return await health(eve) == (200, "ok")


async def is_busy(eve: Person) -> bool:
    return await health(eve) == (200, "busy")


async def adds(eve: Person) -> bool:
    return (await eve.http.post("/api/tasks", json={"title": "A"})).status_code == 201


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; fails after ten seconds."""
    for _ in range(200):
        if await so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true")


def assert_come_back(answer: httpx.Response, detail: str = "") -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert detail in answer.json()["detail"]


@pytest.fixture
async def own_url(worker_id_or_main: str) -> str:
    return await create_database(f"todo_outages_{worker_id_or_main}", "todo_template")


async def administer(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def fail_over(url: str) -> None:
    """Every connection is lost, and whoever connects again finds a server that takes no changes."""
    await administer(
        url,
        f'ALTER DATABASE "{name_of(url)}" SET default_transaction_read_only = on',
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def promote(url: str) -> None:
    """New connections may change things; the connections there are may not, as those to a former primary."""
    reset = f'ALTER DATABASE "{name_of(url)}" RESET default_transaction_read_only'
    await administer(url, "SET default_transaction_read_only = off", reset)


def name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def test_a_database_that_takes_no_changes_is_said_to_be_read_only(own_url: str) -> None:
    async with person(settings_for(own_url)) as eve:
        await fail_over(own_url)

        assert (await eve.http.get("/api/tasks")).status_code == 200
        for headers in ({}, {"idempotency-key": "1"}):
            answer = await eve.http.post("/api/tasks", json={"title": "A"}, headers=headers)
            assert_come_back(answer, "is temporarily read-only")
        assert await health(eve) == (503, "read-only")

        await promote(own_url)
        await until(lambda: adds(eve))
        await until(lambda: is_well(eve))


FULL = """CREATE FUNCTION be_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER be_full BEFORE INSERT ON tasks EXECUTE FUNCTION be_full()"""


async def test_a_full_disk_is_said_to_be_full_and_reads_go_on(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with person(settings_for(own_url)) as eve:
        await administer(own_url, FULL)

        for headers in ({}, {"idempotency-key": "1"}):
            answer = await eve.http.post("/api/tasks", json={"title": "A"}, headers=headers)
            assert_come_back(answer, "The disk of the database is full.")
        assert (await eve.http.get("/api/tasks")).status_code == 200
        assert await health(eve) == (200, "disk-full")

        await administer(own_url, "DROP TRIGGER be_full ON tasks")
        monkeypatch.setattr(watch, "FULL_SECONDS", 0)
        assert await adds(eve)
        assert await is_well(eve)


async def test_the_queue_gives_up_connections_to_a_server_that_takes_no_changes(own_url: str) -> None:
    queue = open_queue(settings_for(own_url, database_wait=WAIT))
    await queue.connect()

    async def enqueues() -> bool:
        try:
            return await queue.enqueue(new_job("anything", {}, "test-request")) is not None
        except psycopg.Error:
            return False

    assert await enqueues()
    await fail_over(own_url)
    refused = await enqueues()
    await promote(own_url)

    assert not refused
    await until(enqueues)
    await queue.disconnect()


async def test_a_locked_table_makes_the_service_busy_and_not_unready(own_url: str) -> None:
    settings = settings_for(own_url, database_wait=WAIT, database_pool=3, database_overflow=0, actor_cache_seconds=5)
    locker = await asyncpg.connect(own_url)
    async with person(settings) as eve, locker.transaction():
        await locker.execute("LOCK TABLE tasks")
        waiting = [asyncio.create_task(eve.http.get("/api/tasks")) for _ in range(10)]
        waiting += [asyncio.create_task(eve.http.post("/api/tasks", json={"title": "A"})) for _ in range(10)]

        await until(lambda: is_busy(eve))
        async with asyncio.timeout(BOUND):
            for answer in await asyncio.gather(*waiting):
                assert_come_back(answer)
    await locker.close()


async def test_requests_to_a_database_that_stands_still_are_answered_in_time(tmp_path: Path) -> None:
    server = Server(tmp_path, settings=FAST)
    await asyncio.to_thread(server.start)
    settings = settings_for(server.url, database_wait=WAIT, actor_cache_seconds=0)
    await install(settings, server.url)
    async with person(settings) as eve:
        await eve.add()
        with frozen(server.data_dir):
            async with asyncio.timeout(BOUND):
                answers = await asyncio.gather(
                    *(eve.http.get("/api/tasks") for _ in range(15)),
                    *(eve.http.post("/api/tasks", json={"title": "A"}) for _ in range(15)),
                )
            async with asyncio.timeout(BOUND):
                unready = await health(eve)
            async with asyncio.timeout(BOUND):
                assert_come_back(await eve.http.get("/api/tasks"))

        for answer in answers:
            assert_come_back(answer)
        assert unready == (503, "away")
        await until(lambda: adds(eve))
        await until(lambda: is_well(eve))
    await asyncio.to_thread(server.stop)
