"""The SAQ queue on PostgreSQL or Redis. A job only triggers work; the tables say what there is to do."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import AsyncConnectionPool
from redis import asyncio as aioredis
from saq import CronJob, Job, Queue, Status, Worker
from saq.queue.postgres import PostgresQueue
from saq.queue.redis import RedisQueue
from saq.utils import now as milliseconds
from sqlalchemy import Column, DateTime, bindparam, delete, exists, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Field, SQLModel
from structlog.contextvars import bind_contextvars

from todo.access import Origin, worker_origin
from todo.connection import clean_url, direct_url
from todo.contention import retry
from todo.database import Database, Query, Row, WriteSession, columns, now
from todo.loops import CHANNEL, Loop, run_once
from todo.settings import Settings

NAME, RELAY = "todo", "relay"
KEPT_SECONDS = 7 * 86_400  # how long a finished job that was enqueued is kept
REDIS = ("redis", "rediss", "unix", "valkey", "valkeys")
DUE_SECONDS = 30.0  # maximum duration of one job for due work; the next continues
RAISED = re.compile(r"^(?!DETAIL|HINT|CONTEXT|QUERY)[A-Za-z_][\w.]*(?:: .*)?$", re.MULTILINE)

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


class _Swept:
    """A sweep that does not wait five seconds for every dead worker to answer."""

    async def sweep(self, lock: int = 60, abort: float = 0.05) -> list[str]:
        found: list[str] = await super().sweep(lock=lock, abort=abort)  # type: ignore[misc]  # SAQ's queue comes after
        return found


class OnPostgres(_Swept, PostgresQueue):
    """SAQ's queue in PostgreSQL."""


class OnRedis(_Swept, RedisQueue):
    """SAQ's queue in Redis or Valkey: fast, but lost on restart unless persistence is configured."""


def job_session(context: Context) -> AbstractAsyncContextManager[WriteSession]:
    """Open a write session for a job."""
    database: Database = context["database"]
    return database.session(job_origin(context))


def open_queue(settings: Settings, url: str | None = None) -> Queue:
    """Create the queue, not yet connected. On PostgreSQL it opens its own two to eight connections."""
    address = settings.queue_url
    if urlsplit(address).scheme in REDIS:
        return OnRedis(aioredis.from_url(address.replace("valkey", "redis", 1)), name=NAME)
    pool = AsyncConnectionPool(
        clean_url(address) if address else direct_url(settings, url or ""),
        kwargs={"prepare_threshold": None, "application_name": "todo"},  # some poolers do not support named statements
        check=_check_writable,
        open=False,
        timeout=settings.database_wait,
    )
    return OnPostgres(pool=pool, name=NAME, min_size=2, max_size=8, saq_lock_keyspace=7031, manage_pool_lifecycle=True)


@asynccontextmanager
async def connected(queue: Queue) -> AsyncIterator[Queue]:
    """Connect the queue for the duration of the block."""
    await queue.connect()
    try:
        yield queue
    finally:
        await queue.disconnect()


async def _check_writable(connection: psycopg.AsyncConnection[Any]) -> None:
    """Let the pool drop a connection that is lost or leads to a read-only server."""
    cursor = await connection.execute("SHOW transaction_read_only")
    if await cursor.fetchone() != ("off",):
        raise psycopg.OperationalError("the database is read-only")


def new_job(function: str, arguments: Mapping[str, Any], request_id: str) -> Job:
    """Create a job that stores the id of the request that enqueues it."""
    meta = {"request_id": request_id}
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
    row = Waiting(function=function, arguments=arguments, request_id=session.origin.request_id).model_dump()
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


def relay(queue: Queue) -> Loop:
    """Return the loop that hands waiting jobs to SAQ. A kill between hand-over and commit enqueues a job twice."""

    async def hand_over(database: Database) -> float | None:
        async with database.session(worker_origin()) as session:
            waiting = select(Waiting).order_by(WAITING.id).limit(100).with_for_update(skip_locked=True)
            rows = (await session.scalars(waiting)).all()
            # The queue drops a job with the key of an unfinished one, so jobs without arguments are merged.
            for key, row in {str(row.id) if row.arguments else row.function: row for row in rows}.items():
                job = new_job(row.function, row.arguments, row.request_id)
                job.key = key
                await queue.enqueue(job)
            await session.execute(delete(Waiting).where(WAITING.id.in_([row.id for row in rows])))
        return 0 if rows else None

    return Loop(RELAY, hand_over)


def new_worker(
    settings: Settings,
    database: Database,
    crons: Sequence[Cron],
    functions: Sequence[JobFunction] = (),
    *,
    burst: bool = False,
) -> Worker[Any]:
    """Create a worker. `await worker.start()` returns after SIGTERM or SIGINT or, with `burst`, when all jobs are done.

    A job killed while it runs is retried (SAQ drops it by default). Scale by starting more processes.
    """

    async def bring_database(context: Any) -> None:
        context["database"] = database

    async def name_request(context: Any) -> None:
        bind_contextvars(request_id=job_origin(context).request_id)

    async def note(context: Any) -> None:
        await database.primary.write(NOTE, **_outcome(context["job"]))

    return Worker(
        open_queue(settings, database.url),
        functions=[_again(function) for function in functions],
        cron_jobs=[_cron_job(cron) for cron in crons],
        startup=[bring_database],
        before_process=[name_request],
        after_process=[note],
        concurrency=4,
        timers={"schedule": 1, "worker_info": 10, "sweep": 10, "abort": 1},
        shutdown_grace_period_s=1,  # its idle tasks use it up at every stop
        burst=burst,
        dequeue_timeout=0.5 if burst else 0.0,
    )


def _again(function: JobFunction) -> JobFunction:
    """Wrap the job so that it is retried when its transaction conflicts with another one."""

    @wraps(function)
    async def run(context: Context, **arguments: Any) -> Any:
        return await retry(partial(function, context, **arguments))

    return run


def _cron_job(cron: Cron) -> CronJob[Any]:
    return CronJob(_again(cron.function), cron=cron.schedule, timeout=cron.timeout, retries=3, ttl=60)


_new = {column.name: bindparam(column.name, type_=column.type) for column in RUN if column.name != "runs"}
_note = upsert(Run).values(_new | {"runs": 1})
NOTE = Query(
    lambda: None,
    _note.on_conflict_do_update(
        index_elements=["function"],
        set_={name: _note.excluded[name] for name in ("status", "finished_at", "seconds", "error")}
        | {"succeeded_at": func.coalesce(_note.excluded.succeeded_at, RUN.succeeded_at)}
        | {"runs": RUN.runs + 1, "failures": RUN.failures + _note.excluded.failures},
    ),
)


def _outcome(job: Job) -> dict[str, Any]:
    """Return the values of `Run` for a job that just ran."""
    return {
        "function": job.function,
        "status": job.status.value,
        "finished_at": now(),
        "succeeded_at": now() if job.status == Status.COMPLETE else None,
        "seconds": max(0, milliseconds() - job.started) / 1000 if job.started else 0.0,
        "error": job.error and cause_of(job.error)[:500],
        "failures": int(bool(job.error)),
    }


def cause_of(error: str) -> str:
    """Return the line of a traceback that has the error: the last one, without what databases add to it."""
    raised: list[str] = RAISED.findall(error)
    return raised[-1] if raised else error.strip().rpartition("\n")[2]
