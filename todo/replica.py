"""Reads at a replica, which show all that was committed before they began (decision 0024)."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import text

from todo.connection import AWAY, Connection, Route, find_route
from todo.direct import Direct, Query, connect
from todo.engine import SlowLog
from todo.errors import Unavailable
from todo.pool import Pool
from todo.settings import Settings
from todo.watch import Watch

# Positions in the log of changes, in bytes. A primary that was demoted has none: then reads are as old as it is.
WRITTEN: Query[int | None] = Query(
    lambda position: position,
    text("SELECT CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_insert_lsn() - '0/0')::bigint END"),
)
REPLAYED = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint"
PAUSES = (0, 0.001, 0.002, 0.004, 0.008, 0.016)  # seconds before asking a replica that is behind how far it is
ANSWER_SECONDS = 1.0  # how long it may take to say so
TRIAL_PAUSE = 1.0  # seconds between two attempts to use a replica again
log = logging.getLogger(__name__)


class Position:
    """How far the primary has written its log, asked once for all who want to know at the same time."""

    def __init__(self, primary: Direct):
        self._primary = primary
        self._asking: asyncio.Task[int | None] | None = None
        self._next: asyncio.Task[int | None] | None = None

    async def latest(self) -> int | None:
        """Return a position after everything that was committed before this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask(self._asking))
        return await asyncio.shield(self._next)

    async def _ask(self, before: asyncio.Task[int | None] | None) -> int | None:
        """Ask after `before`, whose answer may be older than what the callers have committed."""
        if before is not None:
            await asyncio.wait([before])
        self._asking, self._next = self._next, None
        return await self._primary.one_or_none(WRITTEN)


class Replica(Direct):
    """Run reads at a replica once it has everything that the primary had when they began, or else at the primary.

    A replica that is away or too far behind is left alone until a trial each second finds it usable again.
    """

    def __init__(self, settings: Settings, primary: Direct, watch: Watch, slow: SlowLog, *, keep: int, most: int):
        pool = Pool(self._connect_to_read, keep=keep, most=most, wait=settings.database_wait)
        super().__init__(pool, watch, slow, prepared=True)
        self.is_usable = False
        self.reads: Counter[str] = Counter()  # by the server they ran at
        self._settings = settings
        self._primary = primary
        self._position = Position(primary)
        self._route: Route | None = None
        self._replayed: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()

    async def run(self) -> None:
        """Run until cancelled: try whether the replica can be used whenever it could not."""
        while True:
            if not self.is_usable:
                self.is_usable = await self.succeeds()
            await asyncio.sleep(TRIAL_PAUSE)

    async def succeeds(self) -> bool:
        """Connect, and return whether the replica has all that the primary has now."""
        try:
            async with asyncio.timeout(self._settings.database_wait):
                connection = await self._connect()
                try:
                    position = await self._position.latest()
                    return position is not None and await self._has_replayed(connection, position)
                finally:
                    connection.terminate()
        except (*AWAY, asyncpg.PostgresError, Unavailable):
            return False

    async def _rows(self, query: Query[Any], values: Mapping[str, Any]) -> list[asyncpg.Record]:
        if self.is_usable and (position := await self._position.latest()) is not None:
            rows = await self._read(query.sql, query.arguments(values), position)
            if rows is not None:
                self.reads["replica"] += 1
                return rows
        self.reads["primary"] += 1
        return await self._primary._rows(query, values)

    async def _read(self, sql: str, arguments: Sequence[Any], position: int) -> list[asyncpg.Record] | None:
        """Return the rows, or None when the replica is behind or fails."""
        try:
            async with self.pool.use() as connection:
                try:
                    if await self._has_replayed(connection, position):
                        return await self._run(connection, sql, arguments, self._settings.database_wait)
                except AWAY:
                    connection.terminate()  # at once, so that who waits for a connection is sent to the primary
                    raise
            self._give_up("is behind")
        except AWAY:
            self._give_up("does not answer")
        except Unavailable:
            if self.is_usable:
                raise
        except asyncpg.PostgresError:
            pass  # cancelled, since it was in the way of changes; another error comes again at the primary
        return None

    async def _has_replayed(self, connection: Connection, position: int) -> bool:
        """Wait a moment until the server of this connection has replayed the log so far."""
        for pause in PAUSES:
            if self._replayed.get(connection, -1) >= position:
                return True
            await asyncio.sleep(pause)
            ((replayed,),) = await self._run(connection, REPLAYED, (), ANSWER_SECONDS)
            self._replayed[connection] = -1 if replayed is None else replayed  # None: it is not a replica
        return self._replayed[connection] >= position

    def _give_up(self, reason: str) -> None:
        if self.is_usable:
            log.warning("the replica %s; reads go to the primary until it can be used again", reason)
        self.is_usable = False
        self.pool.expire()

    async def _connect(self) -> Connection:
        if self._route is None:
            self._route = await find_route(self._settings.database_read_url, self._settings)
            self._prepared = self._route.prepared
        return await connect(self._watch, self._route)

    async def _connect_to_read(self) -> Connection:
        if not self.is_usable:
            raise ConnectionError("The replica is away.")
        return await self._connect()
