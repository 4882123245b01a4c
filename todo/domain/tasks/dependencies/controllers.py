"""`/api/tasks/{id}/dependencies`, and `/api/tasks/{id}/dependents`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.controllers.tasks import answer
from todo.domain.tasks.dependencies.queries import DependencyReads
from todo.domain.tasks.dependencies.schemas import DependencyIn
from todo.domain.tasks.dependencies.services import DependencyService
from todo.domain.tasks.schemas import TaskOut, TaskPage
from todo.schema import Count, Cursor, Limit

ActorRequest = Request[Actor, Any, State]
SortBy = Annotated[
    Literal["created_at", "-created_at", "due_at", "-due_at"] | None,
    QueryParameter(description="The oldest first by default; `due_at` has the soonest due first, `-` reverses."),
]


def dependency_reads(database: NamedDependency[Database], request: ActorRequest) -> DependencyReads:
    return DependencyReads(database.reads, request.user)


def dependency_service(session: NamedDependency[WriteSession], request: ActorRequest) -> DependencyService:
    return DependencyService(session, request.user)


class DependencyController(Controller):
    """Dependencies: what a task waits for. While a blocker is open and not in the trash, the task is `blocked`."""

    path = "/api/tasks/{task_id:uuid}"
    tags = ["Tasks"]
    dependencies = {
        "dependency_reads": Provide(dependency_reads, sync_to_thread=False),
        "service": Provide(dependency_service, sync_to_thread=False),
    }

    @get("/dependencies", operation_id="list_dependencies", guards=[requires("tasks.view")])
    async def list_dependencies(
        self, dependency_reads: NamedDependency[DependencyReads], task_id: FromPath[UUID]
    ) -> TaskPage:
        """The tasks that a task waits for, of those that you can see; at most 50, in one page.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/dependencies`
        """
        return await dependency_reads.blockers(task_id)

    @get("/dependents", operation_id="list_dependents", guards=[requires("tasks.view")])
    async def list_dependents(
        self,
        dependency_reads: NamedDependency[DependencyReads],
        task_id: FromPath[UUID],
        sort: SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> TaskPage:
        """The tasks that wait for a task, of those that you can see; up to 500.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/dependents?sort=due_at`
        """
        return await dependency_reads.dependents(task_id, sort=sort, limit=limit, cursor=cursor, count=count)

    @post("/dependencies", operation_id="add_dependency", guards=[requires("tasks.change")])
    async def add_dependency(
        self, service: NamedDependency[DependencyService], task_id: FromPath[UUID], data: JSONBody[DependencyIn]
    ) -> Response[TaskOut]:
        """Let a task that you may edit wait for another one that you and the owner of its project can see.

        Nothing changes if it does already. Tasks cannot wait for each other, not even by way of others.

        Example: `{"blocker_id": "0190f5f0-7c1d-7000-8000-00000000000a"}`
        """
        return answer(await service.add(task_id, data.blocker_id), status_code=201)

    @delete("/dependencies/{blocker_id:uuid}", operation_id="delete_dependency", guards=[requires("tasks.change")])
    async def delete_dependency(
        self,
        service: NamedDependency[DependencyService],
        task_id: FromPath[UUID],
        blocker_id: FromPath[UUID],
    ) -> None:
        """Let a task no longer wait for another one.

        Example: `DELETE /api/tasks/{task_id}/dependencies/0190f5f0-7c1d-7000-8000-00000000000a`
        """
        await service.remove(task_id, blocker_id)
