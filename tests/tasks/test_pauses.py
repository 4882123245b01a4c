"""What is due in a pause does not happen: it is recorded as paused, never missed, and does not come later."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person
from support.series import (
    Sql,
    act,
    begin,
    everything,
    floating,
    open_occurrences,
    series_occurrences,
    series_of,
    steer,
    work,
    work_at,
)

from todo.database import Database

PAUSE = {"from": "2031-11-29", "until": "2031-12-03"}
INSIDE = [f"2031-{day}" for day in ("11-29", "11-30", "12-01", "12-02", "12-03")]
AFTER = datetime(2031, 12, 4, 19, tzinfo=UTC)
REST = "UPDATE series SET status = 'paused', next_run_at = NULL"  # as if it had been paused when it began


def today() -> date:
    return datetime.now(ZoneInfo("Europe/Berlin")).date()


def in_days(days: int) -> str:
    return str(today() + timedelta(days=days))


@pytest.mark.parametrize("on_missed", ["keep_one", "skip_to_next", "backfill"])
@pytest.mark.parametrize("opens", ["either", "on_close", "on_time"])
async def test_the_days_of_a_window_are_paused_and_the_first_after_it_opens(
    ada: Person, database: Database, on_missed: str, opens: str
) -> None:
    recurrence = {"rrule": "FREQ=DAILY", "on_missed": on_missed, "opens": opens}
    task = await ada.add(due=floating("2031-11-28T09:00"), recurrence=recurrence)
    await steer(ada, task, "pause", PAUSE)
    await act(ada, task, "complete")

    await work_at(database, AFTER - timedelta(days=2))
    meanwhile = await open_occurrences(ada)
    await work_at(database, AFTER)

    paused = [(f"{day}T09:00", "paused") for day in INSIDE]
    assert meanwhile == []
    assert await open_occurrences(ada) == ["2031-12-04T09:00"]
    assert await series_occurrences(ada, task) == [
        ("2031-11-28T09:00", "done"), *paused, ("2031-12-04T09:00", "open"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("on_missed", "after"),
    [
        ("keep_one", [("2031-11-28", "open"), ("2031-12-04", "missed")]),
        ("skip_to_next", [("2031-11-28", "missed"), ("2031-12-04", "open")]),
        ("backfill", [("2031-11-28", "open"), ("2031-12-04", "open")]),
    ],
)
async def test_what_was_open_before_the_window_stays(
    ada: Person, database: Database, on_missed: str, after: list[tuple[str, str]]
) -> None:
    task = await begin(ada, "2031-11-28", "FREQ=DAILY;UNTIL=20311204", on_missed=on_missed)
    await steer(ada, task, "pause", PAUSE)

    await work_at(database, AFTER - timedelta(days=2))
    meanwhile = await open_occurrences(ada)
    await work_at(database, AFTER + timedelta(days=1))

    assert meanwhile == ["2031-11-28"]
    assert await series_occurrences(ada, task) == [after[0], *((day, "paused") for day in INSIDE), after[1]]


async def test_paused_occurrences_have_a_number(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-11-28", "FREQ=DAILY;COUNT=7")
    await steer(ada, task, "pause", PAUSE)
    await act(ada, task, "complete")
    await work_at(database, AFTER)
    last = (await ada.http.get("/api/tasks?status=open")).json()["items"][0]

    done = await act(ada, last, "complete")

    assert (last["occurrence"], done["next_task"]) == ("2031-12-04", None)
    assert (await series_of(ada, task))["occurrence_count"] == 7


async def test_until_it_is_resumed_nothing_opens_and_what_was_due_is_paused(
    ada: Person, database: Database, sql: Sql
) -> None:
    task = await begin(ada, in_days(-3), on_missed="backfill")
    await sql.execute(REST)

    await work(database)
    meanwhile = await series_occurrences(ada, task)
    resumed = await steer(ada, task, "resume")
    await work(database)

    assert meanwhile == [(in_days(-3), "open")]
    assert (resumed.json()["status"], resumed.json()["occurrence_count"]) == ("active", 3)
    assert await series_occurrences(ada, task) == [
        (in_days(-3), "open"), (in_days(-2), "paused"), (in_days(-1), "paused"), (in_days(0), "open"),
    ]  # fmt: skip


async def test_what_was_due_before_the_pause_is_missed_and_not_paused(ada: Person) -> None:
    task = await begin(ada, in_days(-2))  # no worker has run

    await steer(ada, task, "pause", {})

    assert await series_occurrences(ada, task) == [(in_days(-2), "open"), (in_days(-1), "missed")]


@pytest.mark.parametrize("recurrence", [{}, {"opens": "on_close"}, {"opens": "on_time"}], ids=str)
async def test_done_in_a_pause_nothing_comes_before_its_end(
    ada: Person, database: Database, sql: Sql, recurrence: dict[str, Any]
) -> None:
    task = await begin(ada, in_days(-2), **recurrence)
    await sql.execute(REST)

    done = await act(ada, task, "complete")
    await work(database)
    meanwhile = await open_occurrences(ada)
    await steer(ada, task, "resume")
    await work(database)

    assert (done["next_task"], meanwhile) == (None, [])
    assert await series_occurrences(ada, task) == [
        (in_days(-2), "done"), (in_days(-1), "paused"), (in_days(0), "open"),
    ]  # fmt: skip


async def test_counted_from_completion_the_next_comes_after_the_pause(
    ada: Person, database: Database, sql: Sql
) -> None:
    task = await begin(ada, in_days(0), "FREQ=DAILY;INTERVAL=3", anchor="completion")
    await steer(ada, task, "pause", {})
    await act(ada, task, "complete")
    await sql.execute(
        "UPDATE series SET next_original_start = next_original_start - interval '4 days',"
        " last_original_start = last_original_start - interval '4 days'"
    )

    await steer(ada, task, "resume")

    assert await series_occurrences(ada, task) == [(in_days(-1), "paused"), (in_days(0), "done")]
    assert (await series_of(ada, task))["next_occurrence"] == in_days(2)


async def test_completing_and_reopening_before_a_window_is_exactly_nothing(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-12-23")
    await steer(ada, task, "pause", {"from": "2031-12-24", "until": "2032-01-06"})
    before = await everything(sql)

    done = await act(ada, task, "complete")
    await act(ada, task, "reopen")

    assert done["next_task"] is None
    assert await everything(sql) == before


async def test_a_window_that_ends_early_lets_todays_work_open(ada: Person, database: Database) -> None:
    task = await begin(ada, in_days(-1))
    await steer(ada, task, "pause", {"from": in_days(-1), "until": in_days(5)})
    await act(ada, task, "complete")
    await work(database)
    meanwhile = await open_occurrences(ada)

    await steer(ada, task, "resume")
    await work(database)

    assert (meanwhile, await open_occurrences(ada)) == ([], [in_days(0)])


async def test_done_in_a_window_what_was_waiting_opens_after_it(ada: Person, database: Database) -> None:
    task = await begin(ada, in_days(0), "FREQ=WEEKLY", lead_seconds=9 * 86_400)
    await steer(ada, task, "pause", {"until": in_days(2)})

    await act(ada, task, "complete")
    await work(database)
    meanwhile = await open_occurrences(ada)
    await work_at(database, datetime.now(UTC) + timedelta(days=3))

    assert (meanwhile, await open_occurrences(ada)) == ([], [in_days(7)])


@pytest.mark.parametrize("verb", ["delete", "skip"])
async def test_an_occurrence_removed_in_a_pause_takes_no_subtasks_along(
    ada: Person, database: Database, verb: str
) -> None:
    task = await begin(ada, in_days(0))
    await ada.add("Fill the can", parent_id=task["id"])
    await steer(ada, task, "pause", {})

    await (ada.http.delete(f"/api/tasks/{task['id']}") if verb == "delete" else act(ada, task, "skip"))
    await steer(ada, task, "resume")
    await work_at(database, datetime.now(UTC) + timedelta(days=1))

    (following,) = [one for one in (await ada.http.get("/api/tasks?status=open")).json()["items"] if one["series_id"]]
    below = (await ada.http.get(f"/api/tasks?parent_id={following['id']}")).json()["items"]
    assert [one["title"] for one in below] == ["Fill the can"]


async def test_what_is_paused_is_not_upcoming(ada: Person) -> None:
    task = await begin(ada, in_days(1))
    await steer(ada, task, "pause", {"from": in_days(2), "until": in_days(4)})
    until = f"{datetime.now(UTC) + timedelta(days=6):%Y-%m-%dT%H:%M:%SZ}"

    found = (await ada.http.get(f"/api/tasks?include=upcoming&until={until}")).json()["upcoming"]

    assert [one["occurrence"] for one in found][:2] == [in_days(5), in_days(6)]


async def test_a_preview_leaves_out_what_is_paused(ada: Person) -> None:
    pauses = [{"from": "2031-11-29", "until": "2031-11-30"}]
    body = {"rrule": "FREQ=DAILY;COUNT=4", "start": "2031-11-28", "pauses": pauses}

    found = (await ada.http.post("/api/recurrences/preview", json=body)).json()["occurrences"]

    assert [one["original_start"] for one in found] == ["2031-11-28", "2031-12-01"]
