"""Whether the database answers: asked on a connection of its own, so that nobody who waits for it stands in the way."""

import asyncio
import logging
from time import monotonic
from typing import Any
from weakref import WeakSet

import asyncpg

from todo.connection import Connection, Gate, Pool, Route
from todo.errors import Unavailable

RENEWAL_PAUSE = 1.0  # seconds between two renewals of all connections
log = logging.getLogger(__name__)


class Monitor:
    """One connection for questions about the server itself; opened when first used, and again when it was lost."""

    def __init__(self, route: Route):
        self._route = route
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None

    async def fetch(self, sql: str, *arguments: Any, seconds: float) -> list[asyncpg.Record]:
        """Raises TimeoutError after this time, and what asyncpg raises."""
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
            self._connection.terminate()  # a server that does not answer takes no leave either
            self._connection = None


class Watch:
    """Knows the other connections of a process, and closes them when the server stops answering."""

    def __init__(self, monitor: Monitor, wait: float):
        self.pools: list[Pool] = []
        self.gates: list[Gate] = []
        self.is_silent = False  # it did not answer the last time it was asked
        self._monitor = monitor
        self._wait = wait
        self._connections: WeakSet[Connection] = WeakSet()
        self._outdated: WeakSet[Connection] = WeakSet()
        self._renewed_at = -RENEWAL_PAUSE

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        """`asyncpg.connect`, remembered."""
        connection: Connection = await asyncpg.connect(*arguments, **options)
        self._connections.add(connection)
        return connection

    def check(self) -> None:
        """Raises Unavailable while the server is silent: a new connection would only be waited for."""
        if self.is_silent:
            raise Unavailable("The database is away for the moment.", retry_after=2)

    def is_usable(self, connection: Connection) -> bool:
        return not connection.is_closed() and connection not in self._outdated

    async def renew(self) -> None:
        """Use new connections from now on: those there are lead to a server that takes no changes any more."""
        if monotonic() - self._renewed_at < RENEWAL_PAUSE:
            return
        self._renewed_at = monotonic()
        self._outdated.update(self._connections)
        self._monitor.close()
        for pool in self.pools:
            await pool.expire_connections()

    async def run(self) -> None:
        """Until cancelled. What began to wait for a silent server is ended `wait` seconds later."""
        while True:
            await asyncio.sleep(self._wait / 4)
            if not self.is_silent and not any(gate.is_in_use for gate in self.gates):
                continue
            self.is_silent = not await self._answers(self._wait / 4) and not await self._answers(self._wait / 2)
            if self.is_silent:
                log.warning("the database does not answer; what waits for it is ended")
                for connection in list(self._connections):
                    connection.terminate()

    async def _answers(self, seconds: float) -> bool:
        try:
            await self._monitor.fetch("SELECT 1", seconds=seconds)
        except TimeoutError:
            return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # an answer too: whoever waits gets it as well
        return True
