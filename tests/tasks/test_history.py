"""One row for every occurrence that has come, the same however late the worker looked."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person
from support.series import Sql, act, begin, floating, series_occurrences, work, work_at

from todo.database import Database


def in_days(days: int) -> str:
    today: date = datetime.now(ZoneInfo("Europe/Berlin")).date()
    return str(today + timedelta(days=days))


@pytest.mark.parametrize("verb", ["complete", "skip"])
@pytest.mark.parametrize("opens", ["either", "on_close", "on_time"])
@pytest.mark.parametrize("worker_was_first", [True, False])
async def test_what_a_completion_jumps_over_is_recorded_as_the_worker_would(
    ada: Person, database: Database, verb: str, opens: str, worker_was_first: bool
) -> None:
    task = await begin(ada, in_days(-3), opens=opens)
    if worker_was_first:
        await work(database)

    closed = await act(ada, task, verb)

    assert closed["next_task"]["occurrence"] == in_days(0)
    assert await series_occurrences(ada, task) == [
        (in_days(-3), "done" if verb == "complete" else "skipped"),
        (in_days(-2), "missed"), (in_days(-1), "missed"), (in_days(0), "open"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        ({"on_missed": "skip_to_next"}, ["done", "missed", "open"]),
        ({"on_missed": "backfill"}, ["done", "open", "open"]),
        ({"on_missed": "backfill", "max_open": 2}, ["done", "open", "missed"]),
        ({"on_missed": "backfill", "opens": "on_close"}, ["done", "open"]),
        ({"on_missed": "expire", "expire_after_seconds": 100_000}, ["done", "missed", "open"]),
        ({"on_missed": "expire", "expire_after_seconds": 3_600}, ["done", "missed", "missed", "open"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("worker_was_first", [True, False])
async def test_every_policy_records_the_same_with_and_without_the_worker(
    ada: Person, database: Database, recurrence: dict[str, Any], expected: list[str], worker_was_first: bool
) -> None:
    zone = {"kind": "zoned", "timezone": "UTC"}
    begun = datetime.now(UTC) - timedelta(days=3) + timedelta(minutes=30)  # three have come
    task = await ada.add(due=zone | {"at": f"{begun:%Y-%m-%dT%H:%M}"}, recurrence={"rrule": "FREQ=DAILY"} | recurrence)
    if worker_was_first:
        await work_at(database, begun + timedelta(seconds=1))

    await act(ada, task, "complete")
    await work(database)

    assert [status for _, status in await series_occurrences(ada, task)] == expected


async def test_a_person_can_still_close_what_its_time_has_just_closed(ada: Person, sql: Sql) -> None:
    task = await begin(ada, in_days(-1), on_missed="skip_to_next")  # no worker has run since midnight

    closed = await act(ada, task, "complete")

    assert closed["next_task"]["occurrence"] == in_days(0)
    assert await series_occurrences(ada, task) == [(in_days(-1), "done"), (in_days(0), "open")]


async def test_todays_occurrence_is_missed_when_today_is_over(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-03-01", "FREQ=DAILY;UNTIL=20310302")

    await work_at(database, datetime(2031, 3, 2, 22, 59, 59, tzinfo=UTC))
    before = await series_occurrences(ada, task)
    await work_at(database, datetime(2031, 3, 2, 23, tzinfo=UTC))  # midnight in Berlin

    assert before == [("2031-03-01", "open")]
    assert await series_occurrences(ada, task) == [("2031-03-01", "open"), ("2031-03-02", "missed")]


async def test_an_occurrence_for_a_day_expires_after_its_day(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-03-01", "FREQ=DAILY;COUNT=1", on_missed="expire", expire_after_seconds=3_600)

    await work_at(database, datetime(2031, 3, 1, 23, 59, 59, tzinfo=UTC))
    before = await series_occurrences(ada, task)
    await work_at(database, datetime(2031, 3, 2, tzinfo=UTC))

    assert (before, await series_occurrences(ada, task)) == ([("2031-03-01", "open")], [("2031-03-01", "missed")])


async def test_nothing_is_missed_before_its_time_with_a_long_lead(ada: Person, database: Database) -> None:
    task = await ada.add(
        due=floating("2031-03-01T09:00"), recurrence={"rrule": "FREQ=DAILY", "lead_seconds": 3 * 86_400}
    )

    await work_at(database, datetime(2031, 3, 2, 7, 59, 59, tzinfo=UTC))
    before = await series_occurrences(ada, task)
    await work_at(database, datetime(2031, 3, 2, 8, tzinfo=UTC))

    assert before == [("2031-03-01T09:00", "open")]
    assert await series_occurrences(ada, task) == [("2031-03-01T09:00", "open"), ("2031-03-02T09:00", "missed")]


async def test_what_is_reopened_beside_a_changed_successor_still_expires_at_its_time(ada: Person, sql: Sql) -> None:
    recurrence = {"rrule": "FREQ=DAILY", "on_missed": "expire", "expire_after_seconds": 3_600}
    task = await ada.add(due=floating("2031-03-01T09:00"), recurrence=recurrence)
    following = (await act(ada, task, "complete"))["next_task"]
    await ada.http.patch(f"/api/tasks/{following['id']}", json={"notes": "important"})

    await act(ada, task, "reopen")

    assert await series_occurrences(ada, task) == [("2031-03-01T09:00", "open"), ("2031-03-02T09:00", "open")]
    assert await sql.fetchval("SELECT next_run_at FROM series") == datetime(2031, 3, 1, 9, tzinfo=UTC)
