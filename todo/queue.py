"""Jobs and their schedules. A job only triggers work; the tables say what there is to do."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from saq import Job
from sqlalchemy import Column, DateTime, exists, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from todo import tracing
from todo.access import Origin, worker_origin
from todo.connection import direct_url
from todo.database import Database, Query, Row, WriteSession, columns
from todo.loops import CHANNEL, Loop, run_once
from todo.setting_types import REDIS
from todo.settings import Settings

RELAY = "relay"
KEPT_SECONDS = 7 * 86_400  # how long a finished job that was enqueued is kept
IN_DATABASE = ""  # the place of a queue that is in the database itself
DUE_SECONDS = 30.0  # maximum duration of one job for due work; the next continues

Context = Mapping[str, Any]
JobFunction = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Cron:
    """A function that runs on a schedule (five fields, or six with seconds last; UTC). One schedule per function.

    When a worker is killed during a run, the next runs wait for `timeout` seconds plus ten until the run is swept.
    """

    function: JobFunction
    schedule: str
    timeout: int = 60


class Waiting(Row, table=True):
    """A job to be handed to the queue, written in the transaction that enqueues it."""

    __tablename__ = "waiting_jobs"

    function: str
    arguments: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    request_id: str
    traceparent: str | None = None  # the span that enqueues it, while traces are on


class Run(SQLModel, table=True):
    """The result of the last run of a job function."""

    __tablename__ = "job_runs"

    function: str = Field(primary_key=True)
    status: str  # complete | failed | aborted | queued (failed, will be retried)
    finished_at: datetime = Field(sa_type=DateTime(timezone=True))
    succeeded_at: datetime | None = Field(None, sa_type=DateTime(timezone=True))
    seconds: float
    error: str | None = None
    runs: int = 1
    failures: int = 0


WAITING, RUN = columns(Waiting), columns(Run)


def job_session(context: Context) -> AbstractAsyncContextManager[WriteSession]:
    """Open a write session for a job."""
    database: Database = context["database"]
    return database.session(job_origin(context))


def new_job(function: str, arguments: Mapping[str, Any], request_id: str, traceparent: str | None = None) -> Job:
    """Create a job that stores the id of the request that enqueues it, and the span."""
    meta = {"request_id": request_id} | ({"traceparent": traceparent} if traceparent else {})
    return Job(function=function, kwargs=dict(arguments), retries=3, timeout=300, ttl=KEPT_SECONDS, meta=meta)


def job_origin(context: Context) -> Origin:
    """Return the origin of a job's changes: the request that enqueued it or, for a schedule, the job itself."""
    job: Job = context["job"]
    return worker_origin(job.meta.get("request_id", job.key))


async def enqueue(session: WriteSession, function: str, **arguments: Any) -> None:
    """Enqueue a job in the caller's transaction: it runs soon after the commit, and never after a rollback.

    Arguments must be JSON. The job may run twice, so it must query the database for what is left to do. A loop of the
    same name is woken in every worker; enqueue its work only when it is due before the loop's next query (5 s).
    """
    request_id, span = session.origin.request_id, tracing.traceparent()
    row = Waiting(function=function, arguments=arguments, request_id=request_id, traceparent=span).model_dump()
    waiting = insert(Waiting).values(row).returning(WAITING.function).cte("waiting")
    await session.execute(select(func.pg_notify(CHANNEL, RELAY), func.pg_notify(CHANNEL, waiting.c.function)))


def job_of(loop: Loop) -> JobFunction:
    """Return a job that does one loop's work: SAQ runs it on a schedule and when it is enqueued."""

    async def run(context: Context) -> None:
        await run_once(context["database"], [loop], DUE_SECONDS)

    run.__name__ = run.__qualname__ = loop.name
    run.__doc__ = loop.work.__doc__
    return run


HAS_WAITING = Query(bool, select(exists().select_from(Waiting)))  # whether any job is still to be handed to the queue


def queue_place(settings: Settings, url: str) -> str:
    """Return the address of the queue without credentials, or IN_DATABASE. `url` is that of the database."""
    if not settings.queue_url:
        return IN_DATABASE
    place = _place(settings.queue_url)
    return IN_DATABASE if place in {_place(url), _place(direct_url(settings, url))} else place


def _place(url: str) -> str:
    parts = urlsplit(url)
    scheme, port, name = ("redis", ":6379", "/0") if parts.scheme in REDIS else ("postgresql", ":5432", "")
    host = parts.netloc.rpartition("@")[2]
    where = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] in {"host", "port", "db", "dbname"}])
    port = "" if re.search(r":\d+$", host) else port
    return f"{scheme}://{host}{port}{parts.path.rstrip('/') or name}{where and '?' + where}"
