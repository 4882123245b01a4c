"""`/api/trash`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.schemas import TaskOut
from todo.domain.tasks.services.reads import TaskReads
from todo.domain.tasks.services.tasks import TaskService
from todo.http.versions import versioned
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]
Db = NamedDependency[Database]


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
        """Take a task out of the trash, with the subtasks that went there with it.

        A turn of a series is open again; what its deletion brought up goes, if nobody has touched it.

        Example: `POST /api/trash/0190f5f0-7c1d-7000-8000-000000000000/restore`
        """
        return versioned(await TaskService(session, request.user).restore(task_id))
