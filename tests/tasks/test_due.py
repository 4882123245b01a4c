"""The three kinds of due, and the instant each means."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person, World
from support.series import Sql

from todo.access import worker_origin
from todo.database import Database
from todo.domain.tasks.series.services.timezones import follow_pending
from todo.domain.tasks.services.dashboard import in_work


def day(date: str) -> dict[str, str]:
    return {"kind": "day", "date": date}


def floating(at: str) -> dict[str, str]:
    return {"kind": "floating", "at": at}


def zoned(at: str, timezone: str) -> dict[str, str]:
    return {"kind": "zoned", "at": at, "timezone": timezone}


@pytest.mark.parametrize(
    ("due", "instant"),
    [
        (day("2026-07-01"), "2026-06-30T22:00:00Z"),
        (day("2026-12-31"), "2026-12-30T23:00:00Z"),
        (day("2024-02-29"), "2024-02-28T23:00:00Z"),
        (floating("2026-07-01T09:00"), "2026-07-01T07:00:00Z"),
        (floating("2026-12-31T09:00"), "2026-12-31T08:00:00Z"),
        (floating("2026-12-31T09:00:30"), "2026-12-31T08:00:30Z"),
        (zoned("2026-07-01T09:00", "America/New_York"), "2026-07-01T13:00:00Z"),
        (zoned("2026-07-01T09:00", "Asia/Kathmandu"), "2026-07-01T03:15:00Z"),
        (zoned("2026-07-01T09:00", "UTC"), "2026-07-01T09:00:00Z"),
    ],
    ids=str,
)
async def test_a_due_is_kept_as_said_and_resolved(ada: Person, due: dict[str, str], instant: str) -> None:
    task = await ada.add(due=due)

    assert (task["due"], task["due_at"]) == (due, instant)


@pytest.mark.parametrize(
    ("due", "instant"),
    [
        (zoned("2026-03-29T02:30", "Europe/Berlin"), "2026-03-29T01:30:00Z"),
        (zoned("2026-03-08T02:30", "America/New_York"), "2026-03-08T07:30:00Z"),
        (zoned("2026-10-04T02:15", "Australia/Lord_Howe"), "2026-10-03T15:45:00Z"),
        (zoned("2011-12-30T09:00", "Pacific/Apia"), "2011-12-30T19:00:00Z"),
        (floating("2026-03-29T02:30"), "2026-03-29T01:30:00Z"),
    ],
    ids=str,
)
async def test_a_time_the_clocks_leave_out_moves_forward_by_the_gap(
    ada: Person, due: dict[str, str], instant: str
) -> None:
    task = await ada.add(due=due)

    assert (task["due"], task["due_at"]) == (due, instant)


@pytest.mark.parametrize(
    ("due", "instant"),
    [
        (zoned("2026-10-25T02:30", "Europe/Berlin"), "2026-10-25T00:30:00Z"),
        (zoned("2026-11-01T01:30", "America/New_York"), "2026-11-01T05:30:00Z"),
        (zoned("2026-04-05T01:45", "Australia/Lord_Howe"), "2026-04-04T14:45:00Z"),
        (floating("2026-10-25T02:30"), "2026-10-25T00:30:00Z"),
    ],
    ids=str,
)
async def test_a_time_that_comes_twice_means_the_first(ada: Person, due: dict[str, str], instant: str) -> None:
    task = await ada.add(due=due)

    assert task["due_at"] == instant


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata"])
async def test_days_and_floating_times_are_the_owners(world: World, timezone: str) -> None:
    eve = await world.person("eve", timezone=timezone)

    here = await eve.add(due=floating("2026-07-01T09:00"))
    there = await eve.add(due=zoned("2026-07-01T09:00", timezone))

    assert here["due_at"] == there["due_at"]


@pytest.mark.parametrize("more", [{"kind": "floating"}, {"kind": "zoned", "timezone": "Europe/Berlin"}])
async def test_whole_seconds_may_have_milliseconds_as_javascript_writes_them(ada: Person, more: dict[str, str]) -> None:
    task = await ada.add(due=more | {"at": "2026-07-01T09:00:00.000"}, start=more | {"at": "2026-07-01T08:00:00.000"})

    assert task["due"] == more | {"at": "2026-07-01T09:00:00"}
    assert (task["due_at"], task["start"]["at"]) == ("2026-07-01T07:00:00Z", "2026-07-01T08:00:00")
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json() == task


@pytest.mark.parametrize("field", ["due", "start"])
@pytest.mark.parametrize(
    ("moment", "at"),
    [
        (day("2026-02-29"), ".date"),
        (day("2026-13-01"), ".date"),
        (day("0001-01-01"), ""),
        (day("1899-12-31"), ""),
        (zoned("0001-01-01T00:00", "UTC"), ""),
        (day("2026-1-1"), ".date"),
        (floating("2026-02-29T09:00"), ""),
        (floating("2026-02-28T24:00"), ""),
        (floating("2026-02-28T09:60"), ""),
        (floating("2026-02-28T09:00:00.123"), ".at"),
        (floating("2026-02-28T09:00:00.0"), ".at"),
        (floating("2026-02-28T09:00.000"), ".at"),
        (floating("2026-02-28 09:00"), ".at"),
        (floating("2026-02-28T09:00Z"), ".at"),
        (floating("2026-02-28T09:00+01:00"), ".at"),
        (floating("2026-02-28T09:00\n"), ""),
        (floating("２０２６-02-28T09:00"), ""),
        (floating("0000-01-01T00:00"), ""),
        (zoned("2026-02-28T09:00", "Europe/Atlantis"), ".timezone"),
        (zoned("2026-02-28T09:00", "europe/berlin"), ".timezone"),
        (zoned("2026-02-28T09:00", "../../etc/passwd"), ".timezone"),
        (zoned("2026-02-28T09:00", "Europe/Berlin\x00"), ".timezone"),
        (zoned("2026-02-28T09:00", ""), ".timezone"),
        (zoned("2026-02-28T09:00", "A" * 65), ".timezone"),
        (zoned("9999-12-31T23:59", "America/New_York"), ""),
    ],
    ids=str,
)
async def test_what_is_no_moment_is_refused_by_name(ada: Person, field: str, moment: dict[str, str], at: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a", field: moment})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}{at}"]


async def test_the_zone_of_the_machine_is_no_zone(ada: Person) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a", "due": zoned("2026-02-28T09:00", "localtime")})

    assert answer.status_code == 422


async def test_changing_the_due_changes_its_instant(ada: Person) -> None:
    task = await ada.add(due=day("2026-07-01"))

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": zoned("2026-07-01T09:00", "UTC")})

    assert answer.json()["due_at"] == "2026-07-01T09:00:00Z"


async def test_clearing_the_due_clears_its_instant(ada: Person) -> None:
    task = await ada.add(due=day("2026-07-01"))

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": None})

    assert (answer.json()["due"], answer.json()["due_at"]) == (None, None)


async def test_a_start_moves_no_due(ada: Person) -> None:
    task = await ada.add(start=day("2026-07-01"))

    assert (task["start"], task["due"], task["due_at"]) == (day("2026-07-01"), None, None)


async def test_what_lies_at_the_edge_of_the_calendar_keeps_nobody_from_moving(
    ada: Person, database: Database, sql: Sql
) -> None:
    for at in ("2027-01-10T09:00", "9999-12-31T23:59"):
        await ada.add(at, due={"kind": "floating", "at": at})
    await ada.http.patch("/api/auth/me", json={"timezone": "America/New_York"})

    await follow_pending(database)

    assert str(await sql.fetchval("SELECT due_at FROM tasks WHERE title LIKE '2027%'")) == "2027-01-10 14:00:00+00:00"


async def test_the_first_page_of_the_admin_calls_no_work_of_today_late(ada: Person, database: Database) -> None:
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    await ada.add(due=day(str(today)))
    before = (await in_work(database, worker_origin().actor)).note
    await ada.add(due=day(str(today - timedelta(days=1))))
    await ada.add(due=zoned(f"{datetime.now(UTC) - timedelta(minutes=2):%Y-%m-%dT%H:%M}", "UTC"))

    assert (before, (await in_work(database, worker_origin().actor)).note) == ("none of them late", "2 of them late")
