"""Tasks that come back when they are completed: the right occurrence, once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from conftest import settings_for
from support.factories import Person

from todo.database import Database

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
BERLIN = ZoneInfo("Europe/Berlin")
OCCURRENCES = "SELECT original_start::date::text, status FROM occurrences ORDER BY original_start"


def day(date: str) -> dict[str, str]:
    return {"kind": "day", "date": date}


async def complete(person: Person, task: dict[str, Any]) -> httpx.Response:
    return await person.http.post(f"/api/tasks/{task['id']}/complete")


async def successor(person: Person, task: dict[str, Any]) -> dict[str, Any]:
    answer = await complete(person, task)
    assert answer.status_code == 200, answer.text
    following: dict[str, Any] = answer.json()["next_task"]
    return following


async def test_a_task_that_comes_back_is_the_first_occurrence_of_its_series(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("2031-01-31"), recurrence={"rrule": "freq=monthly; bymonthday=31".replace(" ", "")})

    series = await sql.fetchrow("SELECT * FROM series")
    assert (task["occurrence"], task["due"]) == ("2031-01-31", day("2031-01-31"))
    assert task["series_id"] == str(series["id"])
    assert (series["rrule"], series["owner_id"]) == ("FREQ=MONTHLY;BYMONTHDAY=31", ada.id)
    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-31", "open")]


async def test_the_first_occurrence_is_the_first_the_rule_gives(ada: Person) -> None:
    task = await ada.add(due=day("2031-01-10"), recurrence={"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"})

    assert (task["occurrence"], task["due"]) == ("2031-01-31", day("2031-01-31"))


async def test_a_first_due_that_the_rule_moves_is_warned_of(ada: Person) -> None:
    moved = "{} is not an occurrence: the first is Tuesday, 1 December 2026."
    rule = {"rrule": "FREQ=WEEKLY;BYDAY=TU"}

    added = await ada.add(due=day("2026-11-28"), recurrence=rule)
    plain = await ada.add(due=day("2026-11-29"))
    begun = await ada.http.patch(f"/api/tasks/{plain['id']}", json={"recurrence": rule})
    renamed = await ada.http.patch(f"/api/tasks/{plain['id']}?scope=all", json={"title": "Water the plants"})

    assert (added["due"], added["warnings"]) == (day("2026-12-01"), [moved.format("Saturday, 28 November 2026")])
    assert begun.json()["warnings"] == [moved.format("Sunday, 29 November 2026")]
    assert not any("warnings" in answer for answer in (plain, renamed.json()))


async def test_a_rule_with_several_times_a_day_comes_back_at_each(ada: Person) -> None:
    rule = {"rrule": "FREQ=DAILY;BYHOUR=9,21;COUNT=3"}
    first = await ada.add(due={"kind": "floating", "at": "2031-05-01T09:00"}, recurrence=rule)

    second = await successor(ada, first)
    third = await successor(ada, second)

    assert [task["occurrence"] for task in (second, third)] == ["2031-05-01T21:00", "2031-05-02T09:00"]
    assert await successor(ada, third) is None


@pytest.mark.parametrize("scope", ["following", "all"])
async def test_a_time_that_the_rule_names_is_not_moved_for_all(ada: Person, scope: str) -> None:
    due = {"kind": "floating", "at": "2031-05-01T09:00"}
    task = await ada.add(due=due, recurrence={"rrule": "FREQ=DAILY;BYHOUR=9,21"})
    body = {"due": due | {"at": "2031-05-01T10:00"}}

    refused = await ada.http.patch(f"/api/tasks/{task['id']}?scope={scope}", json=body)
    moved = await ada.http.patch(f"/api/tasks/{task['id']}?scope=this", json=body)

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.due")
    assert (moved.status_code, moved.json()["occurrence"]) == (200, "2031-05-01T09:00")


async def test_a_rule_that_never_happens_is_refused_with_the_years_searched(ada: Person) -> None:
    body = {"title": "x", "due": day("2026-11-23"), "recurrence": {"rrule": "FREQ=DAILY;INTERVAL=7;BYDAY=TU"}}

    answer = await ada.http.post("/api/tasks", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.recurrence.rrule")
    assert "never happens within 100 years" in answer.text


async def test_without_a_due_a_series_begins_today(ada: Person) -> None:
    before = datetime.now(BERLIN).date()

    task = await ada.add(recurrence={"rrule": "FREQ=DAILY"})

    assert task["due"] in ({"kind": "day", "date": str(today)} for today in (before, datetime.now(BERLIN).date()))


@pytest.mark.parametrize(
    ("due", "occurrence", "following"),
    [
        (day("2031-01-31"), "2031-01-31", {"due": day("2031-02-01"), "due_at": "2031-01-31T23:00:00Z"}),
        (
            {"kind": "floating", "at": "2031-01-31T09:00"},
            "2031-01-31T09:00",
            {"due": {"kind": "floating", "at": "2031-02-01T09:00"}, "due_at": "2031-02-01T08:00:00Z"},
        ),
        (
            {"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "America/New_York"},
            "2031-01-31T09:00",
            {
                "due": {"kind": "zoned", "at": "2031-02-01T09:00", "timezone": "America/New_York"},
                "due_at": "2031-02-01T14:00:00Z",
            },
        ),
    ],
)
async def test_the_next_occurrence_is_of_the_same_kind(
    ada: Person, due: dict[str, str], occurrence: str, following: dict[str, Any]
) -> None:
    task = await ada.add(due=due, recurrence={"rrule": "FREQ=DAILY"})

    found = await successor(ada, task)

    assert task["occurrence"] == occurrence
    assert found.items() >= following.items()


async def test_the_next_occurrence_begins_like_the_first(ada: Person) -> None:
    task = await ada.add(
        "Water", notes="all", priority=2, estimate_minutes=5, status="waiting",
        due=day("2031-01-31"), recurrence={"rrule": "FREQ=DAILY"},
    )  # fmt: skip
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Water twice", "priority": 4})

    found = await successor(ada, task)

    expected = {"title": "Water", "notes": "all", "priority": 2, "estimate_minutes": 5, "status": "open", "version": 1}
    assert found.items() >= expected.items()
    assert found["series_id"] == task["series_id"]
    assert (await ada.http.get(f"/api/tasks/{found['id']}")).json() == found


async def test_the_31st_is_remembered_through_short_months(ada: Person) -> None:
    task = await ada.add(due=day("2031-01-31"), recurrence={"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"})

    occurrences = [task]
    for _ in range(4):
        occurrences.append(await successor(ada, occurrences[-1]))

    assert [occurrence["occurrence"] for occurrence in occurrences] == [
        "2031-01-31",
        "2031-02-28",
        "2031-03-31",
        "2031-04-30",
        "2031-05-31",
    ]


@pytest.mark.parametrize(
    ("choice", "second"), [("backward", "2031-02-28"), ("forward", "2031-03-01"), ("omit", "2031-03-31")]
)
async def test_a_day_that_a_month_has_not_goes_where_the_series_says(ada: Person, choice: str, second: str) -> None:
    recurrence = {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "on_invalid_date": choice}
    task = await ada.add(due=day("2031-01-31"), recurrence=recurrence)

    assert (await successor(ada, task))["occurrence"] == second


async def test_a_time_the_clocks_leave_out_comes_back_the_day_after(ada: Person) -> None:
    due = {"kind": "zoned", "at": "2031-03-29T02:30", "timezone": "Europe/Berlin"}
    task = await ada.add(due=due, recurrence={"rrule": "FREQ=DAILY"})

    gap = await successor(ada, task)
    after = await successor(ada, gap)

    assert (gap["occurrence"], gap["due_at"]) == ("2031-03-30T02:30", "2031-03-30T01:30:00Z")
    assert (after["occurrence"], after["due_at"]) == ("2031-03-31T02:30", "2031-03-31T00:30:00Z")


@pytest.mark.parametrize("rrule", ["FREQ=DAILY;COUNT=2", "FREQ=DAILY;UNTIL=20310102"])
async def test_the_last_occurrence_ends_the_series(ada: Person, sql: Sql, rrule: str) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": rrule})
    last = await successor(ada, task)

    answer = await complete(ada, last)

    assert answer.json()["next_task"] is None
    assert await sql.fetchval("SELECT status FROM series") == "ended"
    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "done"), ("2031-01-02", "done")]


async def test_from_completion_the_next_is_a_whole_interval_later(ada: Person) -> None:
    recurrence = {"rrule": "FREQ=DAILY;INTERVAL=3", "anchor": "completion"}
    task = await ada.add(due=day("2020-01-01"), recurrence=recurrence)
    before = datetime.now(BERLIN).date()

    found = await successor(ada, task)

    days = {str(today + timedelta(days=3)) for today in (before, datetime.now(BERLIN).date())}
    assert found["occurrence"] in days


async def test_completing_late_leads_to_today(ada: Person) -> None:
    task = await ada.add(due=day("2020-01-01"), recurrence={"rrule": "FREQ=DAILY"})
    before = datetime.now(BERLIN).date()

    found = await successor(ada, task)

    assert found["occurrence"] in {str(today) for today in (before, datetime.now(BERLIN).date())}


async def test_moving_the_due_moves_neither_identity_nor_rule(ada: Person) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=WEEKLY"})

    moved = await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": day("2031-01-05")})

    assert moved.json()["occurrence"] == "2031-01-01"
    assert (await successor(ada, task))["occurrence"] == "2031-01-08"


async def test_of_twenty_completions_at_once_one_succeeds_and_one_occurrence_follows(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})

    answers = await asyncio.gather(*(complete(ada, task) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 2
    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "done"), ("2031-01-02", "open")]


async def test_completed_reopened_and_completed_again_one_occurrence_follows(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})
    await complete(ada, task)
    await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    again = await complete(ada, task)

    assert (again.status_code, again.json()["next_task"]["occurrence"]) == (200, "2031-01-02")
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 2


async def test_a_completion_that_cannot_be_saved_brings_up_nothing(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})

    answer = await ada.http.post(f"/api/tasks/{task['id']}/complete", headers={"if-match": '"7"'})

    assert answer.status_code == 412
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "open")]


@pytest.mark.parametrize(
    ("due", "rrule"),
    [
        ("2031-01-01", ""),
        ("2031-01-01", "FREQ=HOURLY"),
        ("2031-01-01", "FREQ=SECONDLY"),
        ("2031-01-01", "FREQ=DAILY;FREQ=WEEKLY"),
        ("2031-01-01", "FREQ=DAILY;INTERVAL=0"),
        ("2031-01-01", "FREQ=DAILY;INTERVAL=1000"),
        ("2031-01-01", "FREQ=DAILY;COUNT=10001"),
        ("2031-01-01", "FREQ=DAILY;UNTIL=20300101"),
        ("2031-01-01", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        ("2031-01-01", "FREQ=DAILY;BYHOUR=9"),
        ("2031-01-01", "FREQ=DAILY\x00"),
        ("2031-01-01", "FREQ=DAILY;" + "X" * 300),
        ("2031-01-01", "RDATE:20310101"),
    ],
)
async def test_a_rule_we_do_not_run_is_refused_and_nothing_stored(ada: Person, sql: Sql, due: str, rrule: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a", "due": day(due), "recurrence": {"rrule": rrule}})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.recurrence.rrule"]
    assert await sql.fetchval("SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM series)") == 0


async def test_a_deleted_occurrence_is_skipped_and_the_series_goes_on(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})

    await ada.http.delete(f"/api/tasks/{task['id']}")

    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "skipped"), ("2031-01-02", "open")]


@pytest.mark.parametrize(
    ("close", "open_again", "closed"),
    [("complete", "tasks/{}/reopen", "done"), ("delete", "trash/{}/restore", "skipped")],
)
async def test_an_occurrence_that_is_opened_again_is_open(
    ada: Person, sql: Sql, close: str, open_again: str, closed: str
) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})
    at = f"/api/tasks/{task['id']}"
    await (complete(ada, task) if close == "complete" else ada.http.delete(at))
    between = await sql.fetchval("SELECT status FROM occurrences ORDER BY original_start LIMIT 1")

    await ada.http.post("/api/" + open_again.format(task["id"]))

    assert between == closed
    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "open")]


async def test_deleting_a_finished_occurrence_skips_nothing(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("2031-01-01"), recurrence={"rrule": "FREQ=DAILY"})
    await complete(ada, task)

    await ada.http.delete(f"/api/tasks/{task['id']}")

    assert [tuple(row) for row in await sql.fetch(OCCURRENCES)] == [("2031-01-01", "done"), ("2031-01-02", "open")]


async def test_what_comes_back_by_the_hour_goes_on_when_new_ones_may_not(
    ada: Person, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly = {"due": {"kind": "zoned", "at": "2031-10-26T01:30", "timezone": "Europe/Berlin"},
              "recurrence": {"rrule": "FREQ=HOURLY", "on_missed": "backfill"}}  # fmt: skip
    refused = await ada.http.post("/api/tasks", json={"title": "Look at the oven", **hourly})
    with monkeypatch.context() as patched:
        patched.setattr(database, "settings", settings_for(database_url, hourly_rules=True))
        task = await ada.add("Look at the oven", **hourly)

    second = await successor(ada, task)
    answer = await ada.http.patch(f"/api/tasks/{second['id']}?scope=all", json={"title": "Look again"})
    third = await successor(ada, second)

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.recurrence.rrule")
    assert answer.status_code == 200
    assert [occurrence["due_at"] for occurrence in (second, third)] == ["2031-10-26T00:30:00Z", "2031-10-26T01:30:00Z"]
    assert (third["title"], third["occurrence"]) == ("Look again", "2031-10-26T02:30:00.000001")
    again = await ada.http.patch(f"/api/tasks/{third['id']}", json={"due": third["due"]})
    assert (again.status_code, again.json()["due_at"]) == (200, third["due_at"])
