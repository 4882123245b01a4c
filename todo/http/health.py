"""`/health`: is the process alive, and is what it depends on."""

from datetime import datetime
from typing import Any, Literal

import asyncpg
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct
from sqlalchemy import DateTime, column, func, select, table
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel

from todo.connection import AWAY
from todo.database import Database, Query, now
from todo.errors import Problem
from todo.migrate import head

BEAT_SECONDS = 10


class Heartbeat(SQLModel, table=True):
    """When a kind of process last said that it is alive."""

    __tablename__ = "heartbeats"

    name: str = Field(primary_key=True)
    seen_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class Live(Struct):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Struct):
    """What the service depends on; `worker` is `late` when none has been seen for half a minute."""

    status: Literal["ok", "away"]
    database: Literal["ok", "away"]
    migrations: Literal["ok", "pending"]
    worker: Literal["ok", "late"]


_revision = table("alembic_version", column("version_num"))
STATE = Query(
    lambda revision, age: (revision, age),
    select(
        select(_revision.c.version_num).limit(1).scalar_subquery(),
        select(func.extract("epoch", func.now() - func.max(Heartbeat.seen_at))).scalar_subquery(),
    ),
)


@get("/health/live", operation_id="health_live", tags=["Operations"])
async def live() -> Live:
    """The process is alive; asks nothing else.

    Example: `GET /health/live`
    """
    return Live()


@get("/health/ready", operation_id="health_ready", tags=["Operations"])
async def ready(database: NamedDependency[Database]) -> Response[Ready]:
    """Whether requests can be served: 503 when the database is away or not migrated.

    A late worker is told, but does not make the API unready.
    Example: `GET /health/ready`
    """
    try:
        revision, age = await database.reads.one_or_none(STATE) or (None, None)
    except asyncpg.UndefinedTableError:
        return Response(Ready("away", "ok", "pending", "late"), status_code=503)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return Response(Ready("away", "away", "pending", "late"), status_code=503)
    migrated = revision == head()
    beating = age is not None and age < 3 * BEAT_SECONDS
    answer = Ready("ok" if migrated else "away", "ok", "ok" if migrated else "pending", "ok" if beating else "late")
    return Response(answer, status_code=200 if migrated else 503)


async def beat(context: Any) -> None:
    """Tell that a worker is alive."""
    async with context["database"].session() as session:
        row = {"name": "worker", "seen_at": now()}
        await session.execute(insert(Heartbeat).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
