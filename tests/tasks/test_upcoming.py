"""`GET /api/tasks?include=upcoming`: occurrences that are not there yet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.factories import Person
from support.series import Sql, act, begin, day, fields, steer


def ahead(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def on(days: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days=days))


async def upcoming(person: Person, days: int) -> dict[str, Any]:
    answer = await person.http.get(f"/api/tasks?include=upcoming&until={ahead(days)}")
    assert answer.status_code == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def test_the_occurrences_to_come_of_all_series_the_soonest_first(ada: Person, sql: Sql) -> None:
    weekly = await begin(ada, on(1), "FREQ=WEEKLY")
    other = await ada.add("Other", due=day(on(3)), recurrence={"rrule": "FREQ=WEEKLY"})

    found = await upcoming(ada, 20)

    expected = [(weekly, 8), (other, 10), (weekly, 15), (other, 17)]
    assert [(occurrence["series_id"], occurrence["occurrence"]) for occurrence in found["upcoming"]] == [
        (task["series_id"], on(days)) for task, days in expected
    ]
    assert found["upcoming"][1]["due"] == day(on(10))
    assert found["upcoming"][1]["title"] == "Other"
    assert (found["upcoming_cut_off"], len(found["items"])) == (False, 2)
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 2


async def test_only_when_asked_for(ada: Person) -> None:
    await begin(ada, on(1))

    assert (await ada.http.get("/api/tasks")).json().keys() == {"items", "next_cursor"}


async def test_what_moved_an_occurrence_is_answered(ada: Person) -> None:
    await begin(ada, "2026-01-31", "FREQ=MONTHLY;BYMONTHDAY=31")

    found = await upcoming(ada, 365)

    assert "February has no 31st: the 28th" in {occurrence["note"] for occurrence in found["upcoming"]}


async def test_more_than_five_hundred_are_cut_off_and_it_is_said(ada: Person) -> None:
    for _ in range(2):
        await begin(ada, on(1))

    found = await upcoming(ada, 366)

    assert (len(found["upcoming"]), found["upcoming_cut_off"]) == (500, True)


@pytest.mark.parametrize("verb", ["pause", "end"])
async def test_what_rests_or_has_ended_brings_nothing(ada: Person, verb: str) -> None:
    task = await begin(ada, on(1))
    await steer(ada, task, verb, {})

    assert (await upcoming(ada, 30))["upcoming"] == []


async def test_counted_from_completion_nothing_is_known_before(ada: Person) -> None:
    task = await begin(ada, on(1), anchor="completion")
    before = (await upcoming(ada, 30))["upcoming"]
    await act(ada, task, "complete")

    assert (before, (await upcoming(ada, 30))["upcoming"]) == ([], [])


async def test_a_series_that_cannot_be_read_hides_no_other(ada: Person, sql: Sql) -> None:
    broken = await begin(ada, on(1))
    await begin(ada, on(1), "FREQ=WEEKLY")
    await sql.execute("UPDATE series SET rrule = 'nonsense' WHERE id = $1", broken["series_id"])

    assert len((await upcoming(ada, 9))["upcoming"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "until=2026-12-31T00:00:00Z", "include=series&until=2026-12-31T00:00:00Z",
        "include=upcoming&until=2999-12-31T00:00:00Z",
        "include=upcoming&until=2031-01-01", "include=upcoming&until=soon",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(ada: Person, query: str) -> None:
    assert fields(await ada.http.get(f"/api/tasks?{query}")) == ["query.until"]


async def test_without_until_it_is_thirty_days(ada: Person) -> None:
    await begin(ada, on(1))

    found = (await ada.http.get("/api/tasks?include=upcoming")).json()["upcoming"]

    assert found[0]["occurrence"] == on(2)
    assert ahead(28) < found[-1]["due_at"] <= ahead(30)


async def test_the_past_has_nothing_to_come(ada: Person) -> None:
    await begin(ada, on(1))

    assert (await upcoming(ada, -5))["upcoming"] == []


@pytest.mark.parametrize(
    ("recurrence", "is_blocked"),
    [
        ({}, True), ({"opens": "on_time"}, True), ({"on_missed": "backfill", "max_open": 1}, True),
        ({"on_missed": "backfill"}, False), ({"on_missed": "skip_to_next"}, False),
        ({"on_missed": "expire", "expire_after_seconds": 9_999_999}, False),
    ],
    ids=str,
)  # fmt: skip
async def test_what_an_overdue_task_keeps_from_opening_names_it(
    ada: Person, recurrence: dict[str, Any], is_blocked: bool
) -> None:
    task = await begin(ada, on(-2), **recurrence)

    found = await upcoming(ada, 2)

    assert {occurrence["blocked_by"] for occurrence in found["upcoming"]} == {task["id"] if is_blocked else None}


async def test_nothing_is_blocked_before_the_open_one_is_late(ada: Person) -> None:
    task = await begin(ada, on(1))
    late = await begin(ada, on(-2))
    await act(ada, late, "move", {"due": day(on(1))})

    found = (await upcoming(ada, 5))["upcoming"]

    assert {occurrence["series_id"] for occurrence in found} == {task["series_id"], late["series_id"]}
    assert {occurrence["blocked_by"] for occurrence in found} == {None}
