"""What the worker does for tasks."""

from uuid import UUID

from todo.access import WORKER
from todo.database import Database
from todo.domain.tasks.services import tasks
from todo.domain.tasks.services.turns import OccurrenceService
from todo.loops import Loop
from todo.queue import Context


async def open_due_turns(database: Database) -> float | None:
    """Bring up the turns whose time has come, a hundred series a transaction."""
    async with database.session() as session:
        return 0 if await OccurrenceService(session, WORKER).open_due() else 1


async def follow_timezone(context: Context, *, user_id: str) -> None:
    """Compute again what is due for somebody who has moved to another time zone."""
    async with context["database"].session() as session:
        await tasks.follow_timezone(session, UUID(user_id))


FUNCTIONS = [follow_timezone]
LOOPS = [Loop("turns", open_due_turns)]
