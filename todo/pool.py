"""Waiting for one of a limited number, in order of arrival: a gate, and a pool of connections."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from time import monotonic

import asyncpg

from todo.connection import Connection
from todo.errors import Unavailable

MOMENT, STUCK = 0.1, 1.0  # seconds
IDLE_SECONDS = 300.0  # an additional connection unused for so long is closed


class Load:
    """How busy something limited is. Subclasses report who enters, leaves and is refused."""

    most: int  # users at a time

    def __init__(self, wait: float):
        self._wait = wait
        self._users = 0
        self.timeouts = 0  # callers that gave up waiting
        self._busy_since = -math.inf
        self._moved_at = self._refused_at = -math.inf  # times of the last entry or exit, and of the last timeout

    @property
    def is_full(self) -> bool:
        raise NotImplementedError

    @property
    def is_in_use(self) -> bool:
        """Return whether it has been in use for more than a moment."""
        return self._users > 0 and monotonic() - self._busy_since > MOMENT

    @property
    def is_stuck(self) -> bool:
        """Return whether nobody left for a second while it was full, or a request just timed out."""
        at = monotonic()
        return self.is_full and at - self._moved_at > STUCK or at - self._refused_at < self._wait

    @property
    def in_use(self) -> int:
        return self._users

    @property
    def waiting(self) -> int:
        """Return how many callers wait."""
        raise NotImplementedError

    def _enter(self) -> None:
        self._moved_at = monotonic()
        if not self._users:
            self._busy_since = self._moved_at
        self._users += 1

    def _leave(self) -> None:
        self._users -= 1
        self._moved_at = monotonic()

    def _problem(self) -> Unavailable:
        self._refused_at = monotonic()
        self.timeouts += 1
        return Unavailable("Too many concurrent requests: no database connection is available.")


class Gate(Load):
    """Let `size` users in at a time, in order of arrival. Raise Unavailable after `wait` seconds.

    SQLAlchemy's pool behind it gives a returned connection to the next caller, which would starve those already
    waiting.
    """

    def __init__(self, size: int, wait: float):
        super().__init__(wait)
        self.most = size
        self._waiting = 0
        self._semaphore = asyncio.Semaphore(size)

    @property
    def is_full(self) -> bool:
        return self._semaphore.locked()

    @property
    def waiting(self) -> int:
        return self._waiting

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait) if self.is_full else nullcontext():
                await self._semaphore.acquire()
        except TimeoutError:
            raise self._problem() from None
        finally:
            self._waiting -= 1
        self._enter()

    async def __aexit__(self, *_: object) -> None:
        self._leave()
        self._semaphore.release()


class Pool(Load):
    """Connections, each for one user at a time: opened on demand up to `most`, kept while idle up to `keep`.

    Who waits is served in order of arrival. A connection that was lost, or was interrupted in a statement, is closed
    and replaced.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, keep: int, most: int, wait: float):
        super().__init__(wait)
        self._connect = connect
        self._keep = keep
        self.most = most
        self._places = most  # connections that may still be opened
        self._idle: deque[tuple[Connection, float]] = deque()  # the last used last, with the time of their release
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._usable: set[Connection] = set()  # neither lost nor expired, as far as is known
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        return not (self._places or self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def open(self) -> None:
        """Open the connections to keep. Raise what connecting raises."""
        opened: list[Connection] = []
        try:
            while len(opened) < self._keep:
                opened.append(await self.acquire())
        finally:
            for connection in opened:
                self.release(connection)

    def use(self) -> "Use":
        """Return a context manager of a connection: `async with pool.use() as connection`."""
        return Use(self)

    async def acquire(self) -> Connection:
        """Return a connection, to be released. Raise Unavailable after `wait` seconds, or what connecting raises."""
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                break
            self._drop(connection)
        else:
            connection = await self._take_place()
        self._enter()
        return connection

    def release(self, connection: Connection, *, whole: bool = True) -> None:
        """Return a connection. It is closed when it is not `whole`: when it may still be running a statement."""
        self._leave()
        if whole and connection in self._usable and not connection.is_closed():
            self._pass_on(connection)
        else:
            self._drop(connection)

    def expire(self) -> None:
        """Replace all connections: idle ones now, others when they are released."""
        self._usable.clear()
        while self._idle:
            self._drop(self._idle.pop()[0])

    def close_idle(self) -> None:
        """Close additional connections that nobody has used for a while."""
        while self._idle and len(self._usable) > self._keep:
            connection, since = self._idle[0]
            if monotonic() - since < IDLE_SECONDS:
                return
            self._idle.popleft()
            self._drop(connection)

    async def close(self) -> None:
        """Close all connections; those in use are cut off when they are released."""
        self.expire()
        self._is_closed = True
        await asyncio.gather(*self._closing)

    async def _take_place(self) -> Connection:
        """Open a connection, or wait for one. A released one may come without a connection: as a place to open one."""
        if self._places:
            self._places -= 1
        else:
            connection = await self._wait_in_line()
            if connection is not None:
                if not connection.is_closed():
                    return connection
                self._usable.discard(connection)
        try:
            connection = await self._connect()
        except BaseException:
            self._pass_on(None)
            raise
        self._usable.add(connection)
        return connection

    async def _wait_in_line(self) -> "Connection | None":
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._wait):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # served at the same moment
                self._pass_on(waiter.result())
            else:
                with suppress(ValueError):  # passed over already
                    self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise self._problem() from None
            raise

    def _pass_on(self, connection: "Connection | None") -> None:
        """Give a connection, or the place of one, to the caller that has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._places += 1
        else:
            self._idle.append((connection, monotonic()))

    def _drop(self, connection: Connection) -> None:
        """Close a connection, and pass its place on once that is done, so that there are never more than `most`."""
        self._usable.discard(connection)
        if self._is_closed:
            connection.terminate()
        if connection.is_closed():
            self._pass_on(None)
            return
        task = asyncio.create_task(self._close(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, connection: Connection) -> None:
        """Close a connection. A statement that it still runs is cancelled."""
        try:
            await connection.close(timeout=self._wait)
        except Exception:
            connection.terminate()
        finally:
            self._pass_on(None)


class Use:
    """The use of a connection of a pool."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool):
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.acquire()
        return self._connection

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._pool.release(self._connection, whole=error is None or isinstance(error, asyncpg.PostgresError))
