"""Detection of an unresponsive database, on a separate connection that no request waits for."""

import asyncio
import logging
from time import monotonic
from typing import Any
from weakref import WeakSet

import asyncpg

from todo.connection import DISK_FULL, READ_ONLY, Connection, Route
from todo.errors import Unavailable
from todo.pool import Gate, Pool

RENEWAL_PAUSE = 1.0  # seconds between two renewals of all connections
FULL_SECONDS = 60.0  # how long the disk counts as full after it was
log = logging.getLogger(__name__)


class Monitor:
    """A connection for queries about the server itself, opened on first use and reopened when lost."""

    def __init__(self, route: Route):
        self._route = route
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None

    async def fetch(self, sql: str, *arguments: Any, seconds: float) -> list[asyncpg.Record]:
        """Return the rows of a query. Raise TimeoutError after `seconds`, or asyncpg's errors."""
        async with asyncio.timeout(seconds), self._lock:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._route.connect()
                return await self._connection.fetch(sql, *arguments)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()  # an unresponsive server does not answer a Terminate message either
            self._connection = None


class Watch:
    """Track the connections of a process, and close them when the server stops answering."""

    def __init__(self, monitor: Monitor, wait: float):
        self.pools: list[Pool] = []
        self.gates: list[Gate] = []
        self.is_silent = False  # the last check got no answer
        self._monitor = monitor
        self._wait = wait
        self._connections: WeakSet[Connection] = WeakSet()
        self._outdated: WeakSet[Connection] = WeakSet()
        self._renewed_at = -RENEWAL_PAUSE
        self._full_at = -FULL_SECONDS

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """Connect like `asyncpg.connect`, and track the connection. Raise Unavailable like `check`."""
        self.check()
        connection: Connection = await asyncpg.connect(*arguments, **options)
        self._connections.add(connection)
        return connection

    def check(self) -> None:
        """Raise Unavailable while the server does not answer, instead of waiting for a new connection."""
        if self.is_silent:
            raise Unavailable("The database is temporarily unavailable.", retry_after=2)

    def is_usable(self, connection: Connection) -> bool:
        return not connection.is_closed() and connection not in self._outdated

    @property
    def is_disk_full(self) -> bool:
        """Return whether the server lately had no disk space for something."""
        return monotonic() - self._full_at < FULL_SECONDS

    async def note(self, state: str) -> None:
        """Conclude what the SQLSTATE of an error says about the server."""
        if state == READ_ONLY:
            await self.renew()
        elif state == DISK_FULL:
            self._full_at = monotonic()

    async def renew(self) -> None:
        """Replace all connections, since they lead to a server that is read-only."""
        if monotonic() - self._renewed_at < RENEWAL_PAUSE:
            return
        self._renewed_at = monotonic()
        self._outdated.update(self._connections)
        self._monitor.close()
        for pool in self.pools:
            pool.expire()

    async def run(self) -> None:
        """Run until cancelled.

        When the server does not answer for `wait` seconds, close the connections that wait for it.
        """
        while True:
            await asyncio.sleep(self._wait / 4)
            for pool in self.pools:
                pool.close_idle()
            if not self.is_silent and not any(one.is_in_use for one in (*self.gates, *self.pools)):
                continue
            self.is_silent = not await self._answers(self._wait / 4) and not await self._answers(self._wait / 2)
            if self.is_silent:
                log.warning("the database does not answer; closing waiting connections")
                for connection in list(self._connections):
                    connection.terminate()

    async def _answers(self, seconds: float) -> bool:
        try:
            await self._monitor.fetch("SELECT 1", seconds=seconds)
        except TimeoutError:
            return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # an error is an answer too; all waiting callers get it
        return True
