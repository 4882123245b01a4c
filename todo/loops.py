"""The hot loops of a worker: look at the database, do what is due, look again. Truth is in the tables, not in a queue.

A NOTIFY wakes a loop when something became due earlier than it would look by itself; polling is the guarantee.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import asyncpg

from todo.connection import direct_url, find_route
from todo.contention import retry
from todo.database import Database

CHANNEL = "todo_due"
LONGEST_SLEEP = 5.0  # seconds
LONGEST_PAUSE = 30.0  # seconds between two tries while something is broken
COUNTS: Counter[str] = Counter()  # what this process has done since it began; the heartbeat tells it
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """`work` does one batch and answers in how many seconds there is more to do: 0 for at once, None for unknown.

    Any number of workers run the same loop at once, and any of them may be killed at any moment. SAQ knows the same
    work as a job of the same name (`todo.queue.job_of`).
    """

    name: str
    work: Callable[[Database], Awaitable[float | None]]
    woken: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


async def run_once(database: Database, loops: Sequence[Loop], seconds: float = math.inf) -> None:
    """Do all that is due now, beginning no batch after so many seconds; raises what a loop raises."""
    end = monotonic() + seconds
    for loop in loops:
        while await retry(partial(loop.work, database)) == 0 and monotonic() < end:
            pass


async def run(database: Database, loops: Sequence[Loop]) -> None:
    """Run the loops until cancelled; a batch that has begun is finished or rolled back, never left half-way."""
    await asyncio.gather(_listen(database, loops), *(_keep_going(database, loop) for loop in loops))


async def _keep_going(database: Database, loop: Loop) -> None:
    failures = 0
    while True:
        loop.woken.clear()
        try:
            pause = await retry(partial(loop.work, database))
            failures = 0
        except Exception:  # a database that is away comes back; whatever else it is must not end the loop
            log.exception("the loop %s failed", loop.name)
            failures += 1
            pause = min(0.5 * 2**failures, LONGEST_PAUSE)
            await asyncio.sleep(pause)  # nothing wakes it: what is broken is not asked more often
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(loop.woken.wait(), min(LONGEST_SLEEP if pause is None else pause, LONGEST_SLEEP))


async def _listen(database: Database, loops: Sequence[Loop]) -> None:
    """Wake loops by name; a lost connection is opened again, and meanwhile polling does."""
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
