"""Which database a command works on, and bringing it to this version."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import asyncpg

from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.connection import direct_url, keeps_sessions
from todo.contention import retry
from todo.database import Database, WriteSession
from todo.domain.accounts.services.keys import TokenKeys
from todo.embedded.server import Server
from todo.revisions import REVISION, fits, require_known
from todo.settings import Settings, load_settings, secret_key

T = TypeVar("T")


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the database: the configured one, else the embedded one, started for the time being if it sleeps."""
    server = Server(settings.data_dir)
    if settings.database_url:
        yield settings.database_url
    elif server.is_alive():
        yield server.url
    else:
        with server:
            yield server.url


@asynccontextmanager
async def opened(settings: Settings, url: str) -> AsyncIterator[Database]:
    """An open database for the time of the block. Slow statements are not logged among what a command prints."""
    database = await Database(settings.model_copy(update={"slow_statement_seconds": 0}), url).open()
    try:
        yield database
    finally:
        await database.close()


async def require_sessions(settings: Settings, url: str) -> None:
    """Raises CommandError when all that is known is the URL of a pooler in transaction mode."""
    if not await keeps_sessions(direct_url(settings, url), settings):
        name = "TODO_DATABASE_DIRECT_URL" if settings.database_direct_url else "TODO_DATABASE_URL"
        raise CommandError(
            f"{name} leads to a pooler in transaction mode, which migrations and workers cannot use:"
            " set TODO_DATABASE_DIRECT_URL to the URL of the PostgreSQL server itself."
        )


async def is_current(database: Database) -> bool:
    """Whether this version works with the schema. Raises MigrationError when it is too new for it."""
    try:
        rows = await database.monitor.fetch(REVISION, seconds=database.settings.database_wait)
    except asyncpg.UndefinedTableError:
        return False
    for row in rows:
        require_known(*row)
    return any(fits(*row) for row in rows)


@asynccontextmanager
async def installed(settings: Settings, url: str) -> AsyncIterator[Database]:
    """An open database at this version for the time of the block.

    Raises CommandError when the schema is not this version's, SettingsError when the secret key does not fit.
    """
    async with opened(settings, url) as database:
        if not await is_current(database):
            raise CommandError("The database is not at this version's schema: run `todo migrate` first.")
        await TokenKeys(database, settings, secret_key(settings)).load()
        yield database


async def check_installed(settings: Settings, url: str) -> None:
    """Raises what `installed` raises."""
    async with installed(settings, url):
        pass


def with_session(work: Callable[[WriteSession], Awaitable[T]]) -> T:
    """Run `work` in one transaction on the database of the settings; again after a conflict with another one."""

    async def run(url: str) -> T:
        async def once() -> T:
            async with database.session(cli_origin()) as session:
                return await work(session)

        async with installed(settings, url) as database:
            return await retry(once)

    settings = load_settings()
    with database_url(settings) as url:
        return asyncio.run(run(url))
