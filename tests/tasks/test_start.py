"""Tasks with a start and no due repeat by their start, and get no due."""

from datetime import UTC, datetime, timedelta

import pytest
from support.factories import Person
from support.invariants import broken
from support.series import (
    Json,
    Sql,
    act,
    changed,
    day,
    everything,
    fields,
    floating,
    open_occurrences,
    patch,
    series_occurrences,
    series_of,
    steer,
    work,
)

from todo.database import Database

MONTHLY = {"rrule": "FREQ=MONTHLY"}


async def begin_by_start(person: Person, start: Json, recurrence: Json | None = None, **fields: object) -> Json:
    return await person.add(start=start, recurrence=recurrence or MONTHLY, **fields)


def dates(task: Json) -> tuple[object, object, object]:
    return task["start"], task["due"], task["due_at"]


@pytest.mark.parametrize(
    ("first", "second"),
    [(day("2031-01-31"), day("2031-02-28")),
     (floating("2031-01-31T09:00"), floating("2031-02-28T09:00")),
     ({"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "Asia/Tokyo"},
      {"kind": "zoned", "at": "2031-02-28T09:00", "timezone": "Asia/Tokyo"})],
    ids=["day", "floating", "zoned"],
)  # fmt: skip
async def test_the_next_one_starts_when_the_rule_says_and_has_no_due(
    ada: Person, sql: Sql, first: Json, second: Json
) -> None:
    task = await begin_by_start(ada, first)

    following = (await act(ada, task, "complete"))["next_task"]

    assert (dates(task), dates(following)) == ((first, None, None), (second, None, None))
    assert (following["occurrence"], (await series_of(ada, task))["repeats_by"]) == (
        (second.get("date") or second["at"]), "start",
    )  # fmt: skip
    assert await broken(sql) == {}


async def test_a_task_becomes_a_series_by_its_start(ada: Person) -> None:
    task = await ada.add(start=day("2031-01-31"))

    begun = await changed(ada, task, {"recurrence": MONTHLY})

    assert (dates(begun), begun["occurrence"]) == ((day("2031-01-31"), None, None), "2031-01-31")


async def test_with_a_due_or_without_both_dates_a_series_goes_by_the_due(ada: Person) -> None:
    both = await ada.add(start=day("2031-01-30"), due=day("2031-01-31"), recurrence=MONTHLY)
    neither = await ada.add(recurrence=MONTHLY)

    assert [(await series_of(ada, task))["repeats_by"] for task in (both, neither)] == ["due", "due"]
    assert neither["due"] is not None


async def test_the_deadline_keeps_its_distance_to_the_start(ada: Person) -> None:
    task = await begin_by_start(ada, day("2031-01-31"), deadline="2031-02-03")

    following = (await act(ada, task, "complete"))["next_task"]

    assert (following["start"], following["deadline"]) == (day("2031-02-28"), "2031-03-03")
    assert (await series_of(ada, task))["template"]["start_offset"] is None


async def test_the_worker_opens_and_misses_by_the_start(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin_by_start(
        ada, day("2026-01-01"), {"rrule": "FREQ=DAILY;UNTIL=20260103", "on_missed": "skip_to_next"}
    )

    await work(database)

    last = (await ada.http.get("/api/tasks?status=open")).json()["items"][0]
    assert dates(last) == (day("2026-01-03"), None, None)
    assert [status for _, status in await series_occurrences(ada, task)] == ["missed", "missed", "open"]
    assert await broken(sql) == {}


async def test_what_comes_is_shown_by_its_start(ada: Person) -> None:
    now = datetime.now(UTC)
    first = (now + timedelta(days=1)).date()
    await begin_by_start(ada, day(str(first)), {"rrule": "FREQ=DAILY;COUNT=3"})
    until = f"{now + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"

    coming = (await ada.http.get(f"/api/tasks?include=upcoming&until={until}")).json()["upcoming"]

    assert [dates(one) for one in coming] == [(day(str(first + timedelta(days=n))), None, None) for n in (1, 2)]


async def test_completing_and_reopening_is_nothing(ada: Person, sql: Sql) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))
    before = await everything(sql)

    await act(ada, task, "complete")
    await act(ada, task, "reopen")

    assert await everything(sql) == before


