"""`/health`: is the process alive, and is what it depends on."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import asyncpg
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct, field
from sqlalchemy import Column, DateTime, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, SQLModel

from todo import __version__
from todo.connection import AWAY
from todo.database import Database, Query, columns, now
from todo.errors import Problem
from todo.jobs import CRONS, LAST, is_late
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
    """What the service depends on. Nothing is said of migrations and workers while the database is away.

    `worker` is `late` when none has been seen for half a minute, or when schedules do not run although there is one.
    """

    status: Literal["ok", "away"]
    database: Literal["ok", "away"]
    migrations: Literal["ok", "pending", "unknown"] = "unknown"
    worker: Literal["ok", "late", "unknown"] = "unknown"
    late_schedules: list[str] = field(default_factory=list)
    failed_schedules: list[str] = field(default_factory=list)


class State(NamedTuple):
    """What the database says of the installation, by its own clock."""

    revision: str | None
    at: datetime
    seen_at: datetime | None  # the last heartbeat of any worker
    worker_since: datetime | None  # when the oldest of the workers alive began

    @property
    def worker_age(self) -> float | None:
        """Seconds since a worker was seen; None when none ever was."""
        return None if self.seen_at is None else (self.at - self.seen_at).total_seconds()

    @property
    def has_worker(self) -> bool:
        return self.worker_age is not None and self.worker_age < 3 * BEAT_SECONDS


_revision = table("alembic_version", column("version_num"))
_alive = columns(Heartbeat).seen_at > func.now() - timedelta(seconds=3 * BEAT_SECONDS)
STATE = Query(
    State,
    select(
        select(_revision.c.version_num).limit(1).scalar_subquery(),
        func.now(),
        select(func.max(Heartbeat.seen_at)).scalar_subquery(),
        select(func.min(Heartbeat.started_at)).where(_alive).scalar_subquery(),
    ),
)


async def state_of(database: Database) -> State:
    """Raises what the database raises when it is away or not migrated."""
    return await database.primary.one_or_none(STATE) or State(None, now(), None, None)


@dataclass(frozen=True)
class Schedules:
    """The names of the schedules that do not run in time, and of those whose last run failed."""

    late: list[str]
    failed: list[str]


async def schedules_of(database: Database, state: State) -> Schedules:
    last = {function: (success, status) for function, _, success, status, *_ in await database.primary.all(LAST)}
    late, failed = [], []
    for cron in CRONS:
        name = cron.function.__qualname__
        success, status = last.get(name, (None, None))
        if is_late(cron, success, state.worker_since, state.at):
            late.append(name)
        if status == "failed":
            failed.append(name)
    return Schedules(late, failed)


@get("/health/live", operation_id="health_live", tags=["Operations"])
async def live() -> Live:
    """The process is alive; asks nothing else.

    Example: `GET /health/live`
    """
    return Live()


@get("/health/ready", operation_id="health_ready", tags=["Operations"])
async def ready(database: NamedDependency[Database]) -> Response[Ready]:
    """Whether requests can be served: 503 when the database is away or not migrated.

    A late worker and failing schedules are named, but do not make the API unready.
    Example: `GET /health/ready`
    """
    try:
        state = await state_of(database)
        if state.revision != head():
            return Response(Ready("away", "ok", "pending"), status_code=503)
        schedules = await schedules_of(database, state)
    except asyncpg.UndefinedTableError:
        return Response(Ready("away", "ok", "pending"), status_code=503)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return Response(Ready("away", "away"), status_code=503)
    worker: Literal["ok", "late"] = "ok" if state.has_worker and not schedules.late else "late"
    return Response(Ready("ok", "ok", "ok", worker, schedules.late, schedules.failed))


async def beat(database: Database) -> float:
    """Tell that this worker is alive; what was not seen for a day is forgotten."""
    row = {"name": NAME, "started_at": STARTED, "release": __version__, "counts": dict(COUNTS)}
    row |= {"seen_at": func.now()}  # the clock by which `ready` measures
    async with database.session() as session:
        await session.execute(insert(Heartbeat).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
        await session.execute(delete(Heartbeat).where(columns(Heartbeat).seen_at < func.now() - timedelta(days=1)))
    return BEAT_SECONDS


HEARTBEAT = Loop("heartbeat", beat)
