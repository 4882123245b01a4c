"""What the worker does for tasks."""

from uuid import UUID

from todo.access import WORKER
from todo.domain.tasks import services
from todo.domain.tasks.services import OccurrenceService
from todo.queue import Context, Cron


async def open_due_occurrences(context: Context) -> None:
    """Bring up the turns whose time has come, a hundred series a transaction."""
    while True:
        async with context["database"].session() as session:
            if await OccurrenceService(session, WORKER).open_due() == 0:
                return


async def follow_timezone(context: Context, *, user_id: str) -> None:
    """Compute again what is due for somebody who has moved to another time zone."""
    async with context["database"].session() as session:
        await services.follow_timezone(session, UUID(user_id))


FUNCTIONS = [follow_timezone]
JOBS = [Cron(open_due_occurrences, "* * * * * */2", timeout=10)]
