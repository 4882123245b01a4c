"""Figures for Prometheus: true ones, for whoever may see them."""

from typing import Any, TypeAlias

import asyncpg
from prometheus_client.parser import text_string_to_metric_families
from support.factories import World

from todo.database import Database
from todo.http.health import NAME, beat
from todo.loops import COUNTS

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
