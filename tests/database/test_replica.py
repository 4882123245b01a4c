"""Reads at a real replica: each shows all that was acknowledged before it, however far behind the replica is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from conftest import serving, settings_for
from litestar import Litestar
from support.factories import Person, World
from support.processes import frozen
from support.replicas import Pair, pair
from support.wire import tapped

from todo.app import create_app
from todo.cli.surroundings import surroundings
from todo.database import Database
from todo.http.metrics import of_process
from todo.replica import Replica


@pytest.fixture(scope="session")
async def both() -> AsyncIterator[Pair]:
    async with pair() as both:
        yield both


@pytest.fixture
async def behind(both: Pair) -> AsyncIterator[Pair]:
    """A replica that receives changes and does not show them."""
    await both.pause()
    yield both
    await both.resume()


@asynccontextmanager
async def process(both: Pair, **values: Any) -> AsyncIterator[Litestar]:
    """A server process that reads at the replica."""
    urls = {"database_read_url": both.replica.url, "rate_limit": "100000/minute"}
    async with serving(create_app(settings_for(both.primary.url, **(urls | values)))) as app:
        yield app


def database_of(app: Litestar) -> Database:
    found: Database = app.dependencies["database"].dependency()
    return found


def replica_of(app: Litestar) -> Replica:
    found = database_of(app).replica
    assert found is not None
    return found


async def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 -- another process decides
            await asyncio.sleep(0.02)


@asynccontextmanager
async def someone(app: Litestar, *roles: str) -> AsyncIterator[Person]:
    world = World(app)
    try:
        yield await world.person(uuid4().hex, *roles)
    finally:
        await world.close()


@asynccontextmanager
async def two_processes(both: Pair, **values: Any) -> AsyncIterator[tuple[Person, httpx.AsyncClient, Replica]]:
    """Somebody at one process, the same person's client at another, and the replica as the other one knows it."""
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(process(both, **values)) for _ in range(2)]
        eve = await stack.enter_async_context(someone(one))
        transport, headers = httpx.ASGITransport(other), {"Authorization": f"Bearer {eve.token}"}
        http = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
        yield eve, await stack.enter_async_context(http), replica_of(other)


async def titles(http: httpx.AsyncClient) -> set[str]:
    answer = await http.get("/api/tasks?limit=100")
    assert answer.status_code == 200, answer.text
    return {task["title"] for task in answer.json()["items"]}


async def test_reads_run_at_a_replica_that_has_caught_up(both: Pair) -> None:
    async with process(both) as app, someone(app) as eve:
        replica = replica_of(app)
        await eve.add(title="A")
        await until(lambda: replica.is_usable)
        replica.reads.clear()

        async with asyncio.timeout(30):
            while not replica.reads["replica"]:  # a read during a change may run at the primary
                assert await titles(eve.http) == {"A"}


async def test_who_wrote_at_one_process_reads_it_at_another_though_the_replica_is_behind(both: Pair) -> None:
    async with two_processes(both) as (eve, elsewhere, replica):
        await until(lambda: replica.is_usable)
        await both.pause()
        try:
            task = await eve.add(title="A")
            path = f"/api/tasks/{task['id']}"
            assert (await elsewhere.get(path)).json()["title"] == "A"
            assert await titles(elsewhere) == {"A"}
            await elsewhere.patch(path, json={"title": "B"})
            assert (await eve.http.get(path)).json()["title"] == "B"
            await eve.http.delete(path)
            assert await titles(elsewhere) == set()
            assert not replica.is_usable
            replica.reads.clear()
        finally:
            await both.resume()
        await until(lambda: replica.is_usable)
        assert await titles(elsewhere) == set()


async def test_who_has_just_registered_reads_at_once(behind: Pair) -> None:
    async with process(behind) as app, someone(app, "superuser") as root:
        await root.add(title="A")
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        async with client as http:
            body = {"email": f"{uuid4().hex}@example.com", "password": "correct horse battery staple"}
            assert (await http.post("/api/auth/register", json=body)).status_code == 201
            token = (await http.post("/api/auth/login", json=body)).json()["access_token"]
            me = await http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        found = await root.http.get("/api/admin/users", params={"q": body["email"]})

    assert me.json()["email"] == body["email"]
    assert [user["email"] for user in found.json()["items"]] == [body["email"]]


