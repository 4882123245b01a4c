"""`/api/tasks`."""

from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.controllers import list_parameters as query
from todo.domain.tasks.includes import names_of, reads_of
from todo.domain.tasks.queries import TaskReads, check_position
from todo.domain.tasks.schemas import (
    Children,
    Completed,
    Move,
    MoveAfter,
    TaskDetails,
    TaskIn,
    TaskOut,
    TaskPage,
    TaskPatch,
    TaskSaved,
)
from todo.domain.tasks.series.services.edit import read_scope
from todo.domain.tasks.series.upcoming import upcoming
from todo.domain.tasks.services.closing import ClosingService
from todo.domain.tasks.services.tasks import Keyed, TaskService
from todo.domain.tasks.services.trash import TrashService
from todo.domain.tasks.views.queries import ViewReads
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.http.idempotency import key_of
from todo.http.transactions import is_shared
from todo.schema import Count, Cursor, Limit

ActorRequest = Request[Actor, Any, State]
Tasks = NamedDependency[TaskService]
Closing = NamedDependency[ClosingService]
Trash = NamedDependency[TrashService]
Db = NamedDependency[Database]

# Litestar reserves the name `scope`, and would report errors under ours.
SCOPES = {"enum": ["this", "following", "all"]}
ScopeOfChange = Annotated[
    str | None,
    QueryParameter(
        name="scope",
        schema_extra=SCOPES,
        description="For an occurrence of a series: what the change is for; `this`, or `all` for a rule.",
    ),
]
ScopeOfDeletion = Annotated[
    str,
    QueryParameter(
        name="scope",
        schema_extra=SCOPES,
        description="For an occurrence of a series: `this` skips it; `following` and `all` end the series, with the"
        " open occurrences"
        " from this one on, or all.",
    ),
]

ChildrenOfCompleted = Annotated[
    Children,
    QueryParameter(
        description="What happens to open subtasks, at any depth: `leave`, the default, leaves them open; `complete`"
        " completes them too; `refuse` answers 409 when there are any."
    ),
]

Row = TypeVar("Row", bound=TaskOut)


def answer(
    task: Row, *, status_code: int = 200, if_none_match: str | None = None, checksum: bool = False
) -> Response[Row]:
    """The response for a task, whose body also says whether it is late by now or blocked, and its progress.

    `checksum`: and shows other rows.
    """
    state = "overdue" if task.overdue else ""
    state += "blocked" if task.blocked else ""
    state += f"{task.progress.done}of{task.progress.total}" if task.progress else ""
    return versioned(task, status_code=status_code, if_none_match=if_none_match, checksum=checksum, state=state)


def task_reads(database: NamedDependency[Database], request: ActorRequest) -> TaskReads:
    return TaskReads(database.reads, request.user)


def task_service(
    session: NamedDependency[WriteSession], database: NamedDependency[Database], request: ActorRequest
) -> TaskService:
    return TaskService(session, request.user, database=None if is_shared(request.scope) else database)


def closing_service(
    session: NamedDependency[WriteSession], database: NamedDependency[Database], request: ActorRequest
) -> ClosingService:
    return ClosingService(session, request.user, database=None if is_shared(request.scope) else database)


def trash_service(session: NamedDependency[WriteSession], request: ActorRequest) -> TrashService:
    return TrashService(session, request.user)


TASKS = {
    "task_reads": Provide(task_reads, sync_to_thread=False),
    "tasks": Provide(task_service, sync_to_thread=False),
    "closing": Provide(closing_service, sync_to_thread=False),
    "trash": Provide(trash_service, sync_to_thread=False),
}


