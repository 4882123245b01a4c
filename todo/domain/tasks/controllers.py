"""`/api/tasks` and `/api/trash`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor, requires
from todo.database import Database
from todo.domain.tasks.schemas import Completed, Status, TaskIn, TaskOut, TaskPatch
from todo.domain.tasks.services.reads import TaskReads
from todo.domain.tasks.services.tasks import TaskService, add_alone
from todo.http.transactions import is_shared, session_for
from todo.http.versions import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page, read_instant

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[AsyncSession]
Db = NamedDependency[Database]

SORT = "-?(created_at|updated_at|due_at|priority|id)"
SortBy = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        schema_extra={"pattern": f"^({SORT}(,{SORT}){{0,2}})?$"},
        description="Up to three of created_at, updated_at, due_at, priority, id, each once; `-` turns one round.",
    ),
]


class TaskController(Controller):
    """Tasks: the work itself."""

    path = "/api/tasks"
    tags = ["Tasks"]

    @get(operation_id="list_tasks", guards=[requires("tasks.view")])
    async def list_tasks(
        self,
        database: Db,
        request: ActorRequest,
        status: Annotated[list[Status] | None, QueryParameter(max_items=5, description="One or more of these.")] = None,
        priority: Annotated[int | None, QueryParameter(ge=0, le=4, schema_extra={"minimum": 0})] = None,
        due_before: Annotated[
            str | None,
            QueryParameter(
                max_length=40,
                schema_extra={"format": "date-time"},
                description="Due before this instant, e.g. `2026-12-31T09:00:00Z`.",
            ),
        ] = None,
        due_after: Annotated[
            str | None,
            QueryParameter(
                max_length=40, schema_extra={"format": "date-time"}, description="Due at or after this instant."
            ),
        ] = None,
        series_id: Annotated[UUID | None, QueryParameter(description="Of this series.")] = None,
        sort: SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[TaskOut]:
        """The tasks you can see, newest first, a page at a time.

        Example: `GET /api/tasks?status=open&status=waiting&sort=due_at,-priority&limit=20`
        """
        filters = {
            "status": status,
            "priority": priority,
            "series_id": series_id,
            "due_before": read_instant("query.due_before", due_before),
            "due_after": read_instant("query.due_after", due_after),
        }
        tasks = TaskReads(database.reads, request.user)
        return await tasks.page(filters, sort=sort, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_task", guards=[requires("tasks.add")])
    async def add_task(self, database: Db, request: ActorRequest, data: JSONBody[TaskIn]) -> Response[TaskOut]:
        """Add a task; with `recurrence` it is the first of a series.

        Example: `{"title": "Pay the rent", "due": {"kind": "day", "date": "2026-12-31"},
        "recurrence": {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}}`
        """
        if data.recurrence is None and not is_shared(request.scope):
            return versioned(await add_alone(database, request.user, data), status_code=201)
        async with session_for(database, request.scope) as session:
            return versioned(await TaskService(session, request.user).add(data), status_code=201)

    @get("/{task_id:uuid}", operation_id="get_task", guards=[requires("tasks.view")])
    async def get_task(
        self, database: Db, request: ActorRequest, task_id: FromPath[UUID], if_none_match: IfNoneMatch = None
    ) -> Response[TaskOut]:
        """One task.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return versioned(await TaskReads(database.reads, request.user).one(task_id), if_none_match=if_none_match)

    @patch("/{task_id:uuid}", operation_id="change_task", guards=[requires("tasks.change")])
    async def change_task(
        self,
        session: Session,
        request: ActorRequest,
        task_id: FromPath[UUID],
        data: JSONBody[TaskPatch],
        if_match: IfMatch = None,
    ) -> Response[TaskOut]:
        """Change the fields you send; `null` clears one.

        Example: `{"title": "Pay the rent", "due": null}`
        """
        tasks = TaskService(session, request.user)
        return versioned(await tasks.change_fields(task_id, data, versions_of(if_match)))

    @delete("/{task_id:uuid}", operation_id="delete_task", guards=[requires("tasks.delete")])
    async def delete_task(
        self, session: Session, request: ActorRequest, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Move a task to the trash, from where it can be restored.

        Example: `DELETE /api/tasks/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await TaskService(session, request.user).trash(task_id, versions_of(if_match))

    @post("/{task_id:uuid}/complete", operation_id="complete_task", status_code=200, guards=[requires("tasks.change")])
    async def complete_task(
        self, session: Session, request: ActorRequest, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[Completed]:
        """Complete a task; one that comes back answers its successor as `next_task`.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/complete`
        """
        return versioned(await TaskService(session, request.user).complete(task_id, versions_of(if_match)))

    @post("/{task_id:uuid}/reopen", operation_id="reopen_task", status_code=200, guards=[requires("tasks.change")])
    async def reopen_task(
        self, session: Session, request: ActorRequest, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[TaskOut]:
        """Open a completed task again.

        Example: `POST /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/reopen`
        """
        return versioned(await TaskService(session, request.user).reopen(task_id, versions_of(if_match)))


class TrashController(Controller):
    """Trash: what was deleted and can be had back."""

    path = "/api/trash"
    tags = ["Tasks"]

    @get(operation_id="list_trash", guards=[requires("tasks.view")])
    async def list_trash(
        self, database: Db, request: ActorRequest, limit: Limit = 50, cursor: Cursor = None, count: Count = False
    ) -> Page[TaskOut]:
        """Your deleted tasks, last deleted first.

        Example: `GET /api/trash`
        """
        return await TaskReads(database.reads, request.user).trash(limit=limit, cursor=cursor, count=count)

    @post("/{task_id:uuid}/restore", operation_id="restore_task", status_code=200, guards=[requires("tasks.delete")])
    async def restore_task(self, session: Session, request: ActorRequest, task_id: FromPath[UUID]) -> Response[TaskOut]:
        """Take a task out of the trash.

        Example: `POST /api/trash/0190f5f0-7c1d-7000-8000-000000000000/restore`
        """
        return versioned(await TaskService(session, request.user).restore(task_id))
