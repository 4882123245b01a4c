"""`/health`: liveness and readiness checks, and the heartbeats of workers."""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

import asyncpg
import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import Column, DateTime, column, delete, func, literal_column, select, table
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, SQLModel

from todo import __version__
from todo.access import worker_origin
from todo.connection import AWAY
from todo.database import Database, Query, columns, now
from todo.errors import Problem
from todo.http.drain import Drain
from todo.jobs import JobCatalog, is_late
from todo.loops import COUNTS, Loop
from todo.queue import RUN, queue_place
from todo.revisions import COMPATIBLE_WITH, fits

BEAT_SECONDS = 5
# Host and process id are not enough: in containers with the network of their host every worker is `host:1`.
NAME = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
STARTED = now()


class Heartbeat(SQLModel, table=True):
    """The last heartbeat of a worker process, its queue, and its counters since it started.

    `queue` is what `queue_place` returns; None for workers of versions that did not report it.
    """

    __tablename__ = "heartbeats"

    name: str = Field(primary_key=True)
    seen_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    started_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    release: str = ""
    queue: str | None = None
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


class Live(Struct):
    """The process is running."""

    status: Literal["ok"] = "ok"


class Ready(Struct):
    """State of the dependencies. `migrations` and `worker` are `unknown` while the database is unavailable.

    `status` is `draining` while the process is about to stop: it still serves, but asks nothing of its dependencies.

    `migrations` is also `ok` when the schema is newer and declares that this version works with it.

    `database` is `busy` when requests time out waiting for a connection (others still get one, so the service stays
    ready), `disk-full` for a minute after a write found no space (it still answers reads, so the service stays ready),
    and `read-only` when it rejects writes, as a former primary does after a failover.

    `worker` is `late` when no worker has reported for half a minute, or when schedules do not run despite a worker.

    `queue` is `mixed` when a running worker has another queue than this process: set the same `TODO_QUEUE_URL` for all
    of them. `todo check` names the worker.

    `version` is that of this process, `revision` that of the schema.
    """

    status: Literal["ok", "away", "draining"]
    database: Literal["ok", "busy", "disk-full", "read-only", "away", "unknown"]
    migrations: Literal["ok", "pending", "unknown"] = "unknown"
    worker: Literal["ok", "late", "unknown"] = "unknown"
    late_schedules: list[str] = field(default_factory=list)
    failed_schedules: list[str] = field(default_factory=list)
    queue: Literal["ok", "mixed", "unknown"] = "unknown"
    version: str = __version__
    revision: str | None = None


Runs: TypeAlias = dict[str, tuple[datetime | None, str]]
Queues: TypeAlias = dict[str, str | None]


class State(NamedTuple):
    """State of the installation as read from the database, by the clock of the database."""

    revision: str | None
    compatible_with: str | None
    read_only: bool
    at: datetime
    seen_at: datetime | None  # the last heartbeat of any worker
    worker_since: datetime | None  # when the oldest of the running workers started
    runs: Runs  # by job function: time of its last success, status of its last run
    queues: Queues  # by running worker: the place of its queue, if it has reported it

    @property
    def is_migrated(self) -> bool:
        """Return whether this version works with the schema."""
        return fits(self.revision, self.compatible_with)

    @property
    def worker_age(self) -> float | None:
        """Return the seconds since the last heartbeat of any worker, or None when there never was one."""
        return None if self.seen_at is None else (self.at - self.seen_at).total_seconds()

    @property
    def has_worker(self) -> bool:
        return self.worker_age is not None and self.worker_age < 3 * BEAT_SECONDS


def _state(*values: Any) -> State:
    runs, queues = (value or "{}" for value in values[-2:])
    decode = msgspec.json.decode
    return State(*values)._replace(runs=decode(runs, type=Runs), queues=decode(queues, type=Queues))