async def test_no_read_misses_an_acknowledged_write_while_the_replica_comes_and_goes(both: Pair) -> None:
    async with two_processes(both) as (eve, elsewhere, replica):

        async def come_and_go() -> None:
            while True:
                await both.pause()
                await asyncio.sleep(0.05)
                await both.resume()
                replica.is_usable = True  # do not wait for the next trial
                await asyncio.sleep(0.1)

        task = asyncio.create_task(come_and_go())
        try:
            path = f"/api/tasks/{(await eve.add(title='0'))['id']}"
            for number in range(1, 301):
                assert (await eve.http.patch(path, json={"title": str(number)})).status_code == 200
                assert (await elsewhere.get(path)).json()["title"] == str(number)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await both.resume()

    assert replica.reads["replica"] and replica.reads["primary"], replica.reads


async def test_a_replica_that_hangs_is_left_alone(both: Pair) -> None:
    async with process(both, database_wait=1) as app, someone(app) as eve:
        replica = replica_of(app)
        await until(lambda: replica.is_usable)
        await titles(eve.http)
        with frozen(both.replica.data_dir):
            await eve.add(title="A")
            found = await asyncio.gather(*(titles(eve.http) for _ in range(20)))
            assert not replica.is_usable
            began = monotonic()
            assert await titles(eve.http) == {"A"}
            seconds = monotonic() - began
            assert not database_of(app).is_busy
        await until(lambda: replica.is_usable)

    assert found == [{"A"}] * 20
    assert seconds < 1


async def test_a_server_starts_without_its_replica_and_uses_it_later(both: Pair) -> None:
    await asyncio.to_thread(both.replica.stop)
    async with process(both) as app, someone(app) as eve:
        await eve.add(title="A")
        assert await titles(eve.http) == {"A"}
        assert not replica_of(app).is_usable
        await asyncio.to_thread(both.replica.start)
        await until(lambda: replica_of(app).is_usable)
        await asyncio.to_thread(both.replica.stop)
        assert await titles(eve.http) == {"A"}
        await asyncio.to_thread(both.replica.start)


async def test_a_server_that_is_no_replica_is_not_read(both: Pair) -> None:
    async with process(both, database_read_url=both.primary.url) as app, someone(app) as eve:
        replica = replica_of(app)
        replica.is_usable = True
        await eve.add(title="A")

        assert await titles(eve.http) == {"A"}
        assert (replica.reads["replica"], replica.is_usable) == (0, False)
        assert "database.replica" in {finding.id for finding in await surroundings(database_of(app))}
        metrics = {metric.name: metric for metric in of_process(database_of(app))}
        assert [sample.labels for sample in metrics["todo_replica_reads"].samples] == [{"server": "primary"}]


async def test_a_read_takes_one_question_to_the_primary_which_reads_at_the_same_time_share(both: Pair) -> None:
    async with tapped(both.primary.url) as primary, tapped(both.replica.url) as replica:
        values = {"database_read_url": replica.url, "actor_cache_seconds": 5}
        app = create_app(settings_for(primary.url, **values))
        async with serving(app), someone(app) as eve:
            await eve.add(title="A")
            await until(lambda: replica_of(app).is_usable)
            await settled(replica_of(app), eve)
            primary.trips = replica.trips = 0
            await titles(eve.http)
            alone = (primary.trips, replica.trips)
            primary.trips = 0
            await asyncio.gather(*(titles(eve.http) for _ in range(10)))
            together = primary.trips

    assert alone == (1, 1)
    assert together <= 4


async def settled(replica: Replica, eve: Person) -> None:
    """Read until a read needs nothing but its own statement at the replica: no change is on its way to it."""
    for _ in range(100):
        await titles(eve.http)
    assert replica.reads["replica"] >= 50, replica.reads
