"""The same endpoints as the documentation of FastAPI and SQLModel teaches, with an async session.

https://fastapi.tiangolo.com/tutorial/sql-databases/ (models, session dependency, response_model) and
https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/ (bearer token,
HS256; the token is decoded, nobody is fetched).

`PEER_LOADS_USER=1` makes it their full-stack template, which loads the user for each request:
https://github.com/fastapi/full-stack-fastapi-template/blob/master/backend/app/api/deps.py
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from uuid_utils.compat import uuid7

from benchmarks import SECRET

SECRET_KEY = SECRET
ALGORITHM = "HS256"


def moment() -> datetime:
    return datetime.now(UTC)


class TaskBase(SQLModel):
    title: str
    notes: str = ""
    status: str = "open"
    priority: int = 0
    due: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    start: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    deadline: date | None = None
    estimate_minutes: int | None = None


class Task(TaskBase, table=True):
    __tablename__ = "tasks"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    version: int = 1
    created_at: datetime = Field(default_factory=moment, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=moment, sa_type=DateTime(timezone=True))
    completed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    project_id: UUID
    parent_id: UUID | None = None
    series_id: UUID | None = None
    occurrence: str | None = None
    created_by: UUID
    owner_id: UUID


class TaskCreate(TaskBase):
    pass


class TaskUpdate(SQLModel):
    title: str | None = None


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: UUID = Field(primary_key=True)
    email: str
    name: str
    status: str


class TaskPublic(TaskBase):
    id: UUID
    version: int
    project_id: UUID
    parent_id: UUID | None
    series_id: UUID | None
    occurrence: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    created_by: UUID


app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
# As many connections as the service may open, all kept.
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(url, pool_size=30, max_overflow=0)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]
TokenDep = Annotated[str, Depends(oauth2_scheme)]


async def get_token_user(token: TokenDep) -> UUID:
    try:
        payload = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
        return UUID(payload["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError):
        headers = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(status_code=401, detail="Could not validate credentials", headers=headers) from None


async def get_stored_user(session: SessionDep, token: TokenDep) -> UUID:
    user = await session.get(User, await get_token_user(token))
    if user is None:
        raise HTTPException(status_code=404, detail="User not found")
    if user.status != "active":
        raise HTTPException(status_code=400, detail="Inactive user")
    return user.id


CurrentUser = Annotated[UUID, Depends(get_stored_user if os.environ.get("PEER_LOADS_USER") else get_token_user)]


@app.get("/api/tasks", response_model=list[TaskPublic])
async def read_tasks(
    session: SessionDep, user: CurrentUser, limit: int = 50, status: str | None = None, priority: int | None = None
) -> Any:
    mine = select(Task).where(Task.owner_id == user, col(Task.deleted_at).is_(None))
    if status is not None:
        mine = mine.where(Task.status == status)
    if priority is not None:
        mine = mine.where(Task.priority == priority)
    tasks = await session.exec(mine.order_by(col(Task.created_at).desc(), col(Task.id).desc()).limit(limit))
    return tasks.all()


async def get_task(task_id: UUID, session: SessionDep, user: CurrentUser) -> Task:
    task = await session.get(Task, task_id)
    if task is None or task.owner_id != user or task.deleted_at is not None:
        raise HTTPException(status_code=404, detail="Task not found")
    return task


TaskDep = Annotated[Task, Depends(get_task)]


@app.get("/api/tasks/{task_id}", response_model=TaskPublic)
async def read_task(task: TaskDep) -> Any:
    return task


async def save(session: AsyncSession, task: Task) -> Task:
    task.updated_at = moment()
    task.version += 1
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task


@app.patch("/api/tasks/{task_id}", response_model=TaskPublic)
async def update_task(db_task: TaskDep, task: TaskUpdate, session: SessionDep) -> Any:
    db_task.sqlmodel_update(task.model_dump(exclude_unset=True))
    return await save(session, db_task)


@app.post("/api/tasks/{task_id}/complete", response_model=TaskPublic)
async def complete_task(task: TaskDep, session: SessionDep) -> Any:
    task.status, task.completed_at = "done", moment()
    return await save(session, task)


@app.post("/api/tasks", response_model=TaskPublic, status_code=201)
async def create_task(task: TaskCreate, session: SessionDep, user: CurrentUser) -> Any:
    db_task = Task.model_validate(task, update={"created_by": user, "owner_id": user, "project_id": user})
    session.add(db_task)
    await session.commit()
    await session.refresh(db_task)
    return db_task
