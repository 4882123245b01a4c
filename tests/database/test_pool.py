"""The pool of connections: in order of arrival, never too many, none lost, whatever is cancelled or breaks."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from support.waiting import until

from todo import pool as pools
from todo.errors import Unavailable
from todo.pool import Pool

SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"


class FakeConnection:
    """As much of an asyncpg connection as a pool touches."""

    def __init__(self, opened: set["FakeConnection"]):
        self.user: object = None
        self._opened = opened
        opened.add(self)

    def is_closed(self) -> bool:
        return self not in self._opened

    def terminate(self) -> None:
        self._opened.discard(self)

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109 -- as asyncpg's
        await asyncio.sleep(0)
        self.terminate()


class Server:
    """Accepts connections, as long as it is up."""

    def __init__(self) -> None:
        self.opened: set[FakeConnection] = set()
        self.is_up = True
        self.most = 0

    async def connect(self) -> Any:
        await asyncio.sleep(0)
        if not self.is_up:
            raise ConnectionRefusedError
        connection = FakeConnection(self.opened)
        self.most = max(self.most, len(self.opened))
        return connection


def fake_pool(server: Server, *, keep: int = 0, most: int = 3, wait: float = 5) -> Pool:
    return Pool(server.connect, keep=keep, most=most, wait=wait)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def use(pool: Pool, served: list[int], number: int, free: asyncio.Event | None = None) -> None:
    async with pool.use() as connection:
        found: Any = connection
        assert found.user is None, "somebody else uses it"
        found.user = number
        served.append(number)
        try:
            if free:
                await free.wait()
        finally:
            found.user = None


def assert_nothing_is_lost(pool: Pool, server: Server) -> None:
    assert (pool._users, len(pool._waiting), len(pool._closing)) == (0, 0, 0)
    assert pool._places + len(pool._idle) == pool.most
    assert len(server.opened) <= len(pool._idle)


async def test_who_waits_is_served_in_order_of_arrival() -> None:
    pool, served, free = fake_pool(Server(), most=1), list[int](), asyncio.Event()
    holding = asyncio.create_task(use(pool, served, 0, free))
    await turns()
    others = [asyncio.create_task(use(pool, served, number)) for number in range(1, 10)]
    await turns()

    free.set()
    await asyncio.gather(holding, *others)

    assert served == list(range(10))


async def test_who_waits_too_long_is_asked_to_try_again_and_loses_no_place() -> None:
    server, served, free = Server(), list[int](), asyncio.Event()
    pool = fake_pool(server, most=1, wait=0.01)
    holding = asyncio.create_task(use(pool, served, 0, free))
    await turns()

    with pytest.raises(Unavailable) as refused:
        await use(pool, served, 1)

    assert refused.value.headers["Retry-After"] == "1"
    assert pool.is_stuck
    free.set()
    await holding
    assert_nothing_is_lost(pool, server)


async def test_a_waiter_cancelled_when_it_was_just_served_passes_the_connection_on() -> None:
    server, served = Server(), list[int]()
    pool = fake_pool(server, most=1)
    connection = await pool.acquire()
    first, second = (asyncio.create_task(use(pool, served, number)) for number in (1, 2))
    await turns()

    pool.release(connection)
    first.cancel()  # served, but it has not run since
    await asyncio.gather(first, second, return_exceptions=True)

    assert served == [2]
    assert_nothing_is_lost(pool, server)


async def test_a_place_whose_connection_cannot_be_opened_goes_to_the_next() -> None:
    server, served = Server(), list[int]()
    pool = fake_pool(server, most=1)
    server.is_up = False

    found = await asyncio.gather(*(use(pool, served, number) for number in range(3)), return_exceptions=True)
    server.is_up = True
    await use(pool, served, 4)

    assert [type(error) for error in found] == [ConnectionRefusedError] * 3
    assert served == [4]
    assert_nothing_is_lost(pool, server)


async def test_lost_connections_are_replaced() -> None:
    server, served = Server(), list[int]()
    pool = fake_pool(server, keep=3)
    await pool.open()
    server.opened.clear()

    await asyncio.gather(*(use(pool, served, number) for number in range(6)))

    assert len(served) == 6
    assert len(server.opened) == 3
    assert_nothing_is_lost(pool, server)


async def test_expired_connections_are_replaced_also_those_in_use() -> None:
    server, served = Server(), list[int]()
    pool = fake_pool(server, keep=2)
    await pool.open()
    used: Any = await pool.acquire()
    before = set(server.opened)

    pool.expire()
    pool.release(used)
    await turns()
    await use(pool, served, 1)

    assert before.isdisjoint(server.opened)
    assert_nothing_is_lost(pool, server)


async def test_a_connection_released_after_the_pool_has_closed_leaves_nothing_running() -> None:
    server = Server()
    pool = fake_pool(server)
    connection = await pool.acquire()

    await pool.close()
    assert len(server.opened) == 1
    before = asyncio.all_tasks()  # other fixtures of this event loop may be running
    pool.release(connection)

    assert server.opened == set()
    assert asyncio.all_tasks() == before


async def test_additional_connections_are_closed_when_idle_and_the_others_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, served, free = Server(), list[int](), asyncio.Event()
    pool = fake_pool(server, keep=1, most=3)
    await pool.open()
    using = [asyncio.create_task(use(pool, served, number, free)) for number in range(3)]
    await turns()
    free.set()
    await asyncio.gather(*using)

    pool.close_idle()
    await turns()
    kept = len(server.opened)
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0)
    pool.close_idle()
    await turns()

    assert (kept, len(server.opened)) == (3, 1)
    assert_nothing_is_lost(pool, server)


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_no_connection_is_lost_shared_or_too_many(seed: int) -> None:
    chance, server, served = random.Random(seed), Server(), list[int]()
    pool = fake_pool(server, keep=1, most=chance.choice([1, 2, 5]), wait=chance.choice([0.001, 5]))
    users: dict[asyncio.Task[None], asyncio.Event] = {}

    def arrive() -> None:
        free = asyncio.Event()
        users[asyncio.create_task(use(pool, served, len(users), free))] = free

    def finish() -> None:
        for free in chance.sample(list(users.values()), min(len(users), 2)):
            free.set()

    def cancel() -> None:
        for user in chance.sample(list(users), min(len(users), 2)):
            user.cancel()

    def lose() -> None:
        for connection in chance.sample(list(server.opened), min(len(server.opened), 2)):
            connection.terminate()

    def go_down_or_up() -> None:
        server.is_up = not server.is_up

    for _ in range(300):
        for _ in range(chance.randrange(1, 4)):
            chance.choice([arrive, arrive, arrive, finish, finish, cancel, lose, pool.expire, go_down_or_up])()
        await turns(chance.randrange(3))
        assert len(server.opened) <= pool.most
    for free in users.values():
        free.set()
    server.is_up = True
    results = await asyncio.gather(*users, return_exceptions=True)
    await until_closed(pool)

    assert {type(one) for one in results} <= {type(None), asyncio.CancelledError, ConnectionRefusedError, Unavailable}
    assert served
    assert server.most <= pool.most
    assert_nothing_is_lost(pool, server)


async def until_closed(pool: Pool) -> None:
    await asyncio.gather(*pool._closing)
    await turns()


@pytest.fixture
async def pool(database_url: str, sql: object) -> AsyncIterator[Pool]:
    pool = Pool(lambda: asyncpg.connect(database_url), keep=1, most=1, wait=5)
    yield pool
    await pool.close()


async def test_an_interrupted_statement_is_cancelled_on_the_server(
    pool: Pool, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def sleep() -> None:
        async with pool.use() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    async def wait_for(count: int) -> None:
        async with asyncio.timeout(30):
            while await sql.fetchval(SLEEPING) != count:  # noqa: ASYNC110 -- the server sets no event
                await asyncio.sleep(0.005)

    sleeping = asyncio.create_task(sleep())
    await wait_for(1)
    sleeping.cancel()

    async with pool.use() as connection:  # the only place
        assert await connection.fetchval("SELECT 1") == 1
    await wait_for(0)


async def test_after_an_error_of_the_server_the_connection_is_kept(pool: Pool) -> None:
    async with pool.use() as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with pool.use() as connection:
            await connection.fetchval("SELECT 1 / 0")

    async with pool.use() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") == before


async def test_a_connection_that_the_server_ends_is_replaced(
    pool: Pool, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with pool.use() as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")
    await sql.execute("SELECT pg_terminate_backend($1, 5000)", before)
    await until(lambda: pool._idle[0][0].is_closed())

    async with pool.use() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != before
