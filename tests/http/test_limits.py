"""Rate limits: exact over several processes, cheap, separate for each user, told in headers."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from conftest import SECRET, serving, settings_for
from sqlalchemy.exc import OperationalError
from support.factories import Person, World, job_context
from support.processes import started
from support.wire import Wire, tapped

from todo.app import create_app
from todo.database import Database, Direct
from todo.domain.accounts.services.authentication import ACTORS
from todo.errors import TooManyRequests, Unavailable
from todo.http import limits
from todo.http.limits import POLICIES
from todo.http.token_bucket import Lease, policy_of

Sql = asyncpg.Connection  # type: ignore[type-arg]  # generic for the type checker only
PATHS = ("/api/tasks", "/api/auth/me", "/api/trash", "/api/nothing", "/api/tasks?limit=1")


@asynccontextmanager
async def limited(url: str, limit: str = "100/minute", **values: object) -> AsyncIterator[World]:
    """People of an instance of its own that counts requests."""
    async with serving(create_app(settings_for(url, rate_limit=limit, **values))) as app:
        world = World(app)
        yield world
        await world.close()


def client_of(world: World, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(world._app), base_url="http://test", headers=headers)


async def burst(clients: list[httpx.AsyncClient], count: int, paths: tuple[str, ...] = PATHS) -> tuple[int, float]:
    """How many of `count` requests at once are let through, and how many seconds that took."""
    began = monotonic()
    requests = [clients[n % len(clients)].get(paths[n % len(paths)]) for n in range(count)]
    statuses = Counter(answer.status_code for answer in await asyncio.gather(*requests))
    assert statuses.keys() <= {200, 401, 404, 429}, statuses
    return count - statuses[429], monotonic() - began


def left(answer: httpx.Response) -> int:
    found = re.fullmatch(r'"(?:user|address)";r=(\d+);t=\d+', answer.headers["ratelimit"])
    assert found, answer.headers["ratelimit"]
    return int(found[1])


@pytest.mark.parametrize("warm", [0, 1, 7])
async def test_two_instances_together_let_through_exactly_the_limit(database_url: str, sql: Sql, warm: int) -> None:
    async with limited(database_url) as here, limited(database_url) as there:
        ada = await here.person("ada")
        clients = [client_of(world, **{"authorization": f"Bearer {ada.token}"}) for world in (here, there)]
        for _ in range(warm):
            assert (await clients[0].get("/api/tasks")).status_code == 200
        await asyncio.sleep(warm * 0.6)  # until the bucket is whole again, while one instance still holds tokens

        passed, seconds = await burst(clients, 400)

    assert 100 <= passed <= 100 + math.ceil(seconds / 0.6)


async def test_two_processes_together_let_through_exactly_the_limit(
    tmp_path: Path, database_url: str, sql: Sql, ada: Person
) -> None:
    environment = {"TODO_DATABASE_URL": database_url, "TODO_SECRET_KEY": SECRET, "TODO_DATA_DIR": str(tmp_path)}
    ports = [await unused_port(), await unused_port()]
    with (
        started(tmp_path, "server", TODO_PORT=str(ports[0]), **environment),
        started(tmp_path, "server", TODO_PORT=str(ports[1]), **environment),
    ):
        headers = {"authorization": f"Bearer {ada.token}"}
        clients = [httpx.AsyncClient(base_url=f"http://127.0.0.1:{p}", headers=headers, timeout=30) for p in ports]
        for client in clients:
            await until_live(client)
        passed, seconds = await burst(clients, 400)
        for client in clients:
            await client.aclose()

    assert 100 <= passed <= 100 + math.ceil(seconds / 0.6)


async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def until_live(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                if (await client.get("/health/live")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def test_one_instance_is_exact_request_by_request(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "20/hour") as world:
        ada = await world.person("ada")

        statuses = [(await ada.http.get("/api/auth/me")).status_code for _ in range(22)]

    assert statuses == [200] * 20 + [429] * 2


async def test_tokens_come_back_evenly(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "5/second") as world:
        ada = await world.person("ada")
        await burst([ada.http], 20)
        began = monotonic()
        await asyncio.sleep(0.5)

        passed, _ = await burst([ada.http], 20)

    assert 2 <= passed <= (monotonic() - began) * 5 + 1


async def test_one_user_never_uses_up_anothers_budget(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "10/hour") as world:
        ada, bob = await world.person("ada"), await world.person("bob")
        await burst([ada.http], 30)

        assert (await ada.http.get("/api/auth/me")).status_code == 429
        assert (await bob.http.get("/api/auth/me")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/tasks", 401),
        ("GET", "/nothing", 404),
        ("PUT", "/api/tasks", 405),
        ("OPTIONS", "/api/tasks", 204),
        ("HEAD", "/nothing", 404),
        ("POST", "/api/auth/login", 415),
    ],
)
async def test_every_request_of_nobody_counts_for_its_address(
    database_url: str, sql: Sql, method: str, path: str, status: int
) -> None:
    async with limited(database_url, "3/hour") as world, client_of(world) as client:
        sent: dict[str, Any] = {"content": b"x"} if method == "POST" else {}
        answers = [await client.request(method, path, **sent) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [status] * 3 + [429]
    assert [left(answer) for answer in answers] == [2, 1, 0, 0]


async def test_bad_credentials_count_for_the_address_and_good_ones_still_pass(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "3/hour") as world, client_of(world, authorization="Bearer bad") as client:
        ada = await world.person("ada")

        assert [(await client.get("/api/tasks")).status_code for _ in range(4)] == [401] * 3 + [429]
        assert (await ada.http.get("/api/tasks")).status_code == 200


async def test_the_highest_limit_that_can_be_set_lets_requests_through(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "9999999/second") as world:
        ada = await world.person("ada")

        assert (await ada.http.get("/api/auth/me")).status_code == 200


async def test_probes_are_not_counted(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "1/hour") as world, client_of(world) as client:
        answers = [await client.get("/health/live") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert "ratelimit" not in answers[0].headers


async def test_headers_say_what_is_left(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "30/hour") as world:
        ada = await world.person("ada")
        answers = [await ada.http.get("/api/auth/me") for _ in range(31)]

    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"user";q=30;w=3600'}
    assert [left(answer) for answer in answers] == [*range(29, -1, -1), 0]
    assert answers[0].headers["ratelimit"] == '"user";r=29;t=120'


async def test_a_refusal_is_a_problem_and_says_when_to_come_back(database_url: str, sql: Sql) -> None:
    async with limited(database_url, "1/hour") as world:
        ada = await world.person("ada")
        await ada.http.get("/api/auth/me")
        answer = await ada.http.get("/api/auth/me")

    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["ratelimit"] == f'"user";r=0;t={answer.headers["retry-after"]}'
    assert 3590 <= int(answer.headers["retry-after"]) <= 3600
    assert answer.json()["type"] == "/problems/rate-limit-exceeded"
    assert answer.json()["violated-policies"] == ["user"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_most_requests_ask_no_database(database_url: str, sql: Sql) -> None:
    async with tapped(database_url) as wire, limited(wire.url, "300/minute", actor_cache_seconds=5) as world:
        eve = await world.person("eve")
        await eve.http.get("/api/auth/me")
        await eve.http.get("/api/nothing")
        wire.trips = 0

        for _ in range(20):
            assert (await eve.http.get("/api/nothing")).status_code == 404

    assert wire.trips == 0


async def test_a_blocked_key_asks_no_database(database_url: str, sql: Sql) -> None:
    async with tapped(database_url) as wire, limited(wire.url, "2/hour", actor_cache_seconds=5) as world:
        eve = await world.person("eve")
        await burst([eve.http], 5)
        wire.trips = 0

        passed, _ = await burst([eve.http], 50)

    assert (passed, wire.trips) == (0, 0)


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


@pytest.fixture
async def counting(database_url: str, sql: object) -> AsyncIterator[Database]:
    """A database whose limits are on."""
    database = await Database(settings_for(database_url, rate_limit="5/hour")).open()
    yield database
    await database.close()


async def test_an_ended_session_leases_nothing_of_its_user(counting: Database, sql: Sql) -> None:
    nobody = UUID(int=1)

    found = await ACTORS.one_or_none(counting, nobody, user=nobody)

    assert found is None
    assert await sql.fetchval("SELECT count(*) FROM rate_limits") == 0


def break_down(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise OperationalError("", {}, OSError("connection refused"), connection_invalidated=True)

    monkeypatch.setattr(limits, "_debit", away)


async def test_without_the_database_a_process_counts_alone(counting: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    break_down(counting, monkeypatch)
    policy, limiter = policy_of("user", "5/hour"), limits.limiter_of(counting)
    assert policy

    for _ in range(5):
        await limiter.admit(counting, policy, "ada")
    with pytest.raises(TooManyRequests):
        await limiter.admit(counting, policy, "ada")


async def test_a_user_is_loaded_from_a_database_that_cannot_count(
    database_url: str, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_only(*_: object, **__: object) -> None:
        raise asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")

    async with limited(database_url, "3/hour", actor_cache_seconds=0) as world:
        ada = await world.person("ada")
        monkeypatch.setattr(Direct, "returning", read_only)
        statuses = [(await ada.http.get("/api/auth/me")).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]


async def test_strict_policies_refuse_without_the_database(counting: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    break_down(counting, monkeypatch)

    with pytest.raises(Unavailable):
        await limits.check(counting, "login", "192.0.2.1")


async def test_the_database_is_asked_again_when_it_is_back(counting: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        break_down(counting, broken)
        with pytest.raises(Unavailable):
            await limits.check(counting, "login", "192.0.2.1")
    limits.limiter_of(counting)._away_until = 0

    await limits.check(counting, "login", "192.0.2.1")


# Of `provision` a token comes back every four seconds, while three thousand attempts run.
EXACT = {"login": 10, "codes": 50, "register": 10, "refresh": 30, "reset": 5, "mail": 5, "invitations": 50}


def test_every_named_policy_is_tried_or_excepted() -> None:
    assert {*POLICIES} - {*EXACT} == {"provision"}


@pytest.mark.parametrize(("name", "limit"), EXACT.items())
async def test_named_policies_are_exact_over_processes(counting: Database, name: str, limit: int) -> None:
    other = limits.Limiter("off")

    async def attempt(limiter: limits.Limiter) -> bool:
        try:
            await limiter.admit(counting, POLICIES[name], "ada")
        except TooManyRequests:
            return False
        return True

    limiters = (limits.limiter_of(counting), other)
    passed = await asyncio.gather(*(attempt(limiters[n % 2]) for n in range(3 * limit)))

    assert sum(passed) == limit


async def test_a_named_policy_counts_every_key_by_itself(counting: Database) -> None:
    for n in range(5):
        await limits.check(counting, "reset", f"192.0.2.{n}", "ada@example.com")

    with pytest.raises(TooManyRequests) as refused:
        await limits.check(counting, "reset", "192.0.2.99", "ADA@example.com")
    assert int(refused.value.headers["Retry-After"]) >= 1


async def test_addresses_of_one_ipv6_network_are_one(counting: Database) -> None:
    for n in range(5):
        await limits.check(counting, "reset", f"2001:db8:0:1::{n}")

    with pytest.raises(TooManyRequests):
        await limits.check(counting, "reset", "2001:db8:0:1:ffff::1")
    await limits.check(counting, "reset", "2001:db8:0:2::1")


async def test_no_key_is_stored_as_it_was_given(counting: Database, sql: Sql) -> None:
    await limits.check(counting, "login", "ada@example.com")

    assert await sql.fetchval("SELECT count(*) FROM rate_limits WHERE key ~ '^login:[0-9a-f]{32}$'") == 1


async def test_switched_off_nothing_is_counted(database: Database, sql: Sql) -> None:
    for _ in range(50):
        await limits.check(database, "login", "192.0.2.1")

    assert await sql.fetchval("SELECT count(*) FROM rate_limits") == 0


async def test_whole_budgets_are_forgotten(database: Database, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO rate_limits (key, tat, granted)"
        " VALUES ('old', now() - interval '1 second', 1), ('used', now() + interval '1 minute', 1)"
    )

    await limits.delete_full(job_context(database))

    assert [row["key"] for row in await sql.fetch("SELECT key FROM rate_limits")] == ["used"]


async def test_a_process_remembers_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEYS", 3)
    limiter, policy = limits.Limiter("5/hour"), policy_of("user", "5/hour")
    assert policy

    kept = [limiter._lease(policy, str(n)) for n in range(10)]

    assert len(limiter._leases) == 3
    assert limiter._lease(policy, "9") is kept[9]


@pytest.mark.parametrize("limit", ["1/second", "7/minute", "100/minute", "1000000/day"])
def test_a_whole_bucket_holds_the_limit(limit: str) -> None:
    policy = policy_of("user", limit)
    assert policy

    assert Lease(policy).remaining() == int(limit.partition("/")[0])
