"""What the worker does for tasks."""

from todo.access import WORKER
from todo.domain.tasks.services import OccurrenceService
from todo.queue import Context, Cron


async def open_due_occurrences(context: Context) -> None:
    """Bring up the turns whose time has come, a hundred series a transaction."""
    while True:
        async with context["database"].session() as session:
            if await OccurrenceService(session, WORKER).open_due() == 0:
                return


JOBS = [Cron(open_due_occurrences, "* * * * * */2")]
