"""`/health`: is the process alive, and is what it depends on."""

import os
import socket
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct
from sqlalchemy import Column, DateTime, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, SQLModel

from todo import __version__
from todo.connection import AWAY
from todo.database import Database, Query, columns, now
from todo.errors import Problem
from todo.loops import COUNTS, Loop
from todo.migrate import head

BEAT_SECONDS = 5
NAME = f"{socket.gethostname()}:{os.getpid()}"
STARTED = now()


class Heartbeat(SQLModel, table=True):
    """When a worker last said that it is alive, and what it has done since it began."""

    __tablename__ = "heartbeats"

    name: str = Field(primary_key=True)
    seen_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    started_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    release: str = ""
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


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


async def beat(database: Database) -> float:
    """Tell that this worker is alive; what was not seen for a day is forgotten."""
    row = {"name": NAME, "started_at": STARTED, "release": __version__, "counts": dict(COUNTS)}
    row |= {"seen_at": func.now()}  # the clock by which `ready` measures
    async with database.session() as session:
        await session.execute(insert(Heartbeat).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
        await session.execute(delete(Heartbeat).where(columns(Heartbeat).seen_at < func.now() - timedelta(days=1)))
    return BEAT_SECONDS


HEARTBEAT = Loop("heartbeat", beat)
