"""The services of tasks, made for whoever asks; handlers name them in their signature."""

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from todo.access import Actor
from todo.database import Database, WriteSession
from todo.domain.tasks.queries import TaskReads
from todo.domain.tasks.services.tasks import TaskService
from todo.http.transactions import is_shared

ActorRequest = Request[Actor, Any, State]


def task_reads(database: NamedDependency[Database], request: ActorRequest) -> TaskReads:
    return TaskReads(database.reads, request.user)


def task_service(
    session: NamedDependency[WriteSession], database: NamedDependency[Database], request: ActorRequest
) -> TaskService:
    return TaskService(session, request.user, database=None if is_shared(request.scope) else database)


TASKS = {
    "task_reads": Provide(task_reads, sync_to_thread=False),
    "tasks": Provide(task_service, sync_to_thread=False),
}
