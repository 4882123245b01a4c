"""The same endpoints with Litestar and advanced-alchemy's ORM, as litestar-fullstack builds its services.

https://github.com/litestar-org/litestar-fullstack
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import msgspec
from advanced_alchemy.base import orm_registry
from advanced_alchemy.exceptions import NotFoundError
from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyPlugin
from advanced_alchemy.filters import LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
from litestar import Controller, Litestar, Request, get, patch, post
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.params import Dependency
from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from benchmarks import SECRET


class Base(DeclarativeBase):
    registry = orm_registry


def moment() -> datetime:
    return datetime.now(UTC)


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    version: Mapped[int] = mapped_column(default=1)
    title: Mapped[str]
    notes: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="open")
    priority: Mapped[int] = mapped_column(default=0)
    due: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    start: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    deadline: Mapped[date | None]
    estimate_minutes: Mapped[int | None]
    project_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]
    series_id: Mapped[UUID | None]
    occurrence: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=moment)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=moment, onupdate=moment)
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_by: Mapped[UUID]
    owner_id: Mapped[UUID]


class TaskIn(msgspec.Struct):
    title: str
    notes: str = ""
    status: str = "open"
    priority: int = 0
    estimate_minutes: int | None = None


class TaskPatch(msgspec.Struct):
    title: str | msgspec.UnsetType = msgspec.UNSET


class TaskOut(msgspec.Struct):
    id: UUID
    version: int
    title: str
    notes: str
    status: str
    priority: int
    due: dict[str, Any] | None
    due_at: datetime | None
    start: dict[str, Any] | None
    deadline: date | None
    estimate_minutes: int | None
    project_id: UUID
    parent_id: UUID | None
    series_id: UUID | None
    occurrence: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    created_by: UUID


class TaskService(SQLAlchemyAsyncRepositoryService[Task]):
    class Repo(SQLAlchemyAsyncRepository[Task]):
        model_type = Task

    repository_type = Repo


async def provide_tasks(
    db_session: Annotated[AsyncSession, Dependency(skip_validation=True)],
) -> AsyncIterator[TaskService]:
    async with TaskService.new(session=db_session) as service:
        yield service


class Authentication(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            raise NotAuthorizedException from None
        return AuthenticationResult(user=UUID(claims["sub"]), auth=scheme)


class TaskController(Controller):
    path = "/api/tasks"
    dependencies = {"tasks": Provide(provide_tasks)}

    @get()
    async def list_tasks(
        self,
        tasks: Annotated[TaskService, Dependency(skip_validation=True)],
        request: Request[UUID, Any, Any],
        limit: int = 50,
        status: str | None = None,
        priority: int | None = None,
    ) -> list[TaskOut]:
        where = [Task.owner_id == request.user, Task.deleted_at.is_(None)]
        where += [Task.status == status] if status is not None else []
        where += [Task.priority == priority] if priority is not None else []
        found = await tasks.list(*where, OrderBy("created_at", "desc"), OrderBy("id", "desc"), LimitOffset(limit, 0))
        return list(tasks.to_schema(found, schema_type=TaskOut).items)

    @get("/{task_id:uuid}")
    async def read_task(
        self,
        tasks: Annotated[TaskService, Dependency(skip_validation=True)],
        request: Request[UUID, Any, Any],
        task_id: UUID,
    ) -> TaskOut:
        return tasks.to_schema(await mine(tasks, request.user, task_id), schema_type=TaskOut)

    @post()
    async def create_task(
        self,
        tasks: Annotated[TaskService, Dependency(skip_validation=True)],
        request: Request[UUID, Any, Any],
        data: TaskIn,
    ) -> TaskOut:
        user = request.user
        values = msgspec.structs.asdict(data) | {"created_by": user, "owner_id": user, "project_id": user}
        return tasks.to_schema(await tasks.create(values, auto_commit=True), schema_type=TaskOut)

    @patch("/{task_id:uuid}")
    async def update_task(
        self,
        tasks: Annotated[TaskService, Dependency(skip_validation=True)],
        request: Request[UUID, Any, Any],
        task_id: UUID,
        data: TaskPatch,
    ) -> TaskOut:
        task = await mine(tasks, request.user, task_id)
        values = {"title": data.title, "version": task.version + 1}
        return tasks.to_schema(await tasks.update(values, item_id=task.id, auto_commit=True), schema_type=TaskOut)

    @post("/{task_id:uuid}/complete", status_code=200)
    async def complete_task(
        self,
        tasks: Annotated[TaskService, Dependency(skip_validation=True)],
        request: Request[UUID, Any, Any],
        task_id: UUID,
    ) -> TaskOut:
        task = await mine(tasks, request.user, task_id)
        values = {"status": "done", "completed_at": moment(), "version": task.version + 1}
        return tasks.to_schema(await tasks.update(values, item_id=task.id, auto_commit=True), schema_type=TaskOut)


async def mine(tasks: TaskService, user: UUID, task_id: UUID) -> Task:
    try:
        return await tasks.get_one(Task.id == task_id, Task.owner_id == user, Task.deleted_at.is_(None))
    except NotFoundError:
        raise NotFoundException from None


url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
config = SQLAlchemyAsyncConfig(connection_string=url)
config.engine_config.pool_size, config.engine_config.max_overflow = 30, 0
app = Litestar([TaskController], plugins=[SQLAlchemyPlugin(config)], middleware=[DefineMiddleware(Authentication)])
