"""`/health`: is the process alive, and is what it depends on."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

import asyncpg
import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import Column, DateTime, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, SQLModel

from todo import __version__
from todo.access import worker_origin
from todo.connection import AWAY
from todo.database import Database, Query, columns, now
from todo.errors import Problem
from todo.jobs import JobCatalog, is_late
from todo.loops import COUNTS, Loop
from todo.migrate import head
from todo.queue import RUN

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

    `database` is `busy` when requests wait for a connection in vain (some still get one, so the service is ready), and
    `read-only` when it takes no changes, as the former primary after a failover.

    `worker` is `late` when none has been seen for half a minute, or when schedules do not run although there is one.
    """

    status: Literal["ok", "away"]
    database: Literal["ok", "busy", "read-only", "away"]
    migrations: Literal["ok", "pending", "unknown"] = "unknown"
    worker: Literal["ok", "late", "unknown"] = "unknown"
    late_schedules: list[str] = field(default_factory=list)
    failed_schedules: list[str] = field(default_factory=list)


Runs: TypeAlias = dict[str, tuple[datetime | None, str]]


class State(NamedTuple):
    """What the database says of the installation, by its own clock."""

    revision: str | None
    read_only: bool
    at: datetime
    seen_at: datetime | None  # the last heartbeat of any worker
    worker_since: datetime | None  # when the oldest of the workers alive began
    runs: Runs  # of each job function: its last success, the status of its last run

    @property
    def worker_age(self) -> float | None:
        """Seconds since a worker was seen; None when none ever was."""
        return None if self.seen_at is None else (self.at - self.seen_at).total_seconds()

    @property
    def has_worker(self) -> bool:
        return self.worker_age is not None and self.worker_age < 3 * BEAT_SECONDS


def _state(
    revision: str | None, read_only: bool, at: datetime, seen: datetime | None, since: datetime | None, runs: str | None
) -> State:
    return State(revision, read_only, at, seen, since, msgspec.json.decode(runs or "{}", type=Runs))


_revision = table("alembic_version", column("version_num"))
_alive = columns(Heartbeat).seen_at > func.now() - timedelta(seconds=3 * BEAT_SECONDS)
STATE = Query(
    _state,
    select(
        select(_revision.c.version_num).limit(1).scalar_subquery(),
        func.current_setting("transaction_read_only") == "on",
        func.now(),
        select(func.max(Heartbeat.seen_at)).scalar_subquery(),
        select(func.min(Heartbeat.started_at)).where(_alive).scalar_subquery(),
        select(func.json_object_agg(RUN.function, func.json_build_array(RUN.succeeded_at, RUN.status)))
        .scalar_subquery(),
    ),
)  # fmt: skip


async def state_of(database: Database) -> State:
    """ListQuery on a connection of its own; raises what asyncpg raises, and TimeoutError after TODO_DATABASE_WAIT."""
    wait = database.settings.database_wait
    (row,) = await database.monitor.fetch(STATE.sql, *STATE.arguments({}), seconds=wait)
    state = STATE.into(*row)
    if state.read_only:
        await database.watch.renew()
    return state


@dataclass(frozen=True)
class Schedules:
    """The names of the schedules that do not run in time, and of those whose last run failed."""

    late: list[str]
    failed: list[str]


def schedules_of(state: State, catalog: JobCatalog) -> Schedules:
    late, failed = [], []
    for cron in catalog.schedules:
        name = cron.function.__qualname__
        success, status = state.runs.get(name, (None, None))
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
async def ready(database: NamedDependency[Database], jobs: NamedDependency[JobCatalog]) -> Response[Ready]:
    """Whether requests can be served: 503 when the database is away, read-only or not migrated.

    A late worker and failing schedules are named, but do not make the API unready.
    Example: `GET /health/ready`
    """
    try:
        state = await state_of(database)
    except asyncpg.UndefinedTableError:
        return Response(Ready("away", "ok", "pending"), status_code=503)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return Response(Ready("away", "away"), status_code=503)
    if state.revision != head():
        return Response(Ready("away", "ok", "pending"), status_code=503)
    schedules = schedules_of(state, jobs)
    worker: Literal["ok", "late"] = "ok" if state.has_worker and not schedules.late else "late"
    found = Ready("ok", "ok", "ok", worker, schedules.late, schedules.failed)
    if state.read_only:
        return Response(replace(found, status="away", database="read-only"), status_code=503)
    return Response(replace(found, database="busy") if database.is_busy else found)


async def beat(database: Database) -> float:
    """Tell that this worker is alive; what was not seen for a day is forgotten."""
    row = {"name": NAME, "started_at": STARTED, "release": __version__, "counts": dict(COUNTS)}
    row |= {"seen_at": func.now()}  # the clock by which `ready` measures
    async with database.session(worker_origin()) as session:
        await session.execute(insert(Heartbeat).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
        await session.execute(delete(Heartbeat).where(columns(Heartbeat).seen_at < func.now() - timedelta(days=1)))
    return BEAT_SECONDS


HEARTBEAT = Loop("heartbeat", beat)
