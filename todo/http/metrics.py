"""`/metrics`: the requests and connections of this process, and the work of the whole installation.

The latter is read from the database: every process returns the same.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from platform import python_version

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import column, func, select, table

from todo import __version__
from todo.access import requires
from todo.database import Database, Query, columns
from todo.gauges import Gauge
from todo.http.health import Heartbeat, mixed_queue, schedules_of, state_of
from todo.http.request_metrics import RequestMetrics
from todo.jobs import LAST, JobCatalog
from todo.queue import Waiting
from todo.revisions import head

KEPT_SECONDS = 60  # a worker that has not reported for so long has ended
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


_beats = columns(Heartbeat)
WORKERS = Query(
    lambda *values: values,
    select(_beats.name, func.extract("epoch", func.now() - _beats.seen_at), _beats.counts).where(
        _beats.seen_at > func.now() - timedelta(seconds=KEPT_SECONDS)
    ),
)
_jobs = table("saq_jobs", column("status"))
QUEUE = Query(lambda *values: values, select(_jobs.c.status, func.count()).group_by(_jobs.c.status))
NOT_QUEUED: Query[float | None] = Query(float, select(func.count()).select_from(Waiting))
STATUSES = ("new", "queued", "active", "failed")


class _Collected(Collector):
    """Metrics collected in advance, since the Prometheus client library is not async."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


async def collect(database: Database, gauges: Sequence[Gauge], jobs: JobCatalog) -> list[Metric]:
    """Collect the gauges of all modules, the counters of every running worker, the queue and the schedules."""
    found: list[Metric] = []
    for gauge in gauges:
        value = await database.reads.one_or_none(gauge.query) or 0.0
        found.append(GaugeMetricFamily(gauge.name, gauge.help, value=float(value)))
    age = GaugeMetricFamily(
        "todo_worker_seen_seconds", "Seconds since the last heartbeat of a worker.", labels=["worker"]
    )
    done = CounterMetricFamily(
        "todo_worker_done", "Operations of a worker since it started.", labels=["worker", "what"]
    )
    for name, seconds, counts in await database.reads.all(WORKERS):
        age.add_metric([name], float(seconds))
        for what, number in msgspec.json.decode(counts).items():
            done.add_metric([name, what], number)
    return [*found, age, done, *await _schedules(database, jobs), *await _queue(database)]


async def _queue(database: Database) -> list[Metric]:
    """Count the jobs by status. A queue of its own (`TODO_QUEUE_URL`) has its own metrics."""
    waiting = GaugeMetricFamily(
        "todo_jobs_waiting", "Jobs that no worker has handed to the queue yet.",
        value=await database.reads.one_or_none(NOT_QUEUED) or 0.0,
    )  # fmt: skip
    if database.settings.queue_url:
        return [waiting]
    queue = GaugeMetricFamily("todo_jobs", "Jobs in the queue by status.", labels=["status"])
    counts = {status: number for status, number in await database.reads.all(QUEUE)}
    for status in STATUSES:
        queue.add_metric([status], counts.get(status, 0))
    return [waiting, queue]


def of_process(database: Database) -> list[Metric]:
    """Return the build and the connection pools of this process."""
    build = GaugeMetricFamily("todo_build_info", "Always 1.", labels=["version", "schema", "python"])
    build.add_metric([__version__, head(), python_version()], 1)
    labels = ["pool"]
    most = GaugeMetricFamily("todo_pool_size", "Connections a pool may have in use.", labels=labels)
    used = GaugeMetricFamily("todo_pool_in_use", "Connections in use.", labels=labels)
    waiting = GaugeMetricFamily("todo_pool_waiting", "Requests that wait for a connection.", labels=labels)
    timeouts = CounterMetricFamily("todo_pool_timeouts", "Requests that waited too long (503).", labels=labels)
    for name, load in database.loads.items():
        most.add_metric([name], load.most)
        used.add_metric([name], load.in_use)
        waiting.add_metric([name], load.waiting)
        timeouts.add_metric([name], load.timeouts)
    reads = CounterMetricFamily("todo_replica_reads", "Reads with a replica, by where they ran.", labels=["server"])
    for server, count in database.replica.reads.items() if database.replica else ():
        reads.add_metric([server], count)
    return [build, most, used, waiting, timeouts, *([reads] if database.replica else [])]


async def _schedules(database: Database, jobs: JobCatalog) -> list[Metric]:
    """Report the runs of every job function, and whether workers have the queue of this process.

    Alert on the age of scheduled functions, and on failures.
    """
    age = GaugeMetricFamily(
        "todo_job_success_age_seconds", "Seconds since the last success of a function.", labels=["function"]
    )
    failed = GaugeMetricFamily("todo_job_failed", "1 when the last run of a function failed.", labels=["function"])
    runs = CounterMetricFamily("todo_job_runs", "Runs of a function.", labels=["function"])
    failures = CounterMetricFamily("todo_job_failures", "Failed runs of a function.", labels=["function"])
    late = GaugeMetricFamily("todo_schedule_late", "1 when a schedule missed two runs in a row.", labels=["function"])
    state = await state_of(database)
    for function, _, success, status, _, _, count, failure_count in await database.reads.all(LAST):
        if success is not None:
            age.add_metric([function], (state.at - success).total_seconds())
        failed.add_metric([function], float(status == "failed"))
        runs.add_metric([function], count)
        failures.add_metric([function], failure_count)
    names = schedules_of(state, jobs).late
    for cron in jobs.schedules:
        late.add_metric([cron.function.__qualname__], float(cron.function.__qualname__ in names))
    mixed = GaugeMetricFamily(
        "todo_queue_mixed", "1 when a worker has another queue than this process.",
        value=float(bool(mixed_queue(state, database))),
    )  # fmt: skip
    return [age, failed, runs, failures, late, mixed]


@get(
    "/metrics",
    operation_id="get_metrics",
    tags=["Operations"],
    guards=[requires("metrics.view")],
    media_type=CONTENT_TYPE.removesuffix("; charset=utf-8"),  # Litestar adds the charset to all text
)
async def metrics(
    database: NamedDependency[Database],
    gauges: NamedDependency[Sequence[Gauge]],
    jobs: NamedDependency[JobCatalog],
    request_metrics: NamedDependency[RequestMetrics],
) -> Response[bytes]:
    """Return metrics for Prometheus: requests and connections of this process; queue, schedules and workers of all.

    Scrape each process with the token of a service account:
    `todo service-accounts token prometheus --scope metrics.view`.
    Example: `GET /metrics`
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    found = [*request_metrics.collect(), *of_process(database), *await collect(database, gauges, jobs)]
    registry.register(_Collected(found))
    return Response(generate_latest(registry))
