"""`/metrics`: metrics of the whole installation, read from the database. Every process returns the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from todo.access import requires
from todo.database import Database, Query, columns
from todo.http.health import Heartbeat, schedules_of, state_of
from todo.jobs import LAST, JobCatalog

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Gauge:
    """A metric that a module exports. The query must return one number, and be fast at any table size."""

    name: str
    help: str
    query: Query[Any]


_beats = columns(Heartbeat)
WORKERS = Query(
    lambda *values: values,
    select(_beats.name, func.extract("epoch", func.now() - _beats.seen_at), _beats.counts),
)


class _Collected(Collector):
    """Metrics collected in advance, since the Prometheus client library is not async."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


async def collect(database: Database, gauges: Sequence[Gauge], jobs: JobCatalog) -> list[Metric]:
    """Collect the gauges of all modules, and the counters of every worker seen within the last day."""
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
    return [*found, age, done, *await _schedules(database, jobs)]


async def _schedules(database: Database, jobs: JobCatalog) -> list[Metric]:
    """Report the runs of every job function. Alert on the age of scheduled ones, and on failures."""
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
    return [age, failed, runs, failures, late]


@get(
    "/metrics",
    operation_id="get_metrics",
    tags=["Operations"],
    guards=[requires("metrics.view")],
    media_type=CONTENT_TYPE.removesuffix("; charset=utf-8"),  # Litestar adds the charset to all text
)
async def metrics(
    database: NamedDependency[Database], gauges: NamedDependency[Sequence[Gauge]], jobs: NamedDependency[JobCatalog]
) -> Response[bytes]:
    """Return metrics for Prometheus: overdue series, queue sizes, worker activity.

    Scrape it with the token of a service account: `todo service-accounts token prometheus --scope metrics.view`.
    Example: `GET /metrics`
    """
    registry = CollectorRegistry()
    registry.register(_Collected(await collect(database, gauges, jobs)))
    return Response(generate_latest(registry))
