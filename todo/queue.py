"""The SAQ queue on PostgreSQL: carries work, and is trusted with none. Every job says "look at the database"."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saq import CronJob, Job, Worker
from saq.queue.postgres import PostgresQueue
from saq.utils import now as milliseconds
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from todo.connection import direct_url
from todo.database import Database
from todo.settings import Settings

NAME = "todo"
SCHEMA_VERSION = 3  # of SAQ's own tables, which `enqueue` writes to; a test pins it
ENQUEUE = text(
    "INSERT INTO saq_jobs (key, job, queue, status, priority, scheduled) "
    "VALUES (:key, :job, :queue, 'queued', 0, extract(epoch FROM now())::bigint) ON CONFLICT (key) DO NOTHING"
)

Context = Mapping[str, Any]
JobFunction = Callable[[Context], Awaitable[Any]]


@dataclass(frozen=True)
class Cron:
    """A function that runs on a schedule (five fields, or six with seconds last; UTC). One function, one schedule.

    A run whose worker was killed keeps the next ones back for `timeout` seconds, and ten more until it is swept.
    """

    function: JobFunction
    schedule: str
    timeout: int = 60


class Queue(PostgresQueue):
    """SAQ's queue, with a sweep that does not wait five seconds for every dead worker."""

    async def sweep(self, lock: int = 60, abort: float = 0.05) -> list[str]:
        return await super().sweep(lock=lock, abort=abort)


def open_queue(settings: Settings, url: str | None = None) -> Queue:
    """The queue, not yet connected. It opens its own connections (two to eight)."""
    address = direct_url(settings.queue_url or url or settings.database_url)
    return Queue(url=address, name=NAME, min_size=2, max_size=8, saq_lock_keyspace=7031)


async def enqueue(session: AsyncSession, function: str, **arguments: Any) -> None:
    """Queue a job in the caller's transaction: it runs soon after the commit, or never when there is none.

    The arguments are JSON. It may run twice: a job looks at the database for what is still to do.
    """
    job = Job(function=function, kwargs=arguments, retries=3, timeout=300)
    record = job.to_dict() | {"queue": NAME, "status": "queued", "queued": milliseconds()}
    await session.execute(ENQUEUE, {"key": job.key, "job": json.dumps(record).encode(), "queue": NAME})
    await session.execute(select(func.pg_notify(f"saq:{NAME}", "saq:enqueue")))


def new_worker(
    settings: Settings, database: Database, crons: Sequence[Cron], functions: Sequence[JobFunction] = ()
) -> Worker[Any]:
    """One worker: run it with `await worker.start()`, which returns after SIGTERM or SIGINT.

    A job killed in mid-run is tried again (SAQ loses it by default). Scale by starting more processes.
    """

    async def bring_database(context: Any) -> None:
        context["database"] = database

    return Worker(
        open_queue(settings, database.url),
        functions=list(functions),
        cron_jobs=[
            CronJob(cron.function, cron=cron.schedule, timeout=cron.timeout, retries=3, ttl=60) for cron in crons
        ],
        startup=[bring_database],
        concurrency=4,
        timers={"schedule": 1, "worker_info": 10, "sweep": 10, "abort": 1},
        shutdown_grace_period_s=1,  # its idle hands use it up at every stop
    )
