"""Delete expired rows in batches that commit separately, so that an interrupted run keeps its progress."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import ColumnElement, bindparam, delete, func, literal, select, tuple_
from sqlmodel import SQLModel

from todo.database import Database, Query, table_of
from todo.database_errors import sqlstate_of

BATCH = 1_000
BATCH_SECONDS = 30.0  # timeout of one statement, longer than a request gets
RUN_SECONDS = 240.0  # for one run; the next run continues
TOO_SLOW = ("57014", "55P03")  # canceled, or timed out waiting for a lock
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expired:
    """The rows of a table that may be deleted. The condition must be served by an index."""

    model: type[SQLModel]
    where: ColumnElement[bool]

    def query(self) -> Query[int]:
        """Return the query that deletes up to `limit` unlocked rows and counts them."""
        key = tuple_(*table_of(self.model).primary_key.columns)
        found = select(*key).where(self.where).limit(bindparam("limit", type_=None)).with_for_update(skip_locked=True)
        gone = delete(self.model).where(key.in_(found)).returning(literal(1)).cte("gone")
        return Query(int, select(func.count()).select_from(gone))


async def delete_expired(database: Database, *expired: Expired, seconds: float = RUN_SECONDS) -> int:
    """Delete expired rows until `seconds` are over and return their number.

    All tables are tried; then the first failure is raised.
    """
    total, failures = 0, []
    for rows in expired:
        query = rows.query()

        async def delete_some(limit: int, query: Query[int] = query) -> int:
            return await database.primary.one_within(query, BATCH_SECONDS, limit=limit)

        try:
            total += await in_batches(delete_some, seconds / len(expired))
        except Exception as error:
            log.exception("cleanup of %s failed", rows.model.__name__)
            failures.append(error)
    if failures:
        raise failures[0]
    return total


async def in_batches(work: Callable[[int], Awaitable[int]], seconds: float = RUN_SECONDS) -> int:
    """Call `work(limit)` until it returns fewer rows than `limit` or the time is over. Return the total.

    A batch that times out is retried with fewer rows. Raise when even a single row times out.
    """
    size, total, end = BATCH, 0, monotonic() + seconds
    while monotonic() < end:
        try:
            found = await work(size)
        except Exception as error:
            if size == 1 or not is_too_slow(error):
                raise
            size = max(1, size // 8)
            continue
        total += found
        if found < size:
            break
    return total


def is_too_slow(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or sqlstate_of(error) in TOO_SLOW
