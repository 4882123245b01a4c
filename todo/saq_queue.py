"""SAQ on PostgreSQL or Redis: its queue, its worker, and handing waiting jobs to it.

A file of its own, since its drivers take a tenth of the time a server needs to start.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial, wraps
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import AsyncConnectionPool
from redis import asyncio as aioredis
from redis.exceptions import RedisError
from saq import CronJob, Job, Queue, Status, Worker
from saq.queue.postgres import PostgresQueue
from saq.queue.redis import RedisQueue
from saq.utils import now as milliseconds
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from structlog.contextvars import bind_contextvars

from todo import tracing
from todo.access import worker_origin
from todo.connection import clean_url, direct_url
from todo.contention import retry
from todo.database import Database, Query, now
from todo.loops import ENDING_SECONDS, Loop
from todo.queue import RELAY, RUN, WAITING, Context, Cron, JobFunction, Run, Waiting, job_origin, new_job
from todo.setting_types import REDIS
from todo.settings import Settings

NAME = "todo"
SCHEDULE_SECONDS = 5  # between looks at what is due: how late a schedule or a retry may start
UNREACHABLE = (RedisError, psycopg.Error)  # what the queue raises when its server is away
RAISED = re.compile(r"^(?!DETAIL|HINT|CONTEXT|QUERY)[A-Za-z_][\w.]*(?:: .*)?$", re.MULTILINE)


class _Swept:
    """A sweep that does not wait five seconds for every dead worker to answer."""

    async def sweep(self, lock: int = 60, abort: float = 0.05) -> list[str]:
        found: list[str] = await super().sweep(lock=lock, abort=abort)  # type: ignore[misc]  # SAQ's queue comes after
        return found


class OnPostgres(_Swept, PostgresQueue):
    """SAQ's queue in PostgreSQL."""


class OnRedis(_Swept, RedisQueue):
    """SAQ's queue in Redis or Valkey: fast, but lost on restart unless persistence is configured."""


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


def relay(queue: Queue) -> Loop:
    """Return the loop that hands waiting jobs to SAQ. A kill between hand-over and commit enqueues a job twice."""

    async def hand_over(database: Database) -> float | None:
        async with database.session(worker_origin()) as session:
            waiting = select(Waiting).order_by(WAITING.id).limit(100).with_for_update(skip_locked=True)
            rows = (await session.scalars(waiting)).all()
            # The queue drops a job with the key of an unfinished one, so jobs without arguments are merged.
            for key, row in {str(row.id) if row.arguments else row.function: row for row in rows}.items():
                job = new_job(row.function, row.arguments, row.request_id, row.traceparent)
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
        # Each look writes all schedules, which are to the minute, to the queue: every second, that was half of what an
        # idle worker did.
        timers={"schedule": 1 if burst else SCHEDULE_SECONDS, "worker_info": 10, "sweep": 10, "abort": 1},
        shutdown_grace_period_s=1,  # its idle tasks use it up at every stop
        cancellation_hard_deadline_s=ENDING_SECONDS + 1,  # then an unfinished job is queued again
        burst=burst,
        dequeue_timeout=0.5 if burst else 0.0,
    )


def _again(function: JobFunction) -> JobFunction:
    """Wrap the job so that it is traced, and retried when its transaction conflicts with another one."""

    @wraps(function)
    async def run(context: Context, **arguments: Any) -> Any:
        parent = context["job"].meta.get("traceparent")
        request_id = {"todo.request_id": job_origin(context).request_id}
        with tracing.span(f"job {function.__qualname__}", "consumer", parent, **request_id):
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
