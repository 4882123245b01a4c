"""Changing and deleting this occurrence, this and the following, or all of a series."""

from typing import Any

import pytest
from support.factories import Person
from support.series import (
    Sql,
    act,
    begin,
    changed,
    day,
    everything,
    fields,
    floating,
    open_occurrences,
    patch,
    series_occurrences,
    series_of,
    work,
)

from todo.database import Database


async def following(person: Person, task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await act(person, task, "complete"))["next_task"]
    return found


async def test_this_changes_one_occurrence_only(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    await changed(ada, task, {"title": "Once", "priority": 4}, "this")

    series = await series_of(ada, task)
    assert (series["template"]["title"], series["version"]) == ("Water the plants", 1)
    assert (await following(ada, task))["title"] == "Water the plants"


async def test_all_changes_this_occurrence_and_those_to_come(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    now = await changed(ada, task, {"title": "Always", "estimate_minutes": 5}, "all")

    later = await following(ada, task)
    assert [(one["title"], one["estimate_minutes"]) for one in (now, later)] == [("Always", 5)] * 2


async def test_all_leaves_the_past_as_it_was(ada: Person) -> None:
    first = await begin(ada, "2031-01-01")
    second = await following(ada, first)

    await changed(ada, second, {"title": "Always", "recurrence": {"rrule": "FREQ=WEEKLY"}}, "all")

    assert (await ada.http.get(f"/api/tasks/{first['id']}")).json()["title"] == "Water the plants"
    assert await series_occurrences(ada, first) == [("2031-01-01", "done"), ("2031-01-02", "open")]


async def test_a_rule_is_for_all_unless_said_otherwise(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY", on_missed="backfill")

    await changed(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}})

    series = await series_of(ada, task)
    assert (series["rrule"], series["on_missed"], series["version"]) == ("FREQ=WEEKLY", "backfill", 2)
    assert (await following(ada, task))["occurrence"] == "2031-01-08"


async def test_a_field_of_the_rule_changes_alone(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=MONTHLY;BYMONTHDAY=31", holidays=["2031-05-01"])

    await changed(ada, task, {"recurrence": {"on_invalid_date": "omit"}})

    series = await series_of(ada, task)
    assert (series["rrule"], series["holidays"]) == ("FREQ=MONTHLY;BYMONTHDAY=31", ["2031-05-01"])
    assert series["on_invalid_date"] == "omit"


async def test_a_new_end_replaces_the_old_one(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY;COUNT=5")

    await changed(ada, task, {"recurrence": {"until": "2031-01-02"}})

    series = await series_of(ada, task)
    assert (series["rrule"], series["count"], series["until"]) == ("FREQ=DAILY", None, "2031-01-02")


async def test_an_end_can_be_taken_away(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY;COUNT=1")

    await changed(ada, task, {"recurrence": {"count": None}})

    assert (await following(ada, task))["occurrence"] == "2031-01-02"


async def test_a_new_time_of_day_for_all_moves_every_occurrence_to_come(ada: Person) -> None:
    task = await ada.add(due=floating("2031-01-01T09:00"), recurrence={"rrule": "FREQ=DAILY"})

    now = await changed(ada, task, {"due": floating("2031-01-01T10:30")}, "all")

    assert (now["due"], now["occurrence"]) == (floating("2031-01-01T10:30"), "2031-01-01T09:00")
    assert (await following(ada, task))["due"] == floating("2031-01-02T10:30")


async def test_a_new_time_of_day_forgets_no_31st(ada: Person) -> None:
    task = await ada.add(due=floating("2031-01-31T09:00"), recurrence={"rrule": "FREQ=MONTHLY"})
    february = await following(ada, task)

    await changed(ada, february, {"due": floating("2031-02-28T10:00")}, "all")

    assert (await following(ada, february))["due"] == floating("2031-03-31T10:00")


async def test_a_new_day_for_all_moves_the_start_when_the_rule_takes_its_days_from_it(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=WEEKLY")

    await changed(ada, task, {"due": day("2031-01-03")}, "all")

    assert (await following(ada, task))["due"] == day("2031-01-10")


@pytest.mark.parametrize("scope", ["following", "all"])
async def test_a_new_day_against_a_rule_that_names_days_is_refused(ada: Person, sql: Sql, scope: str) -> None:
    task = await begin(ada, "2031-01-15", "FREQ=MONTHLY;BYMONTHDAY=15")
    before = await everything(sql)

    assert fields(await patch(ada, task, {"due": day("2031-01-20")}, scope)) == ["body.due"]
    assert await everything(sql) == before


async def test_all_may_turn_days_into_times(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    zoned = {"kind": "zoned", "at": "2031-01-01T09:00", "timezone": "America/New_York"}

    await changed(ada, task, {"due": zoned}, "all")

    assert (await following(ada, task))["due"] == zoned | {"at": "2031-01-02T09:00"}
    assert (await series_of(ada, task))["timezone"] == "America/New_York"


async def test_following_begins_a_series_that_knows_its_predecessor(ada: Person) -> None:
    first = await begin(ada, "2031-01-01")
    second = await following(ada, first)

    handed = await changed(ada, second, {"title": "New"}, "following")

    old, new = await series_of(ada, first), await series_of(ada, handed)
    assert (old["status"], new["status"], new["predecessor_id"]) == ("ended", "active", old["id"])
    assert await series_occurrences(ada, first) == [("2031-01-01", "done")]
    assert await series_occurrences(ada, handed) == [("2031-01-02", "open")]
    assert (handed["id"], handed["title"], handed["occurrence"]) == (second["id"], "New", "2031-01-02")


async def test_following_goes_on_where_the_old_series_was(ada: Person) -> None:
    first = await begin(ada, "2031-01-31", "FREQ=MONTHLY", count=4)
    second = await following(ada, first)

    handed = await changed(ada, second, {"title": "New"}, "following")

    third = await following(ada, handed)
    fourth = await following(ada, third)
    assert [one["occurrence"] for one in (third, fourth)] == ["2031-03-31", "2031-04-30"]
    assert await following(ada, fourth) is None


async def test_following_with_a_new_rule_makes_this_occurrence_its_first(ada: Person) -> None:
    first = await begin(ada, "2031-01-06", "FREQ=WEEKLY;BYDAY=MO")
    second = await following(ada, first)

    handed = await changed(ada, second, {"recurrence": {"rrule": "FREQ=WEEKLY;BYDAY=WE"}}, "following")

    assert (handed["occurrence"], handed["due"]) == ("2031-01-15", day("2031-01-15"))
    assert await series_occurrences(ada, handed) == [("2031-01-15", "open")]
    assert (await following(ada, handed))["occurrence"] == "2031-01-22"


async def test_following_in_a_pause_keeps_the_pause(ada: Person, database: Database) -> None:
    first = await begin(ada, "2026-01-05", "FREQ=WEEKLY")
    await ada.http.post(f"/api/series/{first['series_id']}/pause", json={})

    handed = await changed(ada, first, {"recurrence": {"rrule": "FREQ=DAILY"}}, "following")
    await act(ada, handed, "complete")
    await work(database)

    assert (await series_of(ada, handed))["status"] == "paused"
    assert await open_occurrences(ada) == []


async def test_following_with_a_new_monthly_rule_forgets_no_31st(ada: Person) -> None:
    first = await begin(ada, "2031-01-31", "FREQ=MONTHLY")
    february = await following(ada, first)

    handed = await changed(ada, february, {"recurrence": {"rrule": "FREQ=MONTHLY;INTERVAL=2"}}, "following")

    assert [handed["occurrence"], (await following(ada, handed))["occurrence"]] == ["2031-02-28", "2031-04-30"]
    assert (await series_of(ada, handed))["rrule"] == "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=31"


async def test_following_with_a_new_time_changes_nothing_before(ada: Person) -> None:
    first = await ada.add(due=floating("2031-01-31T09:00"), recurrence={"rrule": "FREQ=MONTHLY"})
    february = await following(ada, first)

    handed = await changed(ada, february, {"due": floating("2031-02-28T11:00")}, "following")

    assert handed["occurrence"] == "2031-02-28T11:00"
    assert (await following(ada, handed))["due"] == floating("2031-03-31T11:00")
    assert await series_occurrences(ada, first) == [("2031-01-31T09:00", "done")]


async def test_following_with_a_new_count_counts_from_this_occurrence(ada: Person) -> None:
    first = await begin(ada, "2031-01-01")
    second = await following(ada, first)

    handed = await changed(ada, second, {"recurrence": {"rrule": "FREQ=DAILY;COUNT=2"}}, "following")

    third = await following(ada, handed)
    assert (third["occurrence"], await following(ada, third)) == ("2031-01-03", None)


async def test_following_takes_the_later_open_occurrences_along(ada: Person, database: Database) -> None:
    first = await begin(ada, "2026-01-01", "FREQ=DAILY;UNTIL=20260104", on_missed="backfill")
    await work(database)
    second = (await ada.http.get("/api/tasks?status=open&sort=due_at")).json()["items"][1]

    handed = await changed(ada, second, {"priority": 3}, "following")
    await work(database)

    assert await series_occurrences(ada, first) == [("2026-01-01", "open")]
    assert await series_occurrences(ada, handed) == [(f"2026-01-0{number}", "open") for number in (2, 3, 4)]


async def test_following_a_closed_occurrence_is_a_conflict(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await act(ada, task, "complete")
    before = await everything(sql)

    assert (await patch(ada, task, {"title": "x"}, "following")).status_code == 409
    assert await everything(sql) == before


@pytest.mark.parametrize(
    ("scope", "body", "field"),
    [
        ("this", {"recurrence": {"rrule": "FREQ=DAILY"}}, "query.scope"),
        ("this", {"recurrence": None}, "query.scope"),
        ("all", {"status": "waiting"}, "query.scope"),
        ("following", {"parent_id": None}, "query.scope"),
        ("all", {"due": None}, "body.due"),
        ("following", {"due": None}, "body.due"),
        ("all", {"recurrence": {"rrule": "FREQ=SECONDLY"}}, "body.recurrence.rrule"),
        ("following", {"recurrence": {"rrule": "FREQ=DAILY;BYHOUR=9"}}, "body.recurrence.rrule"),
        ("following", {"recurrence": {"rrule": "FREQ=DAILY", "until": "2030-01-01"}}, "body.recurrence.rrule"),
        ("all", {"recurrence": {"lead_seconds": -1}}, "body.recurrence.lead_seconds"),
        ("all", {"recurrence": {"on_missed": "expire"}}, "body.recurrence.expire_after_seconds"),
        ("all", {"recurrence": {"exceptions": ["2031-01-02T09:00"]}}, "body.recurrence.exceptions"),
        ("all", {"recurrence": {"until": "2031-02-30"}}, "body.recurrence.until"),
        ("some", {"title": "x"}, "query.scope"),
    ],
    ids=str,
)
async def test_nonsense_is_refused_and_changes_nothing(
    ada: Person, sql: Sql, scope: str, body: dict[str, Any], field: str
) -> None:
    task = await begin(ada, "2031-01-01")
    before = await everything(sql)

    assert fields(await patch(ada, task, body, scope)) == [field]
    assert await everything(sql) == before


@pytest.mark.parametrize("scope", ["following", "all"])
@pytest.mark.parametrize("exceptions", [[], ["2999-01-01"]], ids=str)
async def test_a_due_at_the_end_of_the_calendar_is_refused(
    ada: Person, sql: Sql, scope: str, exceptions: list[str]
) -> None:
    task = await begin(ada, "2031-01-01", exceptions=exceptions)
    before = await everything(sql)

    assert fields(await patch(ada, task, {"due": day("9999-12-31")}, scope)) == ["body.due"]
    assert await everything(sql) == before


@pytest.mark.parametrize("scope", ["following", "all"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_plain_task_has_no_wider_scope(ada: Person, method: str, scope: str) -> None:
    task = await ada.add()

    body = {"title": "x"} if method == "PATCH" else None
    answer = await ada.http.request(method, f"/api/tasks/{task['id']}?scope={scope}", json=body)

    assert fields(answer) == ["query.scope"]


async def test_a_plain_task_becomes_a_series(ada: Person) -> None:
    task = await ada.add("Pay", due=day("2031-01-31"), priority=2)

    first = await changed(ada, task, {"recurrence": {"rrule": "FREQ=MONTHLY"}, "notes": "By hand"})

    assert (first["id"], first["occurrence"], first["version"]) == (task["id"], "2031-01-31", 2)
    second = await following(ada, first)
    assert (second["occurrence"], second["notes"], second["priority"]) == ("2031-02-28", "By hand", 2)


async def test_a_task_without_a_due_becomes_a_series_that_begins_today(ada: Person) -> None:
    task = await ada.add()

    first = await changed(ada, task, {"recurrence": {"rrule": "FREQ=DAILY"}})

    assert first["due"] == day(first["occurrence"])


async def test_becoming_a_series_needs_a_rule(ada: Person) -> None:
    task = await ada.add()

    assert fields(await patch(ada, task, {"recurrence": {"count": 3}})) == ["body.recurrence.rrule"]


async def test_null_stops_the_series_and_keeps_this_occurrence(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    kept = await changed(ada, task, {"recurrence": None})

    assert (kept["status"], (await series_of(ada, task))["status"]) == ("open", "ended")
    assert await series_occurrences(ada, task) == [("2031-01-01", "open")]
    assert (await act(ada, task, "complete"))["next_task"] is None


async def test_null_on_a_plain_task_changes_nothing(ada: Person) -> None:
    task = await ada.add()

    assert await changed(ada, task, {"recurrence": None}) == task


async def test_a_series_that_was_stopped_goes_on_when_its_task_gets_a_rule_again(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await changed(ada, task, {"recurrence": None})

    again = await changed(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}})

    assert (await series_of(ada, again))["predecessor_id"] == task["series_id"]
    assert (await following(ada, again))["occurrence"] == "2031-01-08"


async def test_deleting_following_ends_the_series_with_the_open_occurrences_from_there(
    ada: Person, database: Database
) -> None:
    task = await begin(ada, "2026-01-01", "FREQ=DAILY;UNTIL=20260104", on_missed="backfill")
    await work(database)
    second = (await ada.http.get("/api/tasks?status=open&sort=due_at")).json()["items"][1]

    await ada.http.delete(f"/api/tasks/{second['id']}?scope=following")

    assert await open_occurrences(ada) == ["2026-01-01"]
    cancelled = [(f"2026-01-0{number}", "cancelled") for number in (2, 3, 4)]
    assert await series_occurrences(ada, task) == [("2026-01-01", "open"), *cancelled]
    assert (await series_of(ada, task))["status"] == "ended"
    assert len((await ada.http.get("/api/trash")).json()["items"]) == 3


async def test_deleting_all_ends_the_series_and_keeps_the_past(ada: Person) -> None:
    first = await begin(ada, "2031-01-01")
    second = await following(ada, first)

    answer = await ada.http.delete(f"/api/tasks/{second['id']}?scope=all")

    assert answer.status_code == 204
    assert await open_occurrences(ada) == []
    assert await series_occurrences(ada, first) == [("2031-01-01", "done"), ("2031-01-02", "cancelled")]
    assert (await ada.http.get(f"/api/tasks/{first['id']}")).status_code == 200


async def test_an_occurrence_deleted_with_its_series_can_be_restored(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.http.delete(f"/api/tasks/{task['id']}?scope=all")

    await ada.http.post(f"/api/trash/{task['id']}/restore")

    assert await series_occurrences(ada, task) == [("2031-01-01", "open")]
    assert (await series_of(ada, task))["status"] == "ended"
