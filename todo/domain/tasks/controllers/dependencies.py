"""The services of tasks and series, made for whoever asks; handlers name them in their signature."""

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from todo.access import Actor
from todo.database import Database, WriteSession
from todo.domain.recurrence.guards import visible_to
from todo.domain.tasks.services.queries import TaskReads
from todo.domain.tasks.services.series import SeriesReads, SeriesVerbs
from todo.domain.tasks.services.tasks import TaskService

ActorRequest = Request[Actor, Any, State]


def task_reads(database: NamedDependency[Database], request: ActorRequest) -> TaskReads:
    return TaskReads(database.reads, request.user)


def task_service(session: NamedDependency[WriteSession], request: ActorRequest) -> TaskService:
    return TaskService(session, request.user)


def series_reads(database: NamedDependency[Database], request: ActorRequest) -> SeriesReads:
    return SeriesReads(database.reads, request.user)


def series_service(session: NamedDependency[WriteSession], request: ActorRequest) -> SeriesVerbs:
    return SeriesVerbs(session, request.user, visible_to(request.user.user_id))


TASKS = {
    "task_reads": Provide(task_reads, sync_to_thread=False),
    "tasks": Provide(task_service, sync_to_thread=False),
}
SERIES = {
    "series_reads": Provide(series_reads, sync_to_thread=False),
    "series": Provide(series_service, sync_to_thread=False),
}
