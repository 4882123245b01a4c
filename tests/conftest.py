"""One embedded PostgreSQL for the whole run, one migrated database for every worker, clean rows for every test."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from inbox import Inbox
from litestar import Litestar
from support.factories import Person, World

from todo.app import create_app
from todo.cli.migrate import install
from todo.database import Database
from todo.embedded.server import Server
from todo.settings import SecretKey, Settings, load_settings

SERVER = "TEST_SERVER_OF_TODO"
SECRET = "only for tests: 0123456789abcdef0123456789"
SECRET_KEY = SecretKey(SECRET)
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
KEPT = {"roles", "quota_defaults", "signing_keys", "alembic_version", "saq_versions"}


def settings_for(url: str, **values: object) -> Settings:
    """Settings of a test instance: cheap hashes, nothing read from the machine's environment or `.env`."""
    defaults: dict[str, object] = {
        "env": "test", "database_url": url, "secret_key": SECRET, "argon2_memory_kib": 8, "argon2_iterations": 1,
        "actor_cache_seconds": 0.2, "database_pool": 4, "database_overflow": 8,
        "rate_limit": "off",
    }  # fmt: skip
    return load_settings(_env_file=None, **(defaults | values))


def url_of(name: str) -> str:
    """The URL of a database on this run's server."""
    return os.environ[SERVER].replace("/todo?", f"/{name}?")


async def create_database(name: str, template: str = "template1") -> str:
    connection = await asyncpg.connect(url_of("postgres"))
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()
    return url_of(name)


def pytest_configure(config: pytest.Config) -> None:
    """Start the server once, in the process that starts the workers; they find it in the environment."""
    for name in [name for name in os.environ if name.startswith("TODO_")] + ["PORT"]:
        os.environ.pop(name, None)
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    folder = Path(tempfile.mkdtemp(prefix="todo-tests-"))
    server = Server(folder, settings=FAST)
    server.start()
    os.environ[SERVER] = server.url
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    config.add_cleanup(server.stop)
    url = asyncio.run(create_database("todo_template"))
    asyncio.run(install(settings_for(url), url))


@pytest.fixture(scope="session")
def worker_id_or_main(request: pytest.FixtureRequest) -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
async def database_url(worker_id_or_main: str) -> str:
    """This worker's own database, migrated."""
    return await create_database(f"todo_{worker_id_or_main}", "todo_template")


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    return settings_for(database_url)


@pytest.fixture(scope="session")
async def running_app(settings: Settings) -> AsyncIterator[Litestar]:
    async with serving(create_app(settings)) as app:
        yield app


@asynccontextmanager
async def serving(app: Litestar) -> AsyncIterator[Litestar]:
    """A started application. Its lifespan must begin and end in one task, which pytest's fixtures do not promise."""
    started, stopping = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stopping.wait()

    life = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({life, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not life.done():
            yield app
    finally:
        stopping.set()
        await life


@pytest.fixture(scope="session")
async def admin_connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def sql(
    admin_connection: "asyncpg.Connection[asyncpg.Record]",
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of one's own to look at what was stored; every row is gone before the next test."""
    yield admin_connection
    tables = await admin_connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = sorted({row["tablename"] for row in tables} - KEPT)
    await admin_connection.execute(
        "; ".join(f'DELETE FROM "{name}"' for name in ["occurrences", "tasks", "series", *names])
    )


@pytest.fixture
def app(running_app: Litestar, sql: object) -> Litestar:
    return running_app


@pytest.fixture
def database(app: Litestar) -> Database:
    found: Database = app.dependencies["database"].dependency()
    return found


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody: not signed in."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def world(app: Litestar) -> AsyncIterator[World]:
    """Makes people who are signed in."""
    world = World(app)
    yield world
    await world.close()


@pytest.fixture
async def ada(world: World) -> Person:
    return await world.person("ada")


@pytest.fixture
async def bob(world: World) -> Person:
    return await world.person("bob")


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def inbox(free_port: int) -> Iterator[Inbox]:
    """A mail server at `free_port`."""
    inbox = Inbox(free_port).open()
    yield inbox
    inbox.free.set()
    inbox.close()