async def test_one_occurrence_is_moved_by_its_start(ada: Person) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))

    moved = await changed(ada, task, {"start": day("2031-02-02")}, "this")

    assert (moved["start"], moved["occurrence"]) == (day("2031-02-02"), "2031-01-31")
    assert await series_occurrences(ada, task) == [("2031-01-31", "moved")]
    assert (await act(ada, task, "complete"))["next_task"]["start"] == day("2031-02-28")


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_another_time_of_day_is_that_of_all_to_come(ada: Person, sql: Sql, scope: str) -> None:
    task = await begin_by_start(ada, floating("2031-01-31T09:00"))

    earlier = await changed(ada, task, {"start": floating("2031-01-31T07:30")}, scope)

    following = (await act(ada, earlier, "complete"))["next_task"]
    assert (dates(earlier), dates(following)) == (
        (floating("2031-01-31T07:30"), None, None), (floating("2031-02-28T07:30"), None, None),
    )  # fmt: skip
    assert await broken(sql) == {}


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_another_title_leaves_the_dates_of_all(ada: Person, scope: str) -> None:
    task = await begin_by_start(ada, day("2031-01-31"), deadline="2031-02-03")

    renamed = await changed(ada, task, {"title": "Prune the roses", "due": None}, scope)

    following = (await act(ada, renamed, "complete"))["next_task"]
    assert (dates(renamed), renamed["deadline"]) == ((day("2031-01-31"), None, None), "2031-02-03")
    assert (dates(following), following["title"]) == ((day("2031-02-28"), None, None), "Prune the roses")


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_a_new_rule_counts_from_the_start(ada: Person, scope: str) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))

    weekly = await changed(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}}, scope)

    assert (await act(ada, weekly, "complete"))["next_task"]["start"] == day("2031-02-07")


async def test_a_due_of_one_occurrence_is_its_own(ada: Person) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))

    given = await changed(ada, task, {"due": day("2031-02-10")}, "this")

    assert (given["due"], await series_occurrences(ada, task)) == (day("2031-02-10"), [("2031-01-31", "open")])
    assert (await act(ada, given, "complete"))["next_task"]["due"] is None


@pytest.mark.parametrize(
    ("body", "scope", "field"),
    [({"start": None}, "this", "body.start"), ({"start": None}, "all", "body.start"),
     ({"start": None}, "following", "body.start"), ({"due": day("2031-02-01")}, "all", "body.due"),
     ({"due": day("2031-02-01")}, "following", "body.due")],
    ids=str,
)  # fmt: skip
async def test_a_series_keeps_the_date_it_repeats_by(ada: Person, sql: Sql, body: Json, scope: str, field: str) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))
    before = await everything(sql)

    assert fields(await patch(ada, task, body, scope)) == [field]
    assert await everything(sql) == before


async def test_a_due_cannot_move_what_repeats_by_its_start(ada: Person) -> None:
    task = await begin_by_start(ada, day("2031-01-31"))

    answer = await ada.http.post(f"/api/tasks/{task['id']}/move", json={"due": day("2031-02-02")})

    assert fields(answer) == ["body.due"]


async def test_what_started_before_today_is_skipped_as_missed(ada: Person, database: Database) -> None:
    task = await begin_by_start(ada, day("2026-01-01"), {"rrule": "FREQ=DAILY"})

    answers = [(await steer(ada, task, "skip-missed")).json(), (await ada.http.post("/api/series/skip-missed")).json()]
    await work(database)

    assert [answer["skipped"] for answer in answers] == [1, 0]
    assert all(occurrence > "2026-11-01" for occurrence in await open_occurrences(ada))


async def test_a_reminder_goes_by_the_start_of_each(ada: Person, sql: Sql) -> None:
    task = await begin_by_start(ada, floating("2031-01-31T09:00"))
    timing = {"kind": "relative", "to": "start", "minutes": -30}
    await ada.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": timing})

    following = (await act(ada, task, "complete"))["next_task"]

    reminders = (await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"]
    assert [reminder["timing"]["to"] for reminder in reminders] == ["start"]
    assert await broken(sql) == {}
