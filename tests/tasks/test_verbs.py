"""Skipping, moving, completing early and late, and taking it back."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person
from support.series import (
    Json,
    Sql,
    act,
    begin,
    changed,
    day,
    everything,
    fields,
    open_occurrences,
    patch,
    series_occurrences,
    series_of,
    work,
)  # fmt: skip

from todo.database import Database

BERLIN = ZoneInfo("Europe/Berlin")  # where ada lives


async def test_skipping_closes_the_occurrence_and_answers_the_next(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    skipped = await act(ada, task, "skip")

    assert (skipped["status"], skipped["next_task"]["occurrence"]) == ("cancelled", "2031-01-02")
    assert await series_occurrences(ada, task) == [("2031-01-01", "skipped"), ("2031-01-02", "open")]


async def test_what_comes_once_cannot_be_skipped(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/tasks/{task['id']}/skip")

    assert answer.status_code == 409
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json() == task


@pytest.mark.parametrize("first", ["complete", "skip"])
@pytest.mark.parametrize("second", ["complete", "skip", "move"])
async def test_a_closed_occurrence_is_closed(ada: Person, sql: Sql, first: str, second: str) -> None:
    task = await begin(ada, "2031-01-01")
    await act(ada, task, first)
    before = await everything(sql)

    answer = await ada.http.post(f"/api/tasks/{task['id']}/{second}", json={"due": day("2031-05-05")})

    assert answer.status_code == 409
    assert await everything(sql) == before


async def test_moving_keeps_rule_and_identity_and_is_kept_in_the_occurrence(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=WEEKLY")

    moved = await act(ada, task, "move", {"due": day("2031-01-05")})

    assert (moved["due"], moved["occurrence"]) == (day("2031-01-05"), "2031-01-01")
    assert await series_occurrences(ada, task) == [("2031-01-01", "moved")]
    assert (await series_of(ada, task))["next_occurrence"] == "2031-01-08"


async def test_a_moved_occurrence_counts_as_done_when_it_is_done(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=WEEKLY")
    await act(ada, task, "move", {"due": day("2031-01-05")})

    done = await act(ada, task, "complete")

    assert done["next_task"]["occurrence"] == "2031-01-08"
    assert await series_occurrences(ada, task) == [("2031-01-01", "done"), ("2031-01-08", "open")]


async def test_moved_back_it_is_open_like_any_other(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await act(ada, task, "move", {"due": day("2031-01-05")})

    await changed(ada, task, {"due": day("2031-01-01")})

    assert await series_occurrences(ada, task) == [("2031-01-01", "open")]


async def test_a_plain_task_moves_too(ada: Person) -> None:
    task = await ada.add(due=day("2031-01-01"))

    assert (await act(ada, task, "move", {"due": day("2031-01-05")}))["due"] == day("2031-01-05")


async def test_an_occurrence_cannot_lose_its_due(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    before = await everything(sql)

    assert fields(await patch(ada, task, {"due": None})) == ["body.due"]
    assert await everything(sql) == before


@pytest.mark.parametrize("verb", ["complete", "skip"])
@pytest.mark.parametrize(
    "recurrence",
    [
        {}, {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}, {"anchor": "completion"}, {"opens": "on_close"},
        {"count": 1}, {"on_missed": "expire", "expire_after_seconds": 86400}, {"rrule": "FREQ=DAILY;COUNT=2"},
    ],
    ids=str,
)  # fmt: skip
async def test_closing_and_reopening_is_exactly_nothing(
    ada: Person, sql: Sql, verb: str, recurrence: dict[str, Any]
) -> None:
    task = await begin(ada, "2031-01-31", **recurrence)
    before = await everything(sql)

    await act(ada, task, verb)
    await act(ada, task, "reopen")

    assert await everything(sql) == before


async def test_deleting_and_restoring_is_exactly_nothing(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    before = await everything(sql)

    await ada.http.delete(f"/api/tasks/{task['id']}")
    await ada.http.post(f"/api/trash/{task['id']}/restore")

    assert await everything(sql) == before


async def test_undoing_in_the_middle_of_a_series_takes_back_the_last_step_only(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    second = (await act(ada, task, "complete"))["next_task"]
    await act(ada, second, "complete")

    await act(ada, second, "reopen")

    assert await series_occurrences(ada, task) == [("2031-01-01", "done"), ("2031-01-02", "open")]
    assert (await act(ada, second, "complete"))["next_task"]["occurrence"] == "2031-01-03"


async def test_the_successor_taken_back_leaves_its_trace(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    following = (await act(ada, task, "complete"))["next_task"]

    await act(ada, task, "reopen")

    assert (await ada.http.get(f"/api/tasks/{following['id']}")).status_code == 404
    events = await sql.fetch("SELECT action FROM audit_events WHERE subject_id = $1 ORDER BY id", following["id"])
    assert [row["action"] for row in events] == ["tasks.open", "tasks.undo"]


@pytest.mark.parametrize("touch", ["rename", "subtask", "move"])
async def test_a_successor_that_was_touched_stays_and_nothing_is_doubled(ada: Person, touch: str) -> None:
    task = await begin(ada, "2031-01-01")
    following = (await act(ada, task, "complete"))["next_task"]
    if touch == "rename":
        await changed(ada, following, {"title": "Mine"})
    elif touch == "move":
        await act(ada, following, "move", {"due": day("2031-02-02")})
    else:
        await ada.add("Below", parent_id=following["id"])

    await act(ada, task, "reopen")
    again = await act(ada, task, "complete")

    assert again["next_task"] is None
    assert [occurrence for occurrence, _ in await series_occurrences(ada, task)] == ["2031-01-01", "2031-01-02"]
    assert await open_occurrences(ada) == ["2031-01-02"]


async def test_after_the_rule_was_changed_the_successor_stays(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await act(ada, task, "complete")
    await ada.http.patch(f"/api/series/{task['series_id']}", json={"rrule": "FREQ=DAILY;INTERVAL=2"})

    await act(ada, task, "reopen")

    assert await open_occurrences(ada) == ["2031-01-01", "2031-01-02"]


async def test_reopening_the_last_occurrence_brings_an_ended_series_back(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", count=1)
    await act(ada, task, "complete")
    ended = (await series_of(ada, task))["status"]

    await act(ada, task, "reopen")

    assert (ended, (await series_of(ada, task))["status"]) == ("ended", "active")


async def test_reopening_does_not_undo_an_end_that_somebody_wanted(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.http.post(f"/api/series/{task['series_id']}/end", json={"open": "keep"})
    await act(ada, task, "complete")

    await act(ada, task, "reopen")

    assert (await series_of(ada, task))["status"] == "ended"


async def test_backfilled_occurrences_are_closed_one_by_one(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin(ada, "2026-01-01", "FREQ=DAILY;UNTIL=20260103", on_missed="backfill")
    await work(database)

    done = await act(ada, task, "complete")

    assert done["next_task"] is None
    assert await series_occurrences(ada, task) == [
        ("2026-01-01", "done"),
        ("2026-01-02", "open"),
        ("2026-01-03", "open"),
    ]


async def test_an_occurrence_expires_when_its_time_is_up(ada: Person, sql: Sql, database: Database) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=2)
    task = await begin(ada, str(yesterday), "FREQ=YEARLY", on_missed="expire", expire_after_seconds=3600)

    await work(database)

    assert await series_occurrences(ada, task) == [(str(yesterday), "missed")]
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["status"] == "cancelled"


async def test_a_moved_occurrence_expires_after_its_new_day(ada: Person, sql: Sql, database: Database) -> None:
    today = datetime.now(BERLIN).date()
    task = await begin(
        ada, str(today - timedelta(days=1)), "FREQ=YEARLY", on_missed="expire", expire_after_seconds=3600
    )
    await act(ada, task, "move", {"due": day(str(today + timedelta(days=2)))})
    expiry = datetime.combine(today + timedelta(days=3), time(1), BERLIN)

    await work(database)

    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["status"] == "open"
    assert await sql.fetchval("SELECT next_run_at FROM series") == expiry


async def test_a_moved_occurrence_is_not_skipped_before_its_new_day(ada: Person, database: Database) -> None:
    today = datetime.now(BERLIN).date()
    task = await begin(ada, str(today - timedelta(days=2)), "FREQ=DAILY", on_missed="skip_to_next")
    await ada.http.patch(f"/api/tasks/{task['id']}?scope=this", json={"due": day(str(today + timedelta(days=1)))})

    await work(database)

    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["status"] == "open"
    assert await series_occurrences(ada, task) == [
        (str(today - timedelta(days=2)), "moved"),
        (str(today - timedelta(days=1)), "missed"),
    ]


async def test_an_expired_occurrence_counted_from_completion_is_followed_by_the_next(
    ada: Person, sql: Sql, database: Database
) -> None:
    task: Json = await begin(
        ada, "2026-01-01", "FREQ=YEARLY", anchor="completion", on_missed="expire", expire_after_seconds=3600
    )

    await work(database)

    assert await series_occurrences(ada, task) == [("2026-01-01", "missed")]
    assert (await series_of(ada, task))["next_occurrence"] is not None


async def test_counted_from_completion_and_done_early_one_interval_after_it_was_done(ada: Person) -> None:
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    task = await begin(ada, str(today + timedelta(days=40)), "FREQ=DAILY;INTERVAL=3", anchor="completion")

    following = (await act(ada, task, "complete"))["next_task"]
    again = (await act(ada, following, "complete"))["next_task"]  # as early: that day is taken

    days = [str(today + timedelta(days=days)) for days in (3, 6)]
    assert [following["occurrence"], again["occurrence"]] == days
    assert [entry for entry, _ in await series_occurrences(ada, task)] == [*days, task["occurrence"]]
