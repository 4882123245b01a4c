"""Which database a command works on, and bringing it to this version."""

from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from collections.abc import AsyncIterator

from todo import migrate
from todo.database import Database
from todo.domain.accounts.services import OPERATOR, AccountService
from todo.embedded import Server
from todo.queue import open_queue
from todo.settings import Settings, secret_key


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the database: the configured one, else the embedded one, started for the time being if it sleeps."""
    if settings.database_url:
        yield settings.database_url
        return
    server = Server(settings.data_dir)
    if server.is_alive():
        yield server.url
        return
    with server:
        yield server.url


@asynccontextmanager
async def opened(settings: Settings, url: str) -> AsyncIterator[Database]:
    """An open database for the time of the block."""
    database = await Database(settings, url).open()
    try:
        yield database
    finally:
        await database.close()


async def install(settings: Settings, url: str) -> bool:
    """Migrate our tables and SAQ's, and bring in the first roles and a signing key; True when the schema changed."""
    changed = await migrate.upgrade(settings, url)
    queue = open_queue(settings, url)
    await queue.connect()
    await queue.disconnect()
    async with opened(settings, url) as database, database.session() as session:
        await AccountService(session, OPERATOR).prepare(secret_key(settings))
    return changed
