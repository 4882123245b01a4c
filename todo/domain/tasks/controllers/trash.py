"""`/api/trash`."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from todo.access import requires
from todo.database import Database, WriteSession
from todo.domain.tasks.controllers.tasks import TASKS, ActorRequest, answer
from todo.domain.tasks.queries import TaskReads
from todo.domain.tasks.schemas import TaskOut, TrashedTask, TrashEmptied
from todo.domain.tasks.services.purging import empty_trash
from todo.domain.tasks.services.trash import TrashService
from todo.schema import Count, Cursor, Limit, Page

SortBy = Annotated[
    Literal["deleted_at", "-deleted_at", "purge_at", "-purge_at"] | None,
    QueryParameter(description="By this field, `-` reverses the order; by default the last deleted first."),
]


class TrashController(Controller):
    """Trash: deleted tasks that can be restored."""

    path = "/api/trash"
    tags = ["Tasks"]
    dependencies = TASKS

    @get(operation_id="list_trash", guards=[requires("tasks.view")])
    async def list_trash(
        self,
        database: NamedDependency[Database],
        task_reads: NamedDependency[TaskReads],
        sort: SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[TrashedTask]:
        """Your deleted tasks, last deleted first.

        After `purge_at` a task is deleted permanently, within the hour; one whose subtasks the next occurrence of its
        series still copies, once that is there.

        Example: `GET /api/trash?sort=purge_at`
        """
        kept = timedelta(days=database.settings.trash_days)
        return await task_reads.trash(kept, sort=sort, limit=limit, cursor=cursor, count=count)

    @delete(operation_id="empty_trash", status_code=200, guards=[requires("tasks.delete")])
    async def empty_trash(self, session: NamedDependency[WriteSession], request: ActorRequest) -> TrashEmptied:
        """Delete everything in your trash permanently, up to 1,000 tasks with their subtasks a request.

        What the next occurrence of a series still copies its subtasks from stays. This cannot be undone.

        Example: `DELETE /api/trash`
        """
        return await empty_trash(session, request.user.user_id)

    @post("/{task_id:uuid}/restore", operation_id="restore_task", status_code=200, guards=[requires("tasks.delete")])
    async def restore_task(self, trash: NamedDependency[TrashService], task_id: FromPath[UUID]) -> Response[TaskOut]:
        """Take a task out of the trash, with the subtasks that went there with it.

        An occurrence of a series is open again; what its deletion opened is removed if it was not changed.

        Example: `POST /api/trash/0190f5f0-7c1d-7000-8000-000000000000/restore`
        """
        return answer(await trash.restore(task_id))

    @delete("/{task_id:uuid}", operation_id="purge_task", guards=[requires("tasks.delete")])
    async def purge_task(self, trash: NamedDependency[TrashService], task_id: FromPath[UUID]) -> None:
        """Delete a task in the trash permanently, with its subtasks and reminders. This cannot be undone.

        Example: `DELETE /api/trash/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await trash.purge(task_id)
