"""Inspect and control the job queue, for operators."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import croniter
from msgspec import Struct
from saq import Job, Queue, Status
from sqlalchemy import select

from todo.access import Origin
from todo.actions import Action
from todo.audit import record
from todo.database import Database, Query, now
from todo.errors import Conflict, NotFound
from todo.queue import RUN, Cron, JobFunction, new_job

OVER = frozenset({Status.COMPLETE, Status.FAILED, Status.ABORTED})
MOST = 1_000  # jobs scanned: a longer queue means that something is wrong


@dataclass(frozen=True)
class JobCatalog:
    """Every function that workers run: on a schedule, or when it is queued."""

    schedules: Sequence[Cron] = ()
    functions: Sequence[JobFunction] = ()


class JobOut(Struct):
    """A job in the queue. Finished jobs are kept for a week, scheduled ones for a minute."""

    key: str
    function: str
    status: str
    arguments: dict[str, Any]
    attempts: int
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class Schedule(Struct):
    """A scheduled job and its last run."""

    function: str
    does: str
    schedule: str
    next_at: datetime | None
    last_at: datetime | None
    last_success_at: datetime | None
    last_status: str | None
    last_seconds: float | None
    last_error: str | None
    runs: int
    failures: int


LAST = Query(
    lambda *values: values,
    select(RUN.function, RUN.finished_at, RUN.succeeded_at, RUN.status, RUN.seconds, RUN.error, RUN.runs, RUN.failures),
)


class Jobs:
    """The queue as operators see it. `queue` must be connected. Changes are recorded in the audit log."""

    def __init__(self, queue: Queue, database: Database, catalog: JobCatalog) -> None:
        self._queue = queue
        self._database = database
        self._crons = {cron.function.__qualname__: cron for cron in catalog.schedules}
        self._functions = {function.__qualname__: function for function in catalog.functions}

    async def find(self, statuses: Iterable[str] = (), limit: int = 50) -> list[JobOut]:
        """Return the newest jobs with one of these statuses, or with any status when none is given."""
        wanted = [Status(status) for status in statuses] or list(Status)
        found: list[Job] = []
        async for job in self._queue.iter_jobs(statuses=wanted):
            found.append(job)
            if len(found) == MOST:
                break
        return [_shown(job) for job in sorted(found, key=lambda job: job.queued, reverse=True)[:limit]]

    async def one(self, key: str) -> JobOut:
        """Return a job. Raise NotFound."""
        return _shown(await self._job(key))

    async def retry(self, origin: Origin, key: str) -> JobOut:
        """Run a finished job again. Raise NotFound, or Conflict while it is not finished."""
        job = await self._job(key)
        if job.status not in OVER:
            raise Conflict(f"This job is {job.status.value}; only a finished job can be retried.")
        await self._note(origin, "jobs.retry", job)
        await self._queue.retry(job, "retried by an operator")
        return await self.one(key)

    async def abort(self, origin: Origin, key: str) -> JobOut:
        """Stop a waiting or running job. Raise NotFound, or Conflict when it is finished."""
        job = await self._job(key)
        if job.status in OVER:
            raise Conflict(f"This job is already {job.status.value}.")
        await self._note(origin, "jobs.abort", job)
        await self._queue.abort(job, "aborted by an operator")
        return await self.one(key)

    async def run(self, origin: Origin, function: str) -> JobOut:
        """Run a scheduled function now, in addition to its schedule. Raise NotFound."""
        if function not in self._crons:
            raise NotFound(f"There is no schedule {function}. Schedules: {', '.join(sorted(self._crons))}.")
        job = new_job(function, {}, origin.request_id)
        job.timeout = self._crons[function].timeout
        await self._note(origin, "schedules.run_now", job)
        await self._queue.enqueue(job)
        return await self.one(job.key)

    async def schedules(self) -> list[Schedule]:
        """Return every function of the worker: scheduled ones first, then those that are queued when needed."""
        last = {function: values for function, *values in await self._database.reads.all(LAST)}
        scheduled = [_schedule(cron.function, cron.schedule, last.get(name)) for name, cron in self._crons.items()]
        return scheduled + [_schedule(function, "", last.get(name)) for name, function in self._functions.items()]

    async def _job(self, key: str) -> Job:
        job = await self._queue.job(key)
        if job is None:
            raise NotFound("There is no job with this key.")
        return job

    async def _note(self, origin: Origin, action: Action, job: Job) -> None:
        async with self._database.session(origin) as session:
            sent = {"key": job.key, "function": job.function, "status": job.status.value}
            await record(session, action, "jobs", after=sent)


def _shown(job: Job) -> JobOut:
    return JobOut(
        key=job.key,
        function=job.function,
        status=job.status.value,
        arguments=job.kwargs or {},
        attempts=job.attempts,
        queued_at=_instant(job.queued),
        started_at=_instant(job.started),
        finished_at=_instant(job.completed),
        error=job.error,
    )


def _instant(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def what_it_does(function: JobFunction) -> str:
    """Return the first sentence of a job's docstring."""
    line = (function.__doc__ or "").strip().partition("\n")[0]
    return line.partition(". ")[0].removesuffix(".") + "."


def _schedule(function: JobFunction, schedule: str, last: Sequence[Any] | None) -> Schedule:
    finished_at, succeeded_at, status, seconds, error, runs, failures = last or (None, None, None, None, None, 0, 0)
    return Schedule(
        function=function.__qualname__,
        does=what_it_does(function),
        schedule=schedule,
        next_at=croniter(schedule, now()).get_next(datetime) if schedule else None,
        last_at=finished_at,
        last_success_at=succeeded_at,
        last_status=status,
        last_seconds=seconds,
        last_error=error,
        runs=runs,
        failures=failures,
    )


def is_late(cron: Cron, succeeded_at: datetime | None, worker_since: datetime | None, at: datetime) -> bool:
    """Return whether two runs in a row passed without success while a worker was running (since `worker_since`)."""
    if worker_since is None:
        return False
    times = croniter(cron.schedule, at - timedelta(seconds=cron.timeout))
    times.get_prev(datetime)
    last_but_one: datetime = times.get_prev(datetime)
    return max(succeeded_at or worker_since, worker_since) < last_but_one
