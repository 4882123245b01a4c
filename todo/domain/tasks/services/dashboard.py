"""Work in numbers, for the first page of the admin."""

from datetime import timedelta

from sqlalchemy import and_, case, func, select

from todo.access import Actor
from todo.admin.dashboard import Card, Daily, Figure, Line, first_line, one
from todo.database import Database, Query
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import SERIES

ALIVE = TASK.deleted_at.is_(None)
IN_WORK = and_(*(TASK.status != one for one in sorted(rules.CLOSED)))  # an IN is not compiled once
LATE_SINCE = case((TASK.due["kind"].astext == "day", func.now() - timedelta(days=1)), else_=func.now())
LATE = TASK.due_at < LATE_SINCE  # a whole day is late when it is over
OPEN = one(select(func.count(), func.count().filter(LATE)).select_from(Task).where(ALIVE, IN_WORK))
MOST = 10_000  # series counted
SET_ASIDE = one(select(func.count()).select_from(select(SERIES.id).where(SERIES.failures > 0).limit(MOST).subquery()))
SERIES_ERRORS = Query(
    lambda id, title, error, at: Line(title, at, f"/admin/series/{id}", first_line(error)),
    select(SERIES.id, SERIES.template["title"].astext, SERIES.last_error, SERIES.updated_at)
    .where(SERIES.failures > 0)
    .order_by(SERIES.updated_at.desc())
    .limit(3),
)
_late = select(SERIES.next_run_at).where(SERIES.next_run_at < func.now() - timedelta(minutes=1))
_late_rows = _late.order_by(SERIES.next_run_at).limit(MOST).subquery()
BEHIND = one(select(func.count(), func.min(_late_rows.c.next_run_at)))
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


async def set_aside(database: Database, _: Actor) -> Figure:
    """The series that failed, and the last errors."""
    (number,) = await database.reads.one_or_none(SET_ASIDE) or (0,)
    lines = await database.reads.all(SERIES_ERRORS) if number else []
    return Figure(number, "failed, and are tried again", "/admin/series?trouble=set_aside", "bad", lines=lines)


async def behind(database: Database, _: Actor) -> Figure:
    """The series whose time came more than a minute ago."""
    number, since = await database.reads.one_or_none(BEHIND) or (0, None)
    lines = [Line("The oldest is due since", since)] if since else []
    return Figure(number, "due for more than a minute", "/admin/series?trouble=late", "warn", lines=lines)


CARDS = [
    Card("Series set aside", "repeat", "series.all", set_aside, is_alert=True),
    Card("Series that lag", "clock", "series.all", behind, is_alert=True),
    Card("To do", "tasks", "tasks.all", in_work),
    Card("Done", "check", "tasks.all", done),
]
