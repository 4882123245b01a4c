"""`/api/trash`."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import requires
from todo.domain.tasks.controllers.tasks import TASKS, answer
from todo.domain.tasks.queries import TaskReads
from todo.domain.tasks.schemas import TaskDetails, TaskOut
from todo.domain.tasks.services.tasks import TaskService
from todo.schema import Count, Cursor, Limit, Page


class TrashController(Controller):
    """Trash: deleted tasks that can be restored."""

    path = "/api/trash"
    tags = ["Tasks"]
    dependencies = TASKS

    @get(operation_id="list_trash", guards=[requires("tasks.view")])
    async def list_trash(
        self, task_reads: NamedDependency[TaskReads], limit: Limit = 50, cursor: Cursor = None, count: Count = False
    ) -> Page[TaskDetails]:
        """Your deleted tasks, last deleted first.

        Example: `GET /api/trash`
        """
        return await task_reads.trash(limit=limit, cursor=cursor, count=count)

    @post("/{task_id:uuid}/restore", operation_id="restore_task", status_code=200, guards=[requires("tasks.delete")])
    async def restore_task(self, tasks: NamedDependency[TaskService], task_id: FromPath[UUID]) -> Response[TaskOut]:
        """Take a task out of the trash, with the subtasks that went there with it.

        An occurrence of a series is open again; what its deletion opened is removed if it was not changed.

        Example: `POST /api/trash/0190f5f0-7c1d-7000-8000-000000000000/restore`
        """
        return answer(await tasks.restore(task_id))

    @delete("/{task_id:uuid}", operation_id="purge_task", guards=[requires("tasks.delete")])
    async def purge_task(self, tasks: NamedDependency[TaskService], task_id: FromPath[UUID]) -> None:
        """Delete a task in the trash permanently, with its subtasks and reminders. This cannot be undone.

        Example: `DELETE /api/trash/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await tasks.purge(task_id)