class TaskController(Controller):
    """Tasks: the work itself."""

    path = "/api/tasks"
    tags = ["Tasks"]
    dependencies = TASKS

    @get(operation_id="list_tasks", guards=[requires("tasks.view")])
    async def list_tasks(
        self,
        database: Db,
        request: ActorRequest,
        task_reads: NamedDependency[TaskReads],
        status: query.StatusFilter = None,
        priority: query.PriorityFilter = None,
        when: query.WhenFilter = None,
        days: query.Days = None,
        due_before: query.DueBefore = None,
        due_after: query.DueAfter = None,
        changed_since: query.ChangedSince = None,
        completed_before: query.CompletedBefore = None,
        completed_after: query.CompletedAfter = None,
        project_id: query.ProjectFilter = None,
        section_id: query.SectionFilter = None,
        label: query.LabelFilter = None,
        assignee: query.AssigneeFilter = None,
        blocked: query.BlockedFilter = None,
        series_id: query.SeriesFilter = None,
        parent_id: query.ParentFilter = None,
        q: query.Words = None,
        filter_text: query.FilterText = None,
        view: query.ViewName = None,
        include: query.IncludeInList = None,
        until: query.Until = None,
        sort: query.SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> TaskPage:
        """The tasks you can see, newest first, a page at a time.

        Filters apply to `items`; `upcoming` holds what your active series will bring, whatever page this is. What an
        overdue task keeps from opening names it in `blocked_by`. Days are those of your account's time zone. `include`
        adds to each task its series or its subtasks.

        Example: `GET /api/tasks?when=today&priority=4`
        """
        asked: dict[str, Any] = {
            "status": status, "priority": priority, "when": when, "days": days, "due_before": due_before,
            "due_after": due_after, "changed_since": changed_since, "completed_before": completed_before,
            "completed_after": completed_after, "section_id": section_id, "label": label,
            "assignee": assignee, "blocked": blocked, "series_id": series_id, "parent_id": parent_id, "q": q,
        }  # fmt: skip
        chosen = await query.viewed(view, ViewReads(database.reads, request.user), filter_text)
        sort, project_id = sort or chosen.sort, project_id or chosen.project_id
        check_position(sort, project_id or section_id or parent_id)
        filters = query.filters_of(request.user, **asked)
        asked |= {"project_id": project_id, "filter": chosen.filter}
        names, ahead = query.included_of(include, until)
        options: dict[str, Any] = {"asked": asked, "limit": limit, "cursor": cursor, "count": count}
        options |= query.filtered(chosen.filter, request.user, filters, sort, "query.view" if view else "query.filter")
        read = reads_of(names)
        if options["sort"] == "rank":
            found = await read.search.page(database.reads, request.user.user_id, filters, project_id, **options)
        else:
            found = await task_reads.page(filters, read.lists, project_id, **options)
        page = TaskPage(found.items, found.next_cursor, found.total, found.total_is_exact)
        if ahead is not None:
            page.upcoming, page.upcoming_cut_off = await upcoming(database.reads, request.user, ahead)
        return page

    @post(operation_id="add_task", guards=[requires("tasks.add")], opt={"takes_key": True})
    async def add_task(self, tasks: Tasks, request: ActorRequest, data: JSONBody[TaskIn]) -> Response[TaskSaved]:
        """Add a task; with `recurrence` it is the first of a series.

        Example: `{"title": "Pay the rent", "due": {"kind": "day", "date": "2026-12-31"},
        "recurrence": {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}}`
        """
        key, respond = key_of(request.scope), partial(answer, status_code=201)
        return respond(await tasks.add(data, Keyed(key, respond) if key else None))

    @get("/{task_id:uuid}", operation_id="get_task", guards=[requires("tasks.view")])
    async def get_task(
        self,
        task_reads: NamedDependency[TaskReads],
        task_id: FromPath[UUID],
        include: query.Include = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response[TaskDetails]:
        """One task. With `include` the `ETag` also changes with what is included.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000?include=series,subtasks`
        """
        names = names_of(include)
        task = await task_reads.one(task_id, reads_of(names).one)
        return answer(task, if_none_match=if_none_match, checksum=bool(names))

    @patch("/{task_id:uuid}", operation_id="change_task", guards=[requires("tasks.change")])
    async def change_task(
        self,
        tasks: Tasks,
        task_id: FromPath[UUID],
        data: JSONBody[TaskPatch],
        if_match: IfMatch = None,
        reach: ScopeOfChange = None,
    ) -> Response[TaskSaved]:
        """Change the fields you send; `null` clears one.

        An occurrence of a series: `scope=this` changes this one only, its place in the series stays. `all` also changes
        title, notes, priority, estimate, start, deadline, due or rule of every occurrence that is not open yet.
        `following` ends the series before this occurrence and begins one with it that knows its predecessor. `start`
        and `deadline` of later occurrences are as far from their due as you set them here. In a series that repeats by
        start, `start` takes the place of the due. With these two scopes a new due moves the time of day; a new day
        moves the start as well where the rule takes its days from it, and is refused where the rule names them.
        `recurrence` makes a task the first occurrence of a series or changes its series (`all`, or `following`); `null`
        ends the series and leaves this occurrence open.

        Example: `{"title": "Pay the rent", "recurrence": {"on_missed": "skip_to_next"}}`
        """
        return answer(await tasks.change_fields(task_id, data, versions_of(if_match), read_scope(reach)))

    @delete("/{task_id:uuid}", operation_id="delete_task", guards=[requires("tasks.delete")])
    async def delete_task(
        self,
        trash: Trash,
        task_id: FromPath[UUID],
        if_match: IfMatch = None,
        reach: ScopeOfDeletion = "this",
    ) -> None:
        """Move a task to the trash with its subtasks, from where it can be restored.

        Example: `DELETE /api/tasks/0190f5f0-7c1d-7000-8000-000000000000?scope=following`
        """
        await trash.trash(task_id, versions_of(if_match), read_scope(reach) or "this")

    @post("/{task_id:uuid}/complete", operation_id="complete_task", status_code=200, guards=[requires("tasks.change")])
    async def complete_task(
        self,
        closing: Closing,
        task_id: FromPath[UUID],
        children: ChildrenOfCompleted = "leave",
        if_match: IfMatch = None,
    ) -> Response[Completed]:
        """Complete a task; one that comes back answers its successor as `next_task`.

        Done early it counts for its own occurrence; done late, the next one is the first still to come, or with
        `on_missed: backfill` simply the next. `next_task` is null when another occurrence is open already, the next one
        falls into a pause, or this was the last. Its subtasks are copied to it, all open, whatever `children` says.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/complete?children=complete`
        """
        return answer(await closing.complete(task_id, versions_of(if_match), children))

    @post("/{task_id:uuid}/reopen", operation_id="reopen_task", status_code=200, guards=[requires("tasks.change")])
    async def reopen_task(
        self, closing: Closing, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[TaskOut]:
        """Open a completed or skipped task again, with the subtasks that `children=complete` completed with it.

        A subtask that was changed since stays as it is.

        The occurrence that closing it opened is removed if it was not changed; else both are open.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/reopen`
        """
        return answer(await closing.reopen(task_id, versions_of(if_match)))

    @post("/{task_id:uuid}/skip", operation_id="skip_task", status_code=200, guards=[requires("tasks.change")])
    async def skip_task(
        self, closing: Closing, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[Completed]:
        """Leave out one occurrence of a series, and go on with the next; the rule stays as it is.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/skip`
        """
        return answer(await closing.skip(task_id, versions_of(if_match)))

    @post("/{task_id:uuid}/cancel", operation_id="cancel_task", status_code=200, guards=[requires("tasks.change")])
    async def cancel_task(
        self, closing: Closing, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[Completed]:
        """Close a task that is no longer to be done. `reopen` undoes it.

        An occurrence of a series is skipped, and the next one opens.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/cancel`
        """
        return answer(await closing.cancel(task_id, versions_of(if_match)))

    @post("/{task_id:uuid}/move", operation_id="move_task", status_code=200, guards=[requires("tasks.change")])
    async def move_task(
        self,
        tasks: Tasks,
        task_id: FromPath[UUID],
        data: JSONBody[Move],
        if_match: IfMatch = None,
    ) -> Response[TaskOut]:
        """Give a task another due.

        An occurrence of a series keeps its place: neither the rule nor `occurrence` changes. In the occurrences of the
        series it is `moved` until it is closed.

        Example: `{"due": {"kind": "day", "date": "2027-01-02"}}`
        """
        return answer(await tasks.move(task_id, data.due, versions_of(if_match)))

    @post("/{task_id:uuid}/move-after", operation_id="order_task", status_code=200, guards=[requires("tasks.change")])
    async def order_task(
        self,
        tasks: Tasks,
        task_id: FromPath[UUID],
        data: JSONBody[MoveAfter],
        if_match: IfMatch = None,
    ) -> Response[TaskOut]:
        """Put a task after another one of its project, or first: `sort=position` lists in this order.

        Tasks that nobody has moved are in the order in which they were added. With a task of another section, or
        with `section_id`, it is put into that section. Of two moves to one place the later one is closer to the task
        that both come after.

        Example: `{"after_id": "0190f5f0-7c1d-7000-8000-00000000000a"}`
        """
        return answer(await tasks.move_after(task_id, data, versions_of(if_match)))
