"""Retrying transactions that the database rolled back because of a conflict with another one."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from todo.errors import Contention

T = TypeVar("T")

TRIES = 8
RANDOM = random.SystemRandom()
STATES = ("40001", "40P01")  # serialization failure, deadlock


def is_contention(error: BaseException) -> bool:
    """Return whether the transaction failed only because of a conflict, so that it can be retried."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(error, Contention) or getattr(cause, "sqlstate", None) in STATES


async def pause(attempt: int) -> None:
    """Wait before the next attempt: up to 20 ms after the first, doubling each time, half a second at most."""
    await asyncio.sleep(RANDOM.uniform(0, min(0.01 * 2**attempt, 0.5)))


async def retry(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`, which is or begins with one transaction, up to TRIES times. Raise what the last attempt raises."""
    for attempt in range(1, TRIES):
        try:
            return await work()
        except Exception as error:
            if not is_contention(error):
                raise
        await pause(attempt)
    return await work()