_revision = table("alembic_version", column("version_num"))
_alive = columns(Heartbeat).seen_at > func.now() - timedelta(seconds=3 * BEAT_SECONDS)
STATE = Query(
    _state,
    select(
        select(_revision.c.version_num).limit(1).scalar_subquery(),
        select(literal_column(COMPATIBLE_WITH)).select_from(_revision).limit(1).scalar_subquery(),
        func.current_setting("transaction_read_only") == "on",
        func.now(),
        select(func.max(Heartbeat.seen_at)).scalar_subquery(),
        select(func.min(Heartbeat.started_at)).where(_alive).scalar_subquery(),
        select(func.json_object_agg(RUN.function, func.json_build_array(RUN.succeeded_at, RUN.status)))
        .scalar_subquery(),
        select(func.json_object_agg(Heartbeat.name, Heartbeat.queue)).where(_alive).scalar_subquery(),
    ),
)  # fmt: skip


async def state_of(database: Database) -> State:
    """Query the state on a separate connection.

    Raise asyncpg's errors, and TimeoutError after `TODO_DATABASE_WAIT` seconds.
    """
    wait = database.settings.database_wait
    (row,) = await database.monitor.fetch(STATE.sql, *STATE.arguments({}), seconds=wait)
    state = STATE.into(*row)
    if state.read_only:
        await database.watch.renew()
    return state


@dataclass(frozen=True)
class Schedules:
    """The names of schedules that are late, and of those whose last run failed."""

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


def mixed_queue(state: State, database: Database) -> str:
    """Return a sentence when a running worker has another queue than this process, else an empty string."""
    ours = queue_place(database.settings, database.url)
    for worker, place in state.queues.items():
        if place is not None and place != ours:
            return (
                f"Worker {worker} has its queue in {place or 'the database'}, this process in {ours or 'the database'}:"
                " set the same TODO_QUEUE_URL for all servers and workers, and restart them."
            )
    return ""


@get("/health/live", operation_id="health_live", tags=["Operations"])
async def live() -> Live:
    """Report that the process is running. Checks no dependency.

    Example: `GET /health/live`
    """
    return Live()


@get(
    "/health/ready",
    operation_id="health_ready",
    tags=["Operations"],
    responses={503: ResponseSpec(Ready, description="Requests cannot be served at the moment.")},
)
async def ready(
    database: NamedDependency[Database], jobs: NamedDependency[JobCatalog], drain: NamedDependency[Drain]
) -> Response[Ready]:
    """Report whether requests can be served: 503 when the database is unavailable, read-only or not migrated.

    503 also while the process is about to stop, so that proxies send requests elsewhere.

    Late workers and failing schedules are listed, but do not cause a 503.
    Example: `GET /health/ready`
    """
    if drain.has_begun:
        return Response(Ready("draining", "unknown"), status_code=503)
    try:
        state = await state_of(database)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):  # an empty database, or an older schema
        return Response(Ready("away", "ok", "pending"), status_code=503)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return Response(Ready("away", "away"), status_code=503)
    if not state.is_migrated:
        return Response(Ready("away", "ok", "pending", revision=state.revision), status_code=503)
    schedules = schedules_of(state, jobs)
    worker: Literal["ok", "late"] = "ok" if state.has_worker and not schedules.late else "late"
    found = Ready("ok", "ok", "ok", worker, schedules.late, schedules.failed, revision=state.revision)
    found.queue = "mixed" if mixed_queue(state, database) else "ok"
    if state.read_only:
        return Response(replace(found, status="away", database="read-only"), status_code=503)
    if database.watch.is_disk_full:
        return Response(replace(found, database="disk-full"))
    return Response(replace(found, database="busy") if database.is_busy else found)


async def beat(database: Database) -> float:
    """Store the heartbeat of this worker and delete heartbeats older than a day. Return the seconds to the next one."""
    row = {"name": NAME, "started_at": STARTED, "release": __version__, "counts": dict(COUNTS)}
    row |= {"queue": queue_place(database.settings, database.url)}
    row |= {"seen_at": func.now()}  # the clock that `ready` compares with
    async with database.session(worker_origin()) as session:
        await session.execute(insert(Heartbeat).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
        await session.execute(delete(Heartbeat).where(columns(Heartbeat).seen_at < func.now() - timedelta(days=1)))
    return BEAT_SECONDS


HEARTBEAT = Loop("heartbeat", beat)
