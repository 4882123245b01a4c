"""Getting to PostgreSQL, whatever stands in between, and waiting for one's turn."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from todo.errors import Unavailable
from todo.settings import Settings

# Quoted: generic for the type checker only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


# What libpq and the tools of hosting providers put into URLs, and asyncpg would hand to the server as settings.
LIBPQ_ONLY = frozenset(
    {"channel_binding", "connect_timeout", "gssencmode", "sslcompression", "sslsni", "tcp_user_timeout"}
    | {"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"}
    | {"pgbouncer", "connection_limit", "pool_timeout", "pool_mode", "schema"}
)
# A lost or refused connection, as asyncpg tells it; it speaks of an internal error when a server dies in mid-handshake.
AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
AWAY_STATES = ("08", "57P", "53")


def clean_url(url: str) -> str:
    """Any PostgreSQL URL as providers hand it out -> one that asyncpg understands; raises Invalid otherwise."""
    parts = urlsplit(url)
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme):
        raise ValueError(f"a database URL begins with postgresql://, not {parts.scheme or 'nothing'}://")
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key not in LIBPQ_ONLY])
    return urlunsplit(("postgresql", parts.netloc, parts.path, query, ""))


def direct_url(url: str) -> str:
    """Who listens, or takes session locks, cannot go through Neon's pooler: its direct host has no `-pooler`."""
    parts = urlsplit(clean_url(url))
    return urlunsplit(parts._replace(netloc=parts.netloc.replace("-pooler.", ".", 1)))


@dataclass(frozen=True)
class Route:
    """How to connect, found out once: PgBouncer and its kin refuse some of what a server allows."""

    arguments: Mapping[str, Any]
    prepared: bool = True

    async def connect(self, **_: Any) -> "Connection":
        return await asyncpg.connect(**self.arguments)


async def find_route(url: str, settings: Settings) -> Route:
    """Connect once to learn what stands between us and the server.

    A pooler refuses or drops the statement timeout we ask for at start-up; then the client's own timeout serves.
    One that does not rename prepared statements cannot carry them from one transaction to the next
    (PgBouncer before 1.21), so that every statement must be prepared within its transaction.
    """
    timeout = settings.database_statement_timeout
    # The server should cancel first: its answer is an error, ours costs the connection.
    arguments: dict[str, Any] = {"dsn": clean_url(url), "command_timeout": timeout + 1, "timeout": 10}
    named = {"application_name": "todo"}
    milliseconds = str(int(timeout * 1000))
    try:
        connection = await asyncpg.connect(**arguments, server_settings={**named, "statement_timeout": milliseconds})
    except asyncpg.ProtocolViolationError:  # PgBouncer: unsupported startup parameter
        connection, direct = await asyncpg.connect(**arguments, server_settings=named), False
    else:
        async with connection.transaction():
            direct = (
                await connection.fetchval("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'")
                == milliseconds
            )
    try:
        renamed = direct or await _renames_statements(connection)
    finally:
        await connection.close()
    arguments["server_settings"] = {**named, "statement_timeout": milliseconds} if direct else named
    if not renamed:
        arguments["statement_cache_size"] = 0
    return Route(arguments, prepared=renamed)


async def _renames_statements(connection: Connection) -> bool:
    async with connection.transaction():
        statement = await connection.prepare("SELECT name FROM pg_prepared_statements")
        return statement.get_name() not in {row["name"] for row in await statement.fetch()}


class Gate:
    """Lets `size` users in at a time, in order of arrival; raises Unavailable after `wait` seconds.

    The pools behind it give a returned connection to whoever asks next, which starves those who wait.
    """

    def __init__(self, size: int, wait: float):
        self._semaphore = asyncio.Semaphore(size)
        self._wait = wait

    async def __aenter__(self) -> None:
        if not self._semaphore.locked():
            await self._semaphore.acquire()
            return
        try:
            async with asyncio.timeout(self._wait):
                await self._semaphore.acquire()
        except TimeoutError:
            raise Unavailable("Too many requests at once; the database has no connection free.") from None

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()
