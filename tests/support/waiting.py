"""Waiting until something is so, without guessing how long that takes."""

import asyncio
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return once the condition holds; raises TimeoutError when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what is waited for sets no event
            await asyncio.sleep(0.005)


async def waiting_for_locks(sql: Any, number: int, seconds: float = 10) -> None:
    """Wait until `number` other sessions of this database wait for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(seconds):
        while await sql.fetchval(blocked) < number:
            await sql.execute("SELECT pg_stat_clear_snapshot()")  # inside a transaction the view is read once
            await asyncio.sleep(0.01)
