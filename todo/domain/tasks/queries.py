"""Finding tasks: one person's, a page or one at a time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    String,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.projects.guards import visible_to as project_visible_to
from todo.domain.projects.models import PROJECT
from todo.domain.projects.queries import INBOX_IS_NAMED, NAMED_PROJECTS, SHARED_PROJECTS, not_archived
from todo.domain.tasks import models
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.order.rules import key_of_new
from todo.domain.tasks.schemas import Day, Moment, Progress, TaskDetails, TaskOut, TaskSaved, TrashedTask
from todo.errors import Invalid, NotFound
from todo.listing import Listing, Shared, Sort, Test
from todo.schema import Instant, Page

IS_OPEN: ColumnElement[bool] = literal_column(f"({models.IS_OPEN})", Boolean())
OVERDUE = and_(IS_OPEN, TASK.overdue_at.is_not(None), TASK.overdue_at <= func.now()).label("overdue")
position: ColumnElement[str] = literal_column(models.BY_POSITION, Text())
PROGRESS = case(
    (TASK.subtasks_total > 0, func.jsonb_build_object("done", TASK.subtasks_done, "total", TASK.subtasks_total))
).label("progress")
COLUMNS = select(
    TASK.id, TASK.version, TASK.title, TASK.notes, TASK.status, TASK.priority, TASK.due, TASK.due_at, TASK.overdue_at,
    OVERDUE, TASK.start, TASK.deadline, TASK.estimate_minutes, TASK.labels, TASK.assignee_ids,
    TASK.project_id, TASK.section_id, position.label("position"), TASK.parent_id, TASK.series_id, TASK.occurrence,
    TASK.created_at, TASK.updated_at, TASK.completed_at, TASK.created_by, TASK.blocked,
    PROGRESS,
)  # fmt: skip
VALUES = attrgetter(*(column.name for column in COLUMNS.selected_columns))  # of a loaded task
Out = TypeVar("Out", bound=TaskOut)
FAR = datetime(9999, 12, 31, tzinfo=UTC)  # where tasks without a due date sort
FAR_DAY = date(9999, 12, 30)
MOMENT = msgspec.json.Decoder[Moment](Moment)
DONE = msgspec.json.Decoder[Progress](Progress)
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)

due_at: ColumnElement[Any] = func.coalesce(TASK.due_at, literal_column(models.FAR_AWAY))
completed_at: ColumnElement[Any] = literal_column(models.BY_COMPLETED, DateTime(timezone=True))
SORTS = {
    "id": Sort(TASK.id, UUID, lambda task: task.id),
    "created_at": Sort(TASK.created_at, Instant, lambda task: task.created_at),
    "updated_at": Sort(TASK.updated_at, Instant, lambda task: task.updated_at),
    "completed_at": Sort(completed_at, Instant, lambda task: task.completed_at or LONG_AGO),
    "due_at": Sort(due_at, Instant, lambda task: task.due_at or FAR),
    "start": Sort(literal_column(models.BY_START, String()), str, lambda task: _wall_clock(task.start)),
    "deadline": Sort(literal_column(models.BY_DEADLINE, Date()), date, lambda task: task.deadline or FAR_DAY),
    "title": Sort(literal_column(models.BY_TITLE, String()), str, lambda task: task.title[:64], bound=func.lower),
    "position": Sort(position, str, lambda task: task.position),
    "status": Sort(TASK.status, str, lambda task: task.status),
    "priority": Sort(-TASK.priority, int, lambda task: -task.priority, reverse=True),
}  # fmt: skip
# Each is the columns of an index.
ORDERS = (
    "created_at,id", "updated_at,id", "completed_at,id", "due_at,id", "start,id", "deadline,id", "title,id",
    "position,id",
    "status,created_at,id", "-priority,due_at,id",
)  # fmt: skip
LEADING = ("created_at", "updated_at", "completed_at", "due_at", "start", "deadline", "title")
SIMPLE: ColumnElement[Any] = literal_column("'simple'::regconfig")


def words_query(words: ColumnElement[Any]) -> ColumnElement[Any]:
    """The search for what `search_terms` returns."""
    return cast(func.to_tsquery(SIMPLE, words), TSQUERY)


def found(mark: ColumnElement[Any]) -> ColumnElement[bool]:
    """What has the words of a search and this word, which is that of an owner or a project."""
    wanted = cast(mark, TSQUERY).op("&&")(words_query(bindparam("q", type_=Text())))
    return TASK.words.op("@@")(wanted)


def mark_of(place: ColumnElement[Any], mark: str = models.PROJECT_MARK) -> ColumnElement[Any]:
    """The word that the index has for a project, or with another mark for an owner; quoted."""
    return func.quote_literal(literal_column(f"chr({ord(mark)})", Text()).op("||")(cast(place, Text())))


LABEL: Any = bindparam("label", type_=ARRAY(Text))


def labeled(place: ColumnElement[Any], labels: Any = LABEL, compare: str = "@>") -> ColumnElement[bool]:
    """What has all of these labels, by default those of a question, in the tasks of an owner or of a project.

    `compare`: `&&` for any of them.
    """
    wanted = func.label_keys(cast(place, Uuid()), labels)
    return and_(literal_column("labels <> '{}'"), literal_column(f"({models.LABEL_KEYS})").op(compare)(wanted))


def has_labels(labels: Any, compare: str = "@>") -> ColumnElement[bool]:
    """What `labeled` finds, without its index."""
    return and_(literal_column("labels <> '{}'"), _lowered(TASK.labels).bool_op(compare)(_lowered(labels)))


def _lowered(labels: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.lower(cast(labels, Text)), ARRAY(Text))


ASSIGNEE: Any = bindparam("assignee", type_=ARRAY(Uuid))


def assigned(place: ColumnElement[Any], people: Any = ASSIGNEE) -> ColumnElement[bool]:
    """What is assigned to one of these people, by default those of a question, in the tasks of an owner or project."""
    wanted = func.assignee_keys(cast(place, Uuid()), people)
    return and_(literal_column("assignee_ids <> '{}'"), literal_column(f"({models.ASSIGNEE_KEYS})").op("&&")(wanted))


def is_assigned(people: Any) -> ColumnElement[bool]:
    """What `assigned` finds, without its index."""
    return TASK.assignee_ids.bool_op("&&")(people)


TIME = DateTime(timezone=True)
DUE_DAY: ColumnElement[Any] = literal_column("due->>'date'", Text())  # null of what is due at a time
APART: ColumnElement[Any] = literal_column("interval '26 hours'")  # so long a day goes on after it ended elsewhere


def due_from(instant: Any, day: Any) -> ColumnElement[bool]:
    """What is due at or after an instant; of days, those from the first that begins then where who asks is."""
    in_time = case((DUE_DAY.is_not(None), day <= DUE_DAY), else_=due_at >= instant)
    return and_(due_at >= instant - APART, due_at < literal_column(models.FAR_AWAY), in_time)


def due_until(instant: Any, day: Any) -> ColumnElement[bool]:
    """What is due before an instant; of days, those before the first that begins then where who asks is."""
    return and_(due_at < instant + APART, case((DUE_DAY.is_not(None), day > DUE_DAY), else_=due_at < instant))


def is_late(today: Any) -> ColumnElement[bool]:
    """What was due, though it may be closed; of days, those before this one, which is today where who asks is."""
    ended = case((DUE_DAY.is_not(None), today > DUE_DAY), else_=TASK.overdue_at <= func.now())
    return and_(TASK.overdue_at.is_not(None), ended)


FILTERS = {
    "status": TASK.status == any_(bindparam("status", type_=ARRAY(String))),
    "only_status": TASK.status == bindparam("only_status"),  # an index has these in the order of the list
    "is_open": IS_OPEN,
    "priority": -TASK.priority == -bindparam("priority", type_=Integer()),
    "due_before": due_at < bindparam("due_before"),
    "due_after": and_(due_at >= bindparam("due_after"), due_at < literal_column(models.FAR_AWAY)),
    "when": and_(
        due_from(bindparam("when", type_=TIME), bindparam("when_day", type_=Text())),
        due_until(bindparam("when_until", type_=TIME), bindparam("when_until_day", type_=Text())),
    ),
    "overdue": and_(due_at <= func.now() + APART, is_late(bindparam("overdue", type_=Text()))),
    "changed_since": TASK.updated_at >= bindparam("changed_since"),
    "completed_before": and_(
        completed_at < bindparam("completed_before"), completed_at > literal_column(models.LONG_AGO)
    ),
    "completed_after": completed_at >= bindparam("completed_after"),
    "parent_id": TASK.parent_id == bindparam("parent_id"),
    "top_level": TASK.parent_id.is_(None),
    "series_id": TASK.series_id == bindparam("series_id"),
    "section_id": TASK.section_id == bindparam("section_id"),
    "inbox": TASK.project_id == TASK.owner_id,
    "label": labeled(ACTOR),
    "assignee": assigned(ACTOR),
    "unassigned": literal_column("assignee_ids = '{}'", Boolean()),
    "is_blocked": TASK.blocked,
    "not_blocked": ~TASK.blocked,
    "q": found(mark_of(ACTOR, models.OWNER_MARK)),
}
# The same asked of each row: an index would return all that have a common label, whatever the page.
TESTS = {
    "label": Test(has_labels(LABEL)),
    "assignee": Test(is_assigned(ASSIGNEE)),
    "unassigned": Test(FILTERS["unassigned"], has_index=False),
    "q": Test(TASK.words.op("@@")(words_query(bindparam("q", type_=Text())))),
}
RANGES = {
    "due_before": "due_at", "due_after": "due_at", "when": "due_at", "overdue": "due_at", "changed_since": "updated_at",
    "completed_before": "completed_at", "completed_after": "completed_at",
}  # fmt: skip
PLACED = TASK.project_id != TASK.owner_id  # so that the planner sees that an index of projects has it
OF_PROJECT: Any = bindparam("project_id", type_=TASK.project_id.type)
# Asked once, not of every task, whose owner is that of its project.
PROJECT_IS_VISIBLE = exists().where(PROJECT.id == OF_PROJECT, project_visible_to(ACTOR))


def in_project(project_id: ColumnElement[Any]) -> dict[str, ColumnElement[bool]]:
    """The filters that ask an index by the project, in place of the owner."""
    return {"q": found(mark_of(project_id)), "label": labeled(project_id), "assignee": assigned(project_id)}


def _shared(columns: Select[Any], *where: ColumnElement[bool], projects: Subquery = SHARED_PROJECTS) -> Shared:
    """The tasks of each of these projects; as a rule, of those shared with a person."""
    project: ColumnElement[Any] = projects.c.project_id
    here = columns.where(TASK.project_id == project, PLACED, *where).correlate(projects)
    return Shared(projects, here, in_project(project) | {"inbox": false()}, project)


def task_row(*values: Any) -> TaskDetails:
    """A row of `COLUMNS`. Dates are parsed, so that their fields come in one order, whatever the database has."""
    task = TaskDetails(*values)
    task.due, task.start, task.progress = moment_of(task.due), moment_of(task.start), progress_of(task.progress)
    return task


def trashed_row(*values: Any) -> TrashedTask:
    """A row of the trash, to be purged at once: how long it is kept is a setting."""
    task = TrashedTask(*values, *values[-1:])
    task.due, task.start, task.progress = moment_of(task.due), moment_of(task.start), progress_of(task.progress)
    return task


def read_of(into: Callable[..., TaskDetails], columns: Select[Any]) -> Query[TaskDetails]:
    """The statement that reads one visible task, with these columns."""
    return Query(into, columns.where(visible_to(ACTOR), TASK.id == bindparam("task")))


class Lists(NamedTuple):
    """The lists of tasks with certain columns: of all that a person sees, of one project, and of those with a name."""

    all: Listing[TaskDetails]
    of_project: Listing[TaskDetails]
    of_named: Listing[TaskDetails]


def lists_of(into: Callable[..., TaskDetails], columns: Select[Any]) -> Lists:
    """The lists of visible tasks, with these columns."""
    here = TASK.deleted_at.is_(None)
    order: Any = {
        "filters": FILTERS, "sorts": SORTS, "default": "-created_at", "orders": ORDERS, "leading": LEADING,
        "ranges": RANGES, "tests": TESTS, "place": ACTOR,
    }  # fmt: skip
    own = columns.where(TASK.owner_id == ACTOR, here, not_archived(TASK.project_id))
    inbox = columns.where(TASK.owner_id == ACTOR, here, TASK.project_id == TASK.owner_id, INBOX_IS_NAMED)
    named = _shared(columns, here, projects=NAMED_PROJECTS)
    of_project = columns.where(TASK.project_id == OF_PROJECT, PLACED, here, PROJECT_IS_VISIBLE)
    return Lists(
        Listing(into, own, shared=_shared(columns, here), **order),
        Listing(into, of_project, **order | {"filters": FILTERS | in_project(OF_PROJECT), "place": OF_PROJECT}),
        Listing(into, inbox, shared=named, **order),
    )


READ, LISTS = read_of(task_row, COLUMNS), lists_of(task_row, COLUMNS)
DELETED = Sort(TASK.deleted_at, Instant, lambda task: task.deleted_at)
TRASHED = COLUMNS.add_columns(TASK.deleted_at)
TRASH = Listing(
    trashed_row,
    TRASHED.where(TASK.owner_id == ACTOR, TASK.deleted_at.is_not(None)),
    filters={},
    sorts=SORTS | {"deleted_at": DELETED, "purge_at": DELETED},
    default="-deleted_at",
    shared=_shared(TRASHED, TASK.deleted_at.is_not(None)),
)


def check_position(sort: str | None, place: object, field: str = "query.sort") -> None:
    """Raise Invalid for the order of people without a place: each project has its own."""
    if sort and sort.removeprefix("-").startswith("position") and not place:
        message = "Each project has its own positions: send project_id, section_id or parent_id."
        raise Invalid.field(field, message)


def moment_of(stored: Any) -> Moment | None:
    """A due or start as the database has it, read by a statement or loaded."""
    found: Moment | None = stored
    if isinstance(stored, msgspec.Raw):
        found = MOMENT.decode(stored)
    elif stored is not None:
        found = msgspec.convert(stored, Moment)
    return found


def progress_of(stored: Any) -> Progress | None:
    """A progress as the database has it, read by a statement or loaded."""
    if stored is None:
        return None
    return DONE.decode(stored) if isinstance(stored, msgspec.Raw) else Progress(**stored)


def _wall_clock(start: Moment | None) -> str:
    """A start as its order has it."""
    if start is None:
        return "9999-12-31"
    return start.date.isoformat() if isinstance(start, Day) else start.at


class TaskReads:
    """What one person can see of the tasks."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, task_id: UUID, read: Query[TaskDetails] = READ) -> TaskDetails:
        """Raises NotFound."""
        task = await self._reads.one_or_none(read, actor=self._actor, task=task_id)
        if task is None:
            raise NotFound
        return task

    async def page(
        self,
        filters: Mapping[str, Any],
        lists: Lists | None = None,
        project_id: UUID | None = None,
        project_names: Sequence[str] | None = None,
        **options: Any,
    ) -> Page[TaskDetails]:
        """Raises Invalid for an undeclared sort field or a cursor that is none of ours.

        Without a project id, tasks of archived ones are left out. A project that is not visible has no tasks. Each of
        the projects with certain names or ids is read by an index of its own.
        """
        lists = lists or LISTS
        if filters.get("only_status") and options.get("sort") in (None, "created_at", "-created_at"):
            filters = {**filters, "is_open": None}  # with both, the planner expects few, and would read and sort all
        if project_id is not None and project_id != self._actor:
            return await lists.of_project.page(
                self._reads, filters, actor=self._actor, project_id=project_id, **options
            )
        filters = {**filters, "inbox": True if project_id else None}
        if project_names is not None and project_id is None:
            return await lists.of_named.page(
                self._reads, filters, actor=self._actor, project_names=project_names, **options
            )
        return await lists.all.page(self._reads, filters, actor=self._actor, **options)

    async def trash(self, kept: timedelta, **options: Any) -> Page[TrashedTask]:
        """What is in the trash, where it is kept so long."""
        page = await TRASH.page(self._reads, {}, actor=self._actor, **options)
        for task in page.items:
            task.purge_at = task.deleted_at + kept
        return page


def task_out(task: Task) -> TaskOut:
    """A loaded row as the wire shows it."""
    return _out(TaskOut, task)


def task_saved(task: Task, warnings: list[str]) -> TaskSaved:
    """A row that was written, with what to expect of a series it began."""
    saved = _out(TaskSaved, task)
    saved.warnings = warnings or UNSET
    return saved


def _out(schema: type[Out], task: Task) -> Out:
    out = schema(*VALUES(task))
    out.due, out.start, out.progress = moment_of(out.due), moment_of(out.start), progress_of(out.progress)
    out.position = out.position or key_of_new(task.id)
    return out
