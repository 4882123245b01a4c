"""Getting to PostgreSQL, whatever stands in between, and keeping to the budget."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
from conftest import serving, settings_for
from sqlalchemy import text
from support.factories import World
from support.poolers import pgbouncer

from todo.access import worker_origin
from todo.app import create_app
from todo.connection import clean_url, direct_url, find_route, keeps_sessions
from todo.database import Database
from todo.errors import Unavailable
from todo.pool import Gate
from todo.setting_errors import SettingsError

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'todo'"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@h/db", "postgresql://u:p@h/db"),
        ("postgresql+asyncpg://u:p@h:1/db", "postgresql://u:p@h:1/db"),
        (
            "postgres://u:p@ep-a-pooler.eu.neon.tech/db?sslmode=require&channel_binding=require",
            "postgresql://u:p@ep-a-pooler.eu.neon.tech/db?sslmode=require",
        ),
        ("postgresql://u@/db?host=/run/x&port=1&connect_timeout=3", "postgresql://u@/db?host=%2Frun%2Fx&port=1"),
    ],
)
def test_urls_as_providers_hand_them_out_are_understood(given: str, used: str) -> None:
    assert clean_url(given) == used


@pytest.mark.parametrize("url", ["mysql://u@h/db", "h/db", "file:///etc/passwd"])
def test_another_kind_of_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a database URL must begin with postgresql://"):
        clean_url(url)


@pytest.mark.parametrize(
    ("given", "direct"),
    [
        ("postgres://u:p@ep-a-pooler.eu.neon.tech/db?sslmode=require", "ep-a.eu.neon.tech/db?sslmode=require"),
        ("postgres://u:p@aws-0-eu.pooler.supabase.com:6543/db", "aws-0-eu.pooler.supabase.com:5432/db"),
        ("postgres://u:p@db.example.com:6543/db", "db.example.com:6543/db"),
    ],
)
def test_the_way_round_the_poolers_of_known_hosts_is_found(given: str, direct: str) -> None:
    assert direct_url(settings_for(given)) == f"postgresql://u:p@{direct}"


def test_the_way_round_another_pooler_is_a_setting() -> None:
    settings = settings_for("postgres://pooler/db", database_direct_url="postgres://server/db")

    assert direct_url(settings) == "postgresql://server/db"


def test_a_direct_url_needs_the_url_of_the_pooler() -> None:
    with pytest.raises(SettingsError, match="TODO_DATABASE_DIRECT_URL: needs TODO_DATABASE_URL"):
        settings_for("", database_direct_url="postgres://u:secret@server/db")


async def test_a_server_takes_our_timeout_and_name(database: Database) -> None:
    async with database.session(worker_origin()) as session:
        found = await session.execute(
            text("SELECT current_setting('statement_timeout'), current_setting('application_name')")
        )

        assert found.one() == ("15s", "todo")


async def test_a_statement_that_takes_too_long_is_cancelled(database_url: str) -> None:
    settings = settings_for(database_url, database_statement_timeout=0.2)
    async with serving(create_app(settings)) as app:
        database: Database = app.dependencies["database"].dependency()

        with pytest.raises(Exception, match="statement timeout"):
            async with database.session(worker_origin()) as session:
                await session.execute(text("SELECT pg_sleep(5)"))


async def test_a_process_keeps_to_its_budget_of_connections(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    settings = settings_for(database_url, database_pool=3, database_overflow=3)
    async with serving(create_app(settings)) as app:
        world = World(app)
        eve = await world.person("eve")
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, await sql.fetchval(CONNECTIONS))
                await asyncio.sleep(0.01)

        idle = await sql.fetchval(CONNECTIONS)
        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(
            *(eve.http.get("/api/tasks") for _ in range(60)),
            *(eve.http.post("/api/tasks", json={"title": "A"}) for _ in range(60)),
        )
        watching.cancel()
        await world.close()

    assert {answer.status_code for answer in answers} == {200, 201}
    assert most <= idle + 6


async def test_who_waits_is_served_in_order_of_arrival() -> None:
    gate, order = Gate(1, wait=5), []

    async def admin_session(number: int) -> None:
        async with gate:
            order.append(number)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(admin_session(number) for number in range(20)))

    assert order == list(range(20))


async def test_who_waits_too_long_is_asked_to_try_again() -> None:
    gate = Gate(1, wait=0.01)

    async with gate:
        with pytest.raises(Unavailable) as refused:
            async with gate:
                pass

    assert refused.value.headers["Retry-After"] == "1"


@pytest.fixture
def pooler(free_port: int) -> Iterator[str]:
    with pgbouncer(free_port) as url:
        yield url


async def test_pgbouncer_in_transaction_mode_just_works(pooler: str, database_url: str, sql: object) -> None:
    url = f"{pooler}{urlsplit(database_url).path}"
    route = await find_route(url, settings_for(url))
    async with serving(create_app(settings_for(url))) as app:
        world = World(app)
        eve = await world.person("eve")

        added = await asyncio.gather(*(eve.http.post("/api/tasks", json={"title": str(n)}) for n in range(30)))
        read = await asyncio.gather(*(eve.http.get(f"/api/tasks/{answer.json()['id']}") for answer in added))
        listed = await eve.http.get("/api/tasks")
        await world.close()

    assert "statement_timeout" not in route.arguments["server_settings"]
    assert {answer.status_code for answer in (*added, *read)} == {200, 201}
    assert len(listed.json()["items"]) == 30


async def test_a_pooler_in_transaction_mode_keeps_no_sessions(pooler: str, database_url: str) -> None:
    settings = settings_for(database_url)

    assert not await keeps_sessions(f"{pooler}{urlsplit(database_url).path}", settings)
    assert await keeps_sessions(database_url, settings)


async def test_a_pooler_in_session_mode_keeps_sessions(free_port: int, database_url: str) -> None:
    with pgbouncer(free_port, pool_mode="session") as url:
        assert await keeps_sessions(f"{url}{urlsplit(database_url).path}", settings_for(database_url))
