"""What the worker does for tasks."""

from uuid import UUID

from sqlalchemy import Double, cast, func, select

from todo.database import Database, Query
from todo.domain.recurrence.models import SERIES
from todo.domain.tasks.services import tasks
from todo.domain.tasks.services.opening import open_due
from todo.loops import Loop
from todo.queue import Context

# Seconds until a series is due: an empty look is one index probe in one round trip.
NEXT = Query(
    lambda seconds: seconds, select(cast(func.extract("epoch", func.min(SERIES.next_run_at) - func.now()), Double))
)
BUSY = 0.2  # seconds to the next look when all that is due is in other workers' hands


async def open_due_turns(database: Database) -> float | None:
    """Bring up the turns whose time has come, a thousand series a transaction."""
    seconds = await database.primary.one_or_none(NEXT)
    if seconds is None or seconds > 0:
        return seconds
    async with database.session() as session:
        opened = await open_due(session)
    return 0 if opened else BUSY


async def follow_timezone(context: Context, *, user_id: str) -> None:
    """Compute again what is due for somebody who has moved to another time zone."""
    async with context["database"].session() as session:
        await tasks.follow_timezone(session, UUID(user_id))


FUNCTIONS = [follow_timezone]
LOOPS = [Loop("turns", open_due_turns)]
