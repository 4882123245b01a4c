"""The loops of a worker: query the database, do what is due, repeat. The tables are the truth, not a queue.

NOTIFY wakes a loop when something becomes due earlier than its next query. Polling is the guarantee.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import asyncpg

from todo.connection import direct_url, find_route
from todo.contention import retry
from todo.database import Database
from todo.database_errors import problem_from
from todo.errors import Unavailable

CHANNEL = "todo_due"
LONGEST_SLEEP = 5.0  # seconds
ENDING_SECONDS = 3.0  # for what was begun when the worker is stopped
LONGEST_PAUSE = 30.0  # seconds between attempts while something fails
COUNTS: Counter[str] = Counter()  # counters of this process since it started, for the heartbeat
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """`work` does one batch and returns the seconds until there is more: 0 for immediately, None for unknown.

    Any number of workers run the same loop at once, and any of them may be killed at any time. SAQ has a job of the
    same name for the same work (`todo.queue.job_of`).
    """

    name: str
    work: Callable[[Database], Awaitable[float | None]]
    woken: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


async def run_once(database: Database, loops: Sequence[Loop], seconds: float = math.inf) -> None:
    """Do all that is due now, starting no batch after `seconds`. Raise what a loop raises."""
    end = monotonic() + seconds
    for loop in loops:
        while await retry(partial(loop.work, database)) == 0 and monotonic() < end:
            pass


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` that is visible outside, such as sending. When cancelled, it still has ENDING_SECONDS to end."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=ENDING_SECONDS)
        task.cancel()
        raise


async def run(database: Database, loops: Sequence[Loop]) -> None:
    """Run the loops until cancelled. A batch is finished or rolled back as a whole."""
    async with asyncio.TaskGroup() as group:  # waits for all of them, also when cancelled
        group.create_task(_listen(database, loops))
        for loop in loops:
            group.create_task(_keep_going(database, loop))


async def _keep_going(database: Database, loop: Loop) -> None:
    failures = 0
    while True:
        loop.woken.clear()
        try:
            pause = await retry(partial(loop.work, database))
            failures = 0
        except Exception as error:  # no error may end the loop
            problem = error if isinstance(error, Unavailable) else problem_from(error)
            if isinstance(problem, Unavailable):  # it comes back
                log.warning("loop %s waits: %s", loop.name, problem.detail)
            else:
                log.exception("loop %s failed", loop.name)
            failures += 1
            pause = min(0.5 * 2**failures, LONGEST_PAUSE)
            await asyncio.sleep(pause)  # not woken earlier, so that a failing dependency is not queried more often
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(loop.woken.wait(), min(LONGEST_SLEEP if pause is None else pause, LONGEST_SLEEP))


async def _listen(database: Database, loops: Sequence[Loop]) -> None:
    """Wake loops by name. A lost connection is reopened; polling covers the gap."""
    named = {loop.name: loop for loop in loops}

    def hear(_: Any, __: int, ___: str, name: str) -> None:
        if name in named:
            named[name].woken.set()

    while True:
        try:
            route = await find_route(direct_url(database.settings, database.url), database.settings)
            connection = await asyncpg.connect(**route.arguments)
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _, gone=gone: gone.set())
            try:
                await connection.add_listener(CHANNEL, hear)
                await gone.wait()
            finally:
                await connection.close(timeout=1)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            pass
        await asyncio.sleep(1)
