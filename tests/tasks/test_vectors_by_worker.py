"""The published vectors (tests/vectors/recurrence/README.md), run by the worker on a database."""

import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from sqlalchemy import select
from support.factories import Person

from todo.access import worker_origin
from todo.database import Database
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.occurrences import first
from todo.domain.recurrence.rules.timing import opens_at
from todo.domain.tasks.models import Task
from todo.domain.tasks.series.models import SERIES, Occurrence, Series
from todo.domain.tasks.series.services.materialize import materialize_series
from todo.domain.tasks.series.upcoming import Coming, upcoming_occurrences

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Case: TypeAlias = dict[str, Any]
VECTORS = Path(__file__).parents[1] / "vectors" / "recurrence"
OCCURRENCES = "SELECT original_start, status FROM occurrences ORDER BY original_start"


def cases(kind: str) -> list[Any]:
    """The cases that state this kind of fact, but those a series cannot hold: other weekends than ours."""
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted(VECTORS.glob("*.json"))
        for case in json.loads(path.read_text())
        if kind in case and "weekend" not in case["series"]
    ]


def series_of(person: Person, case: Case, **values: Any) -> Series:
    fields = dict(case["series"])
    start = fields.pop("start")
    zone = fields.get("timezone")
    kind = "day" if "T" not in start else "zoned" if zone else "floating"
    until = {"until": local(fields.pop("until"))} if "until" in fields else {}
    completion = fields.get("anchor") == "completion"
    fields.setdefault("opens", "on_close" if completion else "either")
    series = Series(
        owner_id=person.id, project_id=person.id, owner_timezone=case.get("owner_zone", "UTC"),
        start=local(start), kind=kind,
        template={"title": "Again"}, **fields, **until, **values,
    )  # fmt: skip
    plan = series.plan()
    series.rrule, series.count, series.until = str(plan.rule), plan.count, plan.until
    return series


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def stored(database: Database, series: Series, open_starts: list[datetime], late: dict[str, str]) -> None:
    async with database.session(worker_origin()) as session:
        session.add(series)
        await session.flush()
        for original_start in open_starts:
            named = written(original_start, all_day=series.kind == "day")
            task = Task(
                owner_id=series.owner_id, project_id=series.project_id, created_by=series.owner_id, title="Again",
                series_id=series.id, occurrence=named,
            )  # fmt: skip
            if moved := late.get(named):
                task.due = {"kind": "zoned", "at": moved.removesuffix("Z"), "timezone": "UTC"}
            session.add_all([task, Occurrence(series_id=series.id, original_start=original_start, task_id=task.id)])


async def opened(database: Database, series: Series, moment: datetime) -> Series:
    """What the worker makes of it at this moment."""
    async with database.session(worker_origin()) as session:
        locked = await session.scalar(select(Series).where(SERIES.id == series.id).with_for_update())
        assert locked is not None
        await materialize_series(session, [locked], moment)
    async with database.session(worker_origin()) as session:
        after = await session.get(Series, series.id)
    assert after is not None
    assert after.last_error is None
    return after


@pytest.mark.parametrize("case", cases("decide_missed"))
async def test_what_came_while_nobody_looked(ada: Person, database: Database, sql: Sql, case: Case) -> None:
    wanted, start = case["decide_missed"], case["series"]["start"]
    waits_for = local(wanted["waits_for"])
    now = local(wanted["now"]).astimezone(UTC)
    series = series_of(ada, case, n=wanted["n"] - 1, next_original_start=waits_for, next_n=wanted["n"], next_run_at=now)
    await stored(database, series, [local(text) for text in wanted["open"]], wanted.get("late", {}))

    after = await opened(database, series, now)

    def shown(original_start: datetime) -> str:
        return written(original_start, all_day="T" not in start)

    found = {status: {shown(row["original_start"]) for row in await sql.fetch(OCCURRENCES) if row["status"] == status}
             for status in ("open", "missed", "paused")}  # fmt: skip
    assert found["open"] == {*wanted["open"], *wanted["opens"]} - {*wanted.get("closes", [])}
    if wanted.get("all_listed", True):
        assert found["missed"] == {*wanted["missed"], *wanted.get("closes", [])}
        assert found["paused"] == {*wanted.get("paused", [])}
    if wanted["next"] is not None:
        assert after.next_original_start is not None
        assert shown(after.next_original_start) == wanted["next"]


@pytest.mark.parametrize("case", [case for case in cases("occurrences") if "anchor" not in case.values[0]["series"]])
async def test_each_occurrence_at_its_time(ada: Person, database: Database, sql: Sql, case: Case) -> None:
    """Looked at whenever the series says so, the worker opens just the occurrences that were foretold, at their
    instants.
    """
    series, wanted = series_of(ada, case), case["occurrences"]
    series.on_missed, series.opens, series.max_open = "backfill", "on_time", 100  # none waits for another
    plan = series.plan()
    if occurrence := first(plan):
        series.next_original_start, series.next_n = occurrence.original_start, occurrence.n
        series.next_run_at = opens_at(plan, occurrence.original_start)
    else:
        series.status = "ended"
    await stored(database, series, [], {})
    coming = upcoming_occurrences(Coming(series, None, None, None, None), datetime.max.replace(tzinfo=UTC))
    foretold = [occurrence for _, occurrence in islice(coming, len(wanted))]

    after = series
    while after.next_run_at is not None and await sql.fetchval("SELECT count(*) FROM tasks") < len(wanted):
        after = await opened(database, series, after.next_run_at)

    found = {row["occurrence"]: row["due_at"] for row in await sql.fetch("SELECT occurrence, due_at FROM tasks")}
    expected = [item if isinstance(item, dict) else {"original_start": item} for item in wanted]
    assert sorted(found) == sorted(item["original_start"] for item in expected)
    assert [found[item["original_start"]] for item in expected if "at" in item] == [
        local(item["at"]) for item in expected if "at" in item
    ]
    assert {occurrence.occurrence: occurrence.due_at for occurrence in foretold} == found
    assert not case.get("ends") or after.next_original_start is None
