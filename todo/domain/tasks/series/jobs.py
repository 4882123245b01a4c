"""What the worker does for series."""

import asyncio

from sqlalchemy import ColumnElement, Double, cast, func, select

from todo.access import worker_origin
from todo.database import Database, Query
from todo.domain.tasks.series.models import SERIES
from todo.domain.tasks.series.services.materialize import BATCH, end_stalled_transactions, materialize_batch
from todo.domain.tasks.series.services.timezones import follow_pending
from todo.gauges import Gauge
from todo.loops import COUNTS, Loop


def _count(*where: ColumnElement[bool]) -> Query[float]:
    """How many series there are, counted no further than 10,000."""
    return Query(float, select(func.count()).select_from(select(SERIES.id).where(*where).limit(10_000).subquery()))


_next = select(func.min(SERIES.next_run_at)).scalar_subquery()
# Seconds until a series is due: with nothing due this is one index probe in one round trip.
NEXT = Query(
    lambda seconds: seconds, select(cast(func.extract("epoch", func.min(SERIES.next_run_at) - func.now()), Double))
)
SIDE_BY_SIDE = 3  # batches, while there is much to do
BUSY = 0.2  # seconds to the next try when other workers have locked all that is due


async def materialize_due(database: Database) -> float | None:
    """Create the tasks of due occurrences, a thousand series per transaction."""
    seconds = await database.primary.one_or_none(NEXT)
    if seconds is None or seconds > 0:
        return seconds
    opened = await _open_batch(database)
    if opened == BATCH:  # there is more: one batch is decided while another is written
        async with asyncio.TaskGroup() as group:
            batches = [group.create_task(_open_batch(database)) for _ in range(SIDE_BY_SIDE)]
        opened += sum(batch.result() for batch in batches)
    if not opened:
        async with database.session(worker_origin()) as session:
            await end_stalled_transactions(session)
    return 0 if opened else BUSY


async def _open_batch(database: Database) -> int:
    async with database.session(worker_origin()) as session:
        opened = await materialize_batch(session)
    COUNTS["series_opened"] += opened
    return opened


GAUGES = [
    Gauge(
        "todo_series_lag_seconds",
        "How late the oldest due series is; 0 when none is due.",
        Query(lambda late: late, select(cast(func.greatest(func.extract("epoch", func.now() - _next), 0), Double))),
    ),
    Gauge("todo_series_due", "Series whose time has come, up to 10,000.", _count(SERIES.next_run_at <= func.now())),
    Gauge("todo_series_set_aside", "Series that could not be opened, up to 10,000.", _count(SERIES.failures > 0)),
]
LOOPS = [Loop("follow_timezones", follow_pending), Loop("materialize_due", materialize_due)]
