"""Work in numbers, for the first page of the admin."""

from datetime import timedelta

from sqlalchemy import and_, case, func, select

from todo.access import Actor
from todo.admin.dashboard import Card, Daily, Figure, one
from todo.database import Database
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task

ALIVE = TASK.deleted_at.is_(None)
IN_WORK = and_(*(TASK.status != one for one in sorted(rules.CLOSED)))  # an IN is not compiled once
LATE_SINCE = case((TASK.due["kind"].astext == "day", func.now() - timedelta(days=1)), else_=func.now())
LATE = TASK.due_at < LATE_SINCE  # a whole day is late when it is over
OPEN = one(select(func.count(), func.count().filter(LATE)).select_from(Task).where(ALIVE, IN_WORK))
ADDED, DONE = Daily(TASK.created_at, ALIVE), Daily(TASK.completed_at, ALIVE)


async def in_work(database: Database, actor: Actor) -> Figure:
    """What is still to do, and what was added a day."""
    still, late = await database.reads.one_or_none(OPEN) or (0, 0)
    note = f"{late:,} of them late" if late else "none of them late"
    series = await ADDED.series(database, actor)
    return Figure(
        still, note, "/admin/tasks?status=open&status=in_progress&status=waiting", series=series, unit="added"
    )


async def done(database: Database, actor: Actor) -> Figure:
    """What was finished this week, and a day."""
    series = await DONE.series(database, actor)
    return Figure(sum(series[-7:]), "in the past 7 days", "/admin/tasks?status=done", series=series, unit="done")


CARDS = [Card("To do", "tasks", "tasks.all", in_work), Card("Done", "check", "tasks.all", done)]
