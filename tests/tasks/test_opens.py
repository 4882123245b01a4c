"""When the next occurrence appears: when this one is closed, when its own time comes, or at the first of these."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.factories import Person
from support.series import Sql, act, begin, day, everything, open_occurrences, series_of, work, work_at

from todo.database import Database


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        ({}, "2031-01-02"), ({"opens": "either"}, "2031-01-02"), ({"opens": "on_close"}, "2031-01-02"),
        ({"opens": "on_time"}, None), ({"opens": "on_time", "lead_seconds": 86_400}, None),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_closing_opens_the_next_unless_that_waits_for_its_time(
    ada: Person, verb: str, recurrence: dict[str, Any], expected: str | None
) -> None:
    task = await begin(ada, "2031-01-01", **recurrence)

    closed = await act(ada, task, verb)

    assert (closed["next_task"] or {}).get("occurrence") == expected
    assert await open_occurrences(ada) == ([expected] if expected else [])
    assert (await series_of(ada, task))["status"] == "active"


async def test_done_work_opens_at_its_time_minus_lead(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin(ada, "2031-01-01", opens="on_time", lead_seconds=3600)
    await act(ada, task, "complete")
    looks = await sql.fetchval("SELECT next_run_at FROM series")

    await work_at(database, looks - timedelta(seconds=1))
    before = await open_occurrences(ada)
    await work_at(database, looks)

    assert (str(looks), before) == ("2031-01-01 22:00:00+00:00", [])  # Berlin's midnight, an hour early
    assert await open_occurrences(ada) == ["2031-01-02"]


async def test_what_should_be_open_already_opens_when_the_one_before_it_is_closed(ada: Person) -> None:
    today = datetime.now(UTC).date()
    task = await begin(ada, str(today), "FREQ=WEEKLY", opens="on_time", lead_seconds=9 * 86_400)

    closed = await act(ada, task, "complete")

    assert closed["next_task"]["occurrence"] == str(today + timedelta(days=7))


async def test_on_time_closing_and_reopening_is_exactly_nothing(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01", opens="on_time")
    before = await everything(sql)

    await act(ada, task, "complete")
    await act(ada, task, "reopen")

    assert await everything(sql) == before


async def test_reopening_takes_back_the_one_that_came_meanwhile(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin(ada, "2031-01-01", opens="on_time")
    before = await everything(sql)
    await act(ada, task, "complete")
    await work_at(database, datetime(2031, 1, 2, 12, tzinfo=UTC))
    came = await open_occurrences(ada)

    await act(ada, task, "reopen")

    assert came == ["2031-01-02"]
    assert await everything(sql) == before


async def test_counted_from_completion_the_next_waits_for_its_time_when_asked(ada: Person, database: Database) -> None:
    recurrence = {"rrule": "FREQ=DAILY;INTERVAL=3", "anchor": "completion", "opens": "on_time"}
    task = await ada.add(due=day("2026-01-01"), recurrence=recurrence)

    closed = await act(ada, task, "complete")
    await work(database)
    before = await open_occurrences(ada)
    await work_at(database, datetime.now(UTC) + timedelta(days=4))

    assert (closed["next_task"], before) == (None, [])
    assert len(await open_occurrences(ada)) == 1


async def test_no_value_is_the_default_of_the_anchor(ada: Person) -> None:
    schedule = await begin(ada, "2031-01-01", opens=None)
    completion = await begin(ada, "2031-01-01", opens=None, anchor="completion")

    assert [(await series_of(ada, task))["opens"] for task in (schedule, completion)] == ["either", "on_close"]
