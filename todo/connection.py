"""Connecting to PostgreSQL, directly or through a pooler."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from todo.settings import Settings

# Quoted: generic for the type checker only.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


# Parameters of libpq and hosting providers that asyncpg would send to the server as settings.
LIBPQ_ONLY = frozenset(
    {"channel_binding", "connect_timeout", "gssencmode", "sslcompression", "sslsni", "tcp_user_timeout"}
    | {"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"}
    | {"pgbouncer", "connection_limit", "pool_timeout", "pool_mode", "schema"}
)
# How asyncpg reports a lost or refused connection. It raises InternalClientError when a server dies during the
# handshake.
AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
AWAY_STATES = ("08", "57P", "53")
READ_ONLY, DISK_FULL = "25006", "53100"


def clean_url(url: str) -> str:
    """Convert a PostgreSQL URL of any provider to one that asyncpg accepts. Raise ValueError for other URLs."""
    parts = urlsplit(url)
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme):
        raise ValueError(f"a database URL must begin with postgresql://, not {parts.scheme or 'nothing'}://")
    query = urlencode([(key, value) for key, value in parse_qsl(parts.query) if key not in LIBPQ_ONLY])
    return urlunsplit(("postgresql", parts.netloc, parts.path, query, ""))


def direct_url(settings: Settings, url: str = "") -> str:
    """Return the URL of the server without a pooler, for LISTEN, the queue and migrations.

    It is `TODO_DATABASE_DIRECT_URL`, or else the database URL without the additions of Neon's and Supabase's poolers.
    """
    parts = urlsplit(clean_url(settings.database_direct_url or url or settings.database_url))
    host = parts.netloc.replace("-pooler.", ".", 1)
    if (parts.hostname or "").endswith(".pooler.supabase.com"):
        host = re.sub(":6543$", ":5432", host)
    return urlunsplit(parts._replace(netloc=host))


@dataclass(frozen=True)
class Route:
    """How to connect: poolers such as PgBouncer reject some options that a server accepts."""

    arguments: Mapping[str, Any]
    prepared: bool = True
    direct: bool = True  # no pooler was detected

    async def connect(self, **_: Any) -> "Connection":
        return await asyncpg.connect(**self.arguments)


async def find_route(url: str, settings: Settings) -> Route:
    """Connect once to detect a pooler.

    A pooler rejects or drops the statement timeout requested at startup; then only the client's own timeout applies.
    One that does not rename prepared statements cannot keep them across transactions (PgBouncer before 1.21), so every
    statement must be prepared within its transaction.
    """
    timeout, wait = settings.database_statement_timeout, settings.database_wait
    # The server should cancel first: its error keeps the connection, ours closes it.
    arguments: dict[str, Any] = {"dsn": clean_url(url), "command_timeout": timeout + 1, "timeout": wait}
    named = {"application_name": "todo"}
    limits = {"statement_timeout": str(int(timeout * 1000)), "lock_timeout": str(int(wait * 1000))}
    requested = named | limits
    unnamed: dict[str, Any] = {
        "statement_cache_size": 0
    }  # a named statement would remain and collide with the next process's
    try:
        connection = await asyncpg.connect(**arguments, **unnamed, server_settings=requested)
    except asyncpg.ProtocolViolationError:  # PgBouncer: unsupported startup parameter
        connection, direct = await asyncpg.connect(**arguments, **unnamed, server_settings=named), False
    else:
        direct = await _took_timeout(connection, requested["statement_timeout"])
    try:
        renamed = direct or await _renames_statements(connection)
    finally:
        await connection.close()
    arguments["server_settings"] = requested if direct else named
    return Route(arguments if renamed else arguments | unnamed, renamed, direct)


async def _took_timeout(connection: Connection, milliseconds: str) -> bool:
    async with connection.transaction():
        found = await connection.fetchrow("SELECT setting, source FROM pg_settings WHERE name = 'statement_timeout'")
    return found is not None and tuple(found) == (milliseconds, "client")


async def _renames_statements(connection: Connection) -> bool:
    """Prepare a statement under a unique name, check whether the server knows that name, and drop it."""
    name = f"todo_{uuid4().hex}"
    async with connection.transaction():
        statement = await connection.prepare("SELECT name FROM pg_prepared_statements", name=name)
        renamed = name not in {row["name"] for row in await statement.fetch()}
        if not renamed:
            await connection.execute(f"DEALLOCATE {name}")
    return renamed


async def keeps_sessions(url: str, settings: Settings) -> bool:
    """Return whether a connection keeps its server process, which it does not behind a pooler in transaction mode."""
    route = await find_route(url, settings)
    if route.direct:
        return True
    first, second = await route.connect(), await route.connect()
    try:
        # Others may use the pooler at the same time, so one check could succeed by chance.
        return all([await _stays(first, second) for _ in range(3)])
    finally:
        first.terminate()
        second.terminate()


async def _stays(first: Connection, second: Connection) -> bool:
    """Poolers reuse the last server process.

    While another client holds it, the first connection gets a different one.
    """
    before = await _process_of(first)
    async with second.transaction():
        return await _process_of(second) != before and await _process_of(first) == before


async def _process_of(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT pg_backend_pid()"))
