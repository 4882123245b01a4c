"""Figures for Prometheus: true ones, for whoever may see them."""

import asyncio
from platform import python_version
from time import process_time
from typing import Any, TypeAlias

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.factories import World

from todo import __version__
from todo.database import Database
from todo.errors import Unavailable
from todo.http.health import NAME, beat
from todo.http.request_metrics import RequestMetrics
from todo.loops import COUNTS
from todo.pool import Gate
from todo.revisions import head

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def dashboard(world: World, name: str) -> dict[str, float]:
    """Every sample, by its name and labels."""
    operator = await world.person(name, "admin")
    answer = await operator.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {
        "|".join([s.name, *(s.labels[name] for name in sorted(s.labels))]): s.value
        for family in families
        for s in family.samples
    }


async def test_a_late_series_and_one_set_aside_are_message(world: World, sql: Sql) -> None:
    ada = await world.person("ada")
    late: dict[str, Any] = {"due": {"kind": "day", "date": "2031-01-01"}, "recurrence": {"rrule": "FREQ=DAILY"}}
    for _ in range(2):
        await ada.add(**late)
    await sql.execute("UPDATE series SET next_run_at = now() - interval '90 seconds', failures = 1")

    found = await dashboard(world, "operator")

    assert 90 <= found["todo_series_lag_seconds"] < 120
    assert (found["todo_series_due"], found["todo_series_set_aside"]) == (2, 2)


async def test_without_work_nothing_is_late(world: World) -> None:
    found = await dashboard(world, "operator")

    assert found["todo_series_lag_seconds"] == found["todo_series_due"] == found["todo_outbox_waiting"] == 0


async def test_a_worker_says_what_it_has_done(world: World, database: Database) -> None:
    COUNTS["series_opened"] += 7
    await beat(database)

    found = await dashboard(world, "operator")

    assert found[f"todo_worker_done_total|series_opened|{NAME}"] == COUNTS["series_opened"]
    assert found[f"todo_worker_seen_seconds|{NAME}"] < 60


async def test_figures_are_for_operators(world: World) -> None:
    ada = await world.person("ada")

    assert (await ada.http.get("/metrics")).status_code == 403


async def test_requests_are_counted_by_route_and_status_and_timed(world: World) -> None:
    ada = await world.person("ada")
    before = await dashboard(world, "operator")
    task = await ada.add()
    for path in (f"/api/tasks/{task['id']}", "/api/tasks/0190f5f0-7c1d-7000-8000-000000000000", "/nothing/of/this"):
        await ada.http.get(path)

    found = await dashboard(world, "other-operator")

    def grown(name: str) -> float:
        return found[name] - before.get(name, 0)

    assert grown("todo_http_requests_total|GET|/api/tasks/{task_id}|200") == 1
    assert grown("todo_http_requests_total|GET|/api/tasks/{task_id}|404") == 1
    assert grown("todo_http_requests_total|GET||404") == 1
    assert grown("todo_http_requests_total|POST|/api/tasks|201") == 1
    assert grown("todo_http_request_seconds_count|GET|/api/tasks/{task_id}") == 2
    assert grown("todo_http_request_seconds_bucket|+Inf|GET|/api/tasks/{task_id}") == 2
    assert 0 < grown("todo_http_request_seconds_sum|GET|/api/tasks/{task_id}") < 30
    assert found["todo_http_requests_in_progress"] == 1  # this one


def test_a_histogram_counts_each_request_in_every_bucket_it_fits_in() -> None:
    metrics = RequestMetrics()
    scope: Any = {"method": "BREW", "path_template": "/pot"}
    for seconds in (0.001, 0.005, 0.3, 60):
        metrics.count(scope, 418, seconds)

    requests, took, _ = metrics.collect()

    assert [(s.labels, s.value) for s in requests.samples] == [
        ({"method": "OTHER", "route": "/pot", "status": "418"}, 4)
    ]
    buckets = {s.labels["le"]: s.value for s in took.samples if s.name.endswith("_bucket")}
    assert [buckets[le] for le in ("0.005", "0.25", "0.5", "10.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert [s.value for s in took.samples if s.name.endswith("_sum")] == [60.306]


async def test_pools_queue_build_and_process_are_shown(world: World) -> None:
    found = await dashboard(world, "operator")

    assert found["todo_pool_size|write"] > 1
    assert found["todo_pool_size|direct"] >= 1
    assert found["todo_pool_waiting|write"] == found["todo_pool_timeouts_total|direct"] == 0
    assert {f"todo_jobs|{status}" for status in ("new", "queued", "active", "failed")} < {*found}
    assert found["todo_jobs_waiting"] >= 0
    assert found[f"todo_build_info|{python_version()}|{head()}|{__version__}"] == 1
    assert found["process_resident_memory_bytes"] > 10_000_000


async def test_a_worker_that_has_ended_disappears(world: World, database: Database, sql: Sql) -> None:
    await beat(database)
    await sql.execute("UPDATE heartbeats SET seen_at = now() - interval '61 seconds'")

    found = await dashboard(world, "operator")

    assert [name for name in found if name.startswith("todo_worker")] == []


async def test_requests_that_wait_for_a_connection_are_counted() -> None:
    gate = Gate(1, wait=0.05)
    async with gate:
        assert (gate.in_use, gate.waiting) == (1, 0)
        waiting = asyncio.create_task(gate.__aenter__())
        await asyncio.sleep(0)
        assert gate.waiting == 1
        with pytest.raises(Unavailable):
            await waiting

    assert (gate.in_use, gate.waiting, gate.timeouts) == (0, 0, 1)


@pytest.mark.timing
def test_counting_a_request_takes_less_than_two_microseconds() -> None:
    metrics = RequestMetrics()
    scope: Any = {"method": "GET", "path_template": "/api/tasks/{task_id}"}

    def seconds() -> float:
        began = process_time()
        for _ in range(100_000):
            metrics.count(scope, 200, 0.0012)
        return process_time() - began

    assert min(seconds() for _ in range(5)) / 100_000 < 2e-6
