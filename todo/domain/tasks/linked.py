"""What a read-only link shows: a project and those below it with their tasks, and nothing about people."""

from asyncio import to_thread
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, to_builtins
from sqlalchemy import bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from todo.database import Database, Query
from todo.domain.projects.queries import LINKED
from todo.domain.projects.schemas import LinkedProject
from todo.domain.projects.services.links import hash_of
from todo.domain.tasks.models import FAR_AWAY, TASK
from todo.domain.tasks.queries import COLUMNS, FILTERS, IS_OPEN, OF_PROJECT, ORDERS, PLACED, SORTS, due_at, moment_of
from todo.domain.tasks.schemas import Moment, Priority, Status
from todo.errors import NotFound
from todo.listing import Listing

MOST = 1_000  # tasks in a calendar


class LinkedTask(Struct):
    """A task as a link shows it."""

    id: UUID
    version: int
    title: str
    notes: str
    status: Status
    priority: Priority
    due: Moment | None
    due_at: datetime | None
    overdue_at: datetime | None
    overdue: bool
    start: Moment | None
    deadline: date | None
    estimate_minutes: int | None
    project_id: UUID
    parent_id: UUID | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class LinkedTasks(Struct, omit_defaults=True):
    """The project of a link with those below it, each after the one above it, and a page of the tasks of one."""

    projects: list[LinkedProject]
    items: list[LinkedTask]
    next_cursor: str | None
    total: int | UnsetType = UNSET
    total_is_exact: bool | UnsetType = UNSET


def _row(*values: Any) -> LinkedTask:
    task = LinkedTask(*values)
    task.due, task.start = moment_of(task.due), moment_of(task.start)
    return task


SHOWN = COLUMNS.with_only_columns(*(COLUMNS.selected_columns[name] for name in LinkedTask.__struct_fields__))
HERE = (PLACED, TASK.deleted_at.is_(None))
TASKS = Listing(
    _row,
    SHOWN.where(TASK.project_id == OF_PROJECT, *HERE),
    filters={"status": FILTERS["status"]},
    sorts=SORTS,
    default="-created_at",
    orders=ORDERS,
)
_projects = select(func.unnest(bindparam("projects", type_=ARRAY(TASK.project_id.type))).label("id")).subquery(
    "project"
)
# A year back, so that an index finds them beside all that was ever closed.
_due = (due_at >= func.now() - literal_column("interval '1 year'"), due_at < literal_column(FAR_AWAY))
_of_each = (
    SHOWN.where(TASK.project_id == _projects.c.id, *HERE, IS_OPEN, *_due)
    .order_by(due_at, TASK.id)
    .limit(MOST)
    .correlate(_projects)
    .lateral("task")
)
DUE = Query(
    _row,
    select(*_of_each.c).select_from(_projects.join(_of_each, true())).order_by(_of_each.c.due_at, _of_each.c.id)
    .limit(MOST),
)  # fmt: skip


class Linked(NamedTuple):
    """The projects that a link shows, and their tasks. A link that ends is answered from the primary at once."""

    database: Database
    projects: Sequence[LinkedProject]

    async def page(self, project_id: UUID | None, status: Sequence[Status] | None, **options: Any) -> LinkedTasks:
        """Return a page of the tasks of one of the projects. Raise NotFound; Invalid as `Listing.page` does."""
        here = project_id or self.projects[0].id
        if here not in {one.id for one in self.projects}:
            raise NotFound
        found = await TASKS.page(self.database.reads, {"status": status}, project_id=here, **options)
        return LinkedTasks([*self.projects], found.items, found.next_cursor, found.total, found.total_is_exact)

    async def calendar(self, host: str, *, as_events: bool) -> str:
        """Return the open tasks with a due date, the soonest first, as a calendar."""
        from todo.domain.tasks import calendar  # noqa: PLC0415 -- most processes write none

        tasks = await self.database.reads.all(DUE, projects=[one.id for one in self.projects])
        rows = [to_builtins(task, builtin_types=(datetime,)) for task in tasks]
        # In a thread: a thousand tasks take longer than others can wait.
        return await to_thread(calendar.feed, self.projects[0].name, rows, host, as_events=as_events)


async def linked_by(database: Database, secret: str) -> Linked:
    """Return what the secret of a link shows. Raise NotFound."""
    projects = await database.primary.all(LINKED, hash=hash_of(secret))
    if not projects:
        raise NotFound
    return Linked(database, projects)
