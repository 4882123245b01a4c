"""`/api/series`: seeing a series and its occurrences; changing, pausing, resuming and ending it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.factories import Person
from support.series import (
    Sql,
    act,
    begin,
    day,
    everything,
    fields,
    open_occurrences,
    series_occurrences,
    series_of,
    steer,
    work,
)

from todo.database import Database

FULL: dict[str, Any] = {
    "rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "anchor": "schedule", "on_invalid_date": "forward", "on_missed": "expire",
    "expire_after_seconds": 86_400, "opens": "on_close", "lead_seconds": 3_600, "until": "2032-12-31", "count": None,
    "holidays": ["2031-12-25", "2031-12-26"], "shift": "next",
    "pauses": [{"from": "2031-07-01", "until": "2031-07-31"}], "exceptions": ["2031-05-31"], "max_open": 7,
}  # fmt: skip


def today() -> str:
    return str(datetime.now(UTC).date())


async def test_every_field_of_a_series_is_taken_and_message(ada: Person) -> None:
    task = await begin(ada, "2031-01-31", **FULL)

    series = await series_of(ada, task)

    assert {name: series[name] for name in FULL} == FULL
    assert (series["start"], series["timezone"], series["occurrence_count"]) == ("2031-01-31", None, 1)
    assert series["sentence"] == (
        "Every month on the 31st, until 31 December 2032; in shorter months the 1st of the next month;"
        " on a holiday or weekend due the working day after"
    )
    assert (series["last_occurrence"], series["next_occurrence"]) == ("2031-01-31", "2031-03-01")
    assert series["template"] == {
        "title": "Water the plants", "notes": "", "priority": 0, "estimate_minutes": None, "labels": [],
        "assignee_ids": [],
        "start_offset": None, "deadline_offset_days": None,
    }  # fmt: skip


async def test_a_shifted_occurrence_keeps_its_original_day(ada: Person) -> None:
    task = await begin(ada, "2031-02-01", "FREQ=MONTHLY", shift="next")  # a Saturday

    assert (task["occurrence"], task["due"]) == ("2031-02-01", day("2031-02-03"))


async def test_series_are_listed_by_status_and_paged(ada: Person) -> None:
    tasks = [await begin(ada, "2031-01-01") for _ in range(3)]
    await steer(ada, tasks[0], "pause", {})

    first = (await ada.http.get("/api/series?status=active&limit=1&count=true")).json()
    second = (await ada.http.get(f"/api/series?status=active&limit=1&cursor={first['next_cursor']}")).json()

    found = [series["id"] for page in (first, second) for series in page["items"]]
    assert found == [tasks[2]["series_id"], tasks[1]["series_id"]]
    assert (first["total"], second["next_cursor"]) == (2, None)


async def test_a_series_has_its_etag(ada: Person) -> None:
    path = f"/api/series/{(await begin(ada, '2031-01-01'))['series_id']}"
    etag = (await ada.http.get(path)).headers["etag"]

    assert (await ada.http.get(path, headers={"if-none-match": etag})).status_code == 304


@pytest.mark.parametrize("verb", ["", "/pause", "/resume", "/end"])
async def test_a_stale_version_changes_nothing_and_says_the_row(ada: Person, sql: Sql, verb: str) -> None:
    task = await begin(ada, "2031-01-01")
    before = await everything(sql)
    method = "POST" if verb else "PATCH"

    answer = await ada.http.request(
        method, f"/api/series/{task['series_id']}{verb}", json={}, headers={"if-match": '"9"'}
    )

    assert (answer.status_code, answer.json()["current"]["id"]) == (412, task["series_id"])
    assert await everything(sql) == before


async def test_rule_and_template_are_changed_for_what_comes(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    answer = await ada.http.patch(
        f"/api/series/{task['series_id']}", json={"rrule": "FREQ=WEEKLY", "title": "New", "priority": 1}
    )

    assert (answer.status_code, answer.json()["next_occurrence"], answer.json()["version"]) == (200, "2031-01-08", 2)
    following = (await act(ada, task, "complete"))["next_task"]
    assert (following["occurrence"], following["title"], following["priority"]) == ("2031-01-08", "New", 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rrule": "FREQ=SECONDLY"}, "body.rrule"), ({"rrule": None}, "body.rrule"), ({"title": ""}, "body.title"),
        ({"count": 0}, "body.count"), ({"count": 2, "until": "2031-01-01"}, "body.count"),
        ({"until": "2031-02-30"}, "body.until"), ({"start": "2031-01-01"}, "body.start"),
        ({"max_open": 0}, "body.max_open"), ({"shift": "up"}, "body.shift"), ({"holidays": None}, "body.holidays"),
        ({"on_missed": "expire"}, "body.expire_after_seconds"), ({"lead_seconds": 31_622_401}, "body.lead_seconds"),
    ],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_name(ada: Person, sql: Sql, body: dict[str, Any], field: str) -> None:
    task = await begin(ada, "2031-01-01")
    before = await everything(sql)

    assert fields(await ada.http.patch(f"/api/series/{task['series_id']}", json=body)) == [field]
    assert await everything(sql) == before


async def test_occurrences_are_paged_and_filtered(ada: Person, database: Database) -> None:
    task = await begin(ada, "2026-01-01", "FREQ=DAILY;UNTIL=20260105")
    await work(database)
    path = f"/api/series/{task['series_id']}/occurrences"

    first = (await ada.http.get(f"{path}?limit=3&count=true")).json()
    second = (await ada.http.get(f"{path}?limit=3&cursor={first['next_cursor']}")).json()
    missed = (await ada.http.get(f"{path}?status=missed")).json()

    sent = [entry["occurrence"] for page in (first, second) for entry in page["items"]]
    assert sent == [f"2026-01-0{number}" for number in (5, 4, 3, 2, 1)]
    assert (first["total"], len(missed["items"])) == (5, 4)
    assert second["items"][-1]["task_id"] == task["id"]


async def test_no_entry_of_that_kind_is_an_empty_page(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    answer = await ada.http.get(f"/api/series/{task['series_id']}/occurrences?status=missed")

    assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_a_window_is_ended_early(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await steer(ada, task, "pause", {"until": "2031-06-01"})

    resumed = await steer(ada, task, "resume")

    assert (resumed.status_code, resumed.json()["pauses"]) == (200, [])


async def test_a_window_still_to_come_is_no_pause_to_resume_from(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await steer(ada, task, "pause", {"from": "2031-05-01", "until": "2031-06-01"})

    assert (await steer(ada, task, "resume")).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": "2031-01-01"}, "body.until"), ({"until": "2020-01-01"}, "body.until"),
        ({"from": "2031-02-01", "until": "2031-01-01"}, "body.pauses"), ({"until": "soon"}, "body.until"),
        ({"begin": "2031-01-01"}, "body.begin"), ({"until": "9999-12-31"}, "body.pauses"),
        ({"from": "0001-01-01", "until": "2031-01-01"}, "body.pauses"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_pause_that_cannot_be_is_refused(ada: Person, body: dict[str, Any], field: str) -> None:
    task = await begin(ada, "2031-01-01")

    assert fields(await steer(ada, task, "pause", body)) == [field]


async def test_pausing_twice_and_resuming_what_runs_are_conflicts(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    running = await steer(ada, task, "resume")
    await steer(ada, task, "pause", {})
    again = await steer(ada, task, "pause", {})

    assert (running.status_code, again.status_code) == (409, 409)


async def test_an_end_keeps_the_open_occurrence(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    ended = await steer(ada, task, "end", {})

    assert (ended.json()["status"], ended.json()["next_occurrence"]) == ("ended", None)
    assert await open_occurrences(ada) == ["2031-01-01"]
    assert (await act(ada, task, "complete"))["next_task"] is None


async def test_an_end_takes_the_open_occurrence_along_when_asked(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    await steer(ada, task, "end", {"open": "cancel"})

    assert await open_occurrences(ada) == []
    assert await series_occurrences(ada, task) == [("2031-01-01", "cancelled")]
    assert [one["id"] for one in (await ada.http.get("/api/trash")).json()["items"]] == [task["id"]]


@pytest.mark.parametrize("verb", ["pause", "resume", "end"])
async def test_what_has_ended_has_ended(ada: Person, sql: Sql, verb: str) -> None:
    task = await begin(ada, "2031-01-01")
    await steer(ada, task, "end", {})
    before = await everything(sql)

    assert (await steer(ada, task, verb, {})).status_code == 409
    assert (await ada.http.patch(f"/api/series/{task['series_id']}", json={"title": "x"})).status_code == 409
    assert await everything(sql) == before


async def test_a_rule_that_cannot_be_read_any_more_is_shown_all_the_same(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await sql.execute("UPDATE series SET rrule = 'nonsense'")

    assert (await series_of(ada, task))["sentence"].startswith("A rule is a list of NAME=VALUE")
    assert (await ada.http.get("/api/series")).status_code == 200


async def test_every_change_leaves_its_trace(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.http.patch(f"/api/series/{task['series_id']}", json={"rrule": "FREQ=WEEKLY"})
    for verb in ("pause", "resume", "end"):
        await steer(ada, task, verb, {})

    events = await sql.fetch("SELECT action, actor_id FROM audit_events WHERE subject = 'series' ORDER BY id")

    assert [row["action"] for row in events] == [
        "series.begin", "series.change", "series.pause", "series.resume", "series.end",
    ]  # fmt: skip
    assert {row["actor_id"] for row in events} == {ada.id}
