"""`/metrics`: what the database says of the whole installation, whichever process is asked."""

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
    """A figure that a room lets be watched; the query answers one number, quickly, whatever the size of the tables."""

    name: str
    help: str
    query: Query[Any]


_beats = columns(Heartbeat)
WORKERS = Query(
    lambda *values: values,
    select(_beats.name, func.extract("epoch", func.now() - _beats.seen_at), _beats.counts),
)


class _Collected(Collector):
    """Figures that were asked for already: Prometheus' library knows no async."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


async def collect(database: Database, gauges: Sequence[Gauge], jobs: JobCatalog) -> list[Metric]:
    """The gauges of the rooms, and what every worker of the last day says of itself."""
    found: list[Metric] = []
    for gauge in gauges:
        value = await database.reads.one_or_none(gauge.query) or 0.0
        found.append(GaugeMetricFamily(gauge.name, gauge.help, value=float(value)))
    age = GaugeMetricFamily("todo_worker_seen_seconds", "Since a worker last said that it is alive.", labels=["worker"])
    done = CounterMetricFamily("todo_worker_done", "What a worker has done since it began.", labels=["worker", "what"])
    for name, seconds, counts in await database.reads.all(WORKERS):
        age.add_metric([name], float(seconds))
        for what, number in msgspec.json.decode(counts).items():
            done.add_metric([name, what], number)
    return [*found, age, done, *await _schedules(database, jobs)]


async def _schedules(database: Database, jobs: JobCatalog) -> list[Metric]:
    """How every function that the worker runs went; alert on the age of what has a schedule, and on what failed."""
    age = GaugeMetricFamily("todo_job_success_age_seconds", "Since a function last succeeded.", labels=["function"])
    failed = GaugeMetricFamily("todo_job_failed", "1 when the last run of a function failed.", labels=["function"])
    runs = CounterMetricFamily("todo_job_runs", "How often a function ran.", labels=["function"])
    failures = CounterMetricFamily("todo_job_failures", "How often a function failed.", labels=["function"])
    late = GaugeMetricFamily("todo_schedule_late", "1 when a schedule missed two times in a row.", labels=["function"])
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
    media_type=CONTENT_TYPE.removesuffix("; charset=utf-8"),  # Litestar adds it to all text
)
async def metrics(
    database: NamedDependency[Database], gauges: NamedDependency[Sequence[Gauge]], jobs: NamedDependency[JobCatalog]
) -> Response[bytes]:
    """Figures for Prometheus: how late the oldest due series is, how much waits, what the workers have done.

    Scrape it with the token of a service account: `todo service-accounts token prometheus --scope metrics.view`.
    Example: `GET /metrics`
    """
    registry = CollectorRegistry()
    registry.register(_Collected(await collect(database, gauges, jobs)))
    return Response(generate_latest(registry))
