"""Skipping all that is overdue in a series, or in all series of a person, by one request."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person
from support.invariants import broken
from support.series import Json, Sql, act, begin, open_occurrences, steer, work

from todo.database import Database

TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()


def in_days(days: int) -> str:
    return str(TODAY + timedelta(days=days))


async def skip(person: Person, task: Json) -> Json:
    answer = await steer(person, task, "skip-missed")
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


@pytest.mark.parametrize(
    ("recurrence", "overdue"),
    [({}, 1), ({"on_missed": "backfill"}, 5), ({"opens": "on_close"}, 1), ({"anchor": "completion"}, 1),
     ({"on_missed": "skip_to_next"}, 0)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("worker_first", [True, False])
async def test_what_is_overdue_is_skipped_and_the_next_is_still_to_come(
    ada: Person, database: Database, sql: Sql, recurrence: Json, overdue: int, worker_first: bool
) -> None:
    task = await begin(ada, in_days(-5), **recurrence)
    if worker_first:
        await work(database)

    done = await skip(ada, task)
    await work(database)

    assert done["skipped"] == (overdue if worker_first else 1)
    assert all(occurrence >= in_days(0) for occurrence in await open_occurrences(ada))
    assert await broken(sql) == {}


async def test_skipped_work_opens_again_one_by_one(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin(ada, in_days(-4), on_missed="backfill")
    await work(database)
    before = await open_occurrences(ada)

    await skip(ada, task)
    closed = (await ada.http.get("/api/tasks?status=cancelled")).json()["items"]
    for one in sorted(closed, key=lambda one: str(one["occurrence"]), reverse=True):
        await act(ada, one, "reopen")

    assert await open_occurrences(ada) == before
    assert await broken(sql) == {}


async def test_nothing_overdue_is_nothing_to_skip(ada: Person, sql: Sql) -> None:
    task = await begin(ada, in_days(1))

    assert await skip(ada, task) == {"skipped": 0, "series": 0, "next_tasks": [], "more": False}
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'series.skip_missed'") == 0


async def test_a_day_is_overdue_when_it_is_over_and_a_moved_occurrence_by_its_new_due(ada: Person) -> None:
    moved = await begin(ada, in_days(-3))
    await act(ada, moved, "move", {"due": {"kind": "day", "date": in_days(2)}})

    assert (await skip(ada, moved))["skipped"] == 0
    assert (await skip(ada, await begin(ada, in_days(0))))["skipped"] == 0


async def test_a_paused_series_brings_up_nothing_instead(ada: Person) -> None:
    task = await begin(ada, in_days(-3))
    await steer(ada, task, "pause", {})

    done = await skip(ada, task)

    assert (done["skipped"], done["next_tasks"]) == (1, [])


async def test_open_work_of_an_ended_series_is_skipped_too(ada: Person) -> None:
    task = await begin(ada, in_days(-3))
    await steer(ada, task, "end", {})

    assert await skip(ada, task) == {"skipped": 1, "series": 1, "next_tasks": [], "more": False}


async def test_all_series_of_a_person_are_cleared_at_once(ada: Person, bob: Person, database: Database) -> None:
    for person in (ada, bob):
        await begin(person, in_days(-3))
        await begin(person, in_days(-9), "FREQ=WEEKLY", on_missed="backfill")
        await begin(person, in_days(3))
    await work(database)

    answer = (await ada.http.post("/api/series/skip-missed")).json()

    assert (answer["series"], answer["skipped"], answer["more"]) == (2, 3, False)
    assert [task["occurrence"] >= in_days(-1) for task in answer["next_tasks"]] == [True] * len(answer["next_tasks"])
    assert in_days(-3) in await open_occurrences(bob)


async def test_a_stale_version_skips_nothing(ada: Person) -> None:
    task = await begin(ada, in_days(-3))
    path = f"/api/series/{task['series_id']}/skip-missed"

    answer = await ada.http.post(path, headers={"if-match": '"9"'})

    assert (answer.status_code, answer.json()["current"]["id"]) == (412, task["series_id"])


async def test_a_repeated_request_skips_once(ada: Person) -> None:
    task = await begin(ada, in_days(-3))
    key: Any = {"idempotency-key": "one"}
    path = f"/api/series/{task['series_id']}/skip-missed"

    first, second = [await ada.http.post(path, headers=key) for _ in range(2)]

    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")
    assert first.json()["skipped"] == 1


async def test_what_was_skipped_is_in_the_audit_log(ada: Person, sql: Sql) -> None:
    await skip(ada, await begin(ada, in_days(-3)))

    actions = [row[0] for row in await sql.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert {"tasks.skip", "tasks.open", "series.skip_missed"} <= set(actions)
