"""Getting to PostgreSQL, whatever stands in between, and keeping to the budget."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from conftest import serving, settings_for, url_of
from factories import World
from sqlalchemy import text

from todo.app import create_app
from todo.connection import Gate, clean_url, direct_url, find_route
from todo.database import Database
from todo.errors import Unavailable

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
    with pytest.raises(ValueError, match="a database URL begins with postgresql://"):
        clean_url(url)


def test_the_queue_goes_round_neons_pooler() -> None:
    url = direct_url("postgres://u:p@ep-a-pooler.eu.neon.tech/db?sslmode=require")

    assert url == "postgresql://u:p@ep-a.eu.neon.tech/db?sslmode=require"


async def test_a_server_takes_our_timeout_and_name(database: Database) -> None:
    async with database.session() as session:
        found = await session.execute(
            text("SELECT current_setting('statement_timeout'), current_setting('application_name')")
        )

        assert found.one() == ("15s", "todo")


async def test_a_statement_that_takes_too_long_is_cancelled(database_url: str) -> None:
    settings = settings_for(database_url, database_statement_timeout=0.2)
    async with serving(create_app(settings)) as app:
        database: Database = app.dependencies["database"].dependency()

        with pytest.raises(Exception, match="statement timeout"):
            async with database.session() as session:
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

    async def visit(number: int) -> None:
        async with gate:
            order.append(number)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(visit(number) for number in range(20)))

    assert order == list(range(20))


async def test_who_waits_too_long_is_told_to_come_back() -> None:
    gate = Gate(1, wait=0.01)

    async with gate:
        with pytest.raises(Unavailable) as refused:
            async with gate:
                pass

    assert refused.value.headers["Retry-After"] == "1"


@pytest.fixture
def pgbouncer(free_port: int) -> Iterator[str]:
    """A real PgBouncer in transaction mode, two server connections for everybody."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is not installed")
        pytest.skip("pgbouncer is not installed")
    server = urlsplit(url_of("todo"))
    query = parse_qs(server.query)
    folder = Path(tempfile.mkdtemp())  # pytest's own lies where only this account can look
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={query['host'][0]} port={query['port'][0]} user=todo\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={free_port}\nunix_socket_dir=\nauth_type=any\n"
        f"pool_mode=transaction\ndefault_pool_size=2\nlogfile={folder}/log\n"
    )
    root = os.geteuid() == 0
    if root:  # it refuses to run as root; the account that owns the server's socket will do
        owner = Path(query["host"][0]).stat()
        for path in (folder, config):
            os.chown(path, owner.st_uid, owner.st_gid)
    command = [program, "-q", str(config)]
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if root else {}
    process = subprocess.Popen(command, cwd=folder, **account)  # type: ignore[call-overload]  # mypy cannot see into **
    try:
        time.sleep(0.5)
        yield f"postgresql://todo@127.0.0.1:{free_port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


async def test_pgbouncer_in_transaction_mode_just_works(pgbouncer: str, database_url: str, sql: object) -> None:
    url = f"{pgbouncer}{urlsplit(database_url).path}"
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
