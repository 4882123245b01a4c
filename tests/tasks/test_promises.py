"""The promise, case by case: what other systems got wrong, named after where it went wrong.

(a) to (l) are the classes of defects that come up again and again; the rest are single reports of other projects.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person, World
from support.invariants import spoil
from support.series import (
    Json,
    Sql,
    act,
    begin,
    changed,
    day,
    floating,
    open_occurrences,
    patch,
    series_occurrences,
    series_of,
    steer,
    work,
)

from todo.database import Database

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def zoned(at: str, timezone: str) -> Json:
    return {"kind": "zoned", "at": at, "timezone": timezone}


async def occurrences(person: Person, task: Json, count: int) -> list[str]:
    """The original starts of this occurrence and those after it, each completed in turn."""
    found = [task["occurrence"]]
    while len(found) < count and (following := (await act(person, task, "complete"))["next_task"]):
        task = following
        found.append(task["occurrence"])
    return found


def today_in(timezone: str) -> str:
    return str(datetime.now(ZoneInfo(timezone)).date())


# (a) the 29th, 30th, 31st and 29 February


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("backward", ["2031-01-31", "2031-02-28", "2031-03-31", "2031-04-30", "2031-05-31"]),
        ("forward", ["2031-01-31", "2031-03-01", "2031-03-31", "2031-05-01", "2031-05-31"]),
        ("omit", ["2031-01-31", "2031-03-31", "2031-05-31", "2031-07-31", "2031-08-31"]),
    ],
)
async def test_a_the_31st_does_what_its_series_says(ada: Person, policy: str, expected: list[str]) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY", on_invalid_date=policy)

    assert await occurrences(ada, task, 5) == expected


@pytest.mark.parametrize("date", ["2031-01-29", "2031-01-30", "2031-01-31"])
async def test_a_no_day_drifts_through_february(ada: Person, date: str) -> None:
    task = await begin(ada, date, "FREQ=MONTHLY")

    assert (await occurrences(ada, task, 3))[2] == date.replace("-01-", "-03-")


async def test_a_29_february_comes_back_in_leap_years(ada: Person) -> None:
    task = await begin(ada, "2028-02-29", "FREQ=YEARLY")

    assert await occurrences(ada, task, 5) == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


async def test_vikunja_3436_31_january_is_not_followed_by_3_march(ada: Person) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY")

    assert (await occurrences(ada, task, 2))[1] == "2031-02-28"


async def test_taskwarrior_a_month_that_was_clamped_does_not_drift_for_good(ada: Person) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY")

    assert await occurrences(ada, task, 3) == ["2031-01-31", "2031-02-28", "2031-03-31"]


async def test_vikunja_271_a_month_is_no_number_of_seconds(ada: Person) -> None:
    task = await ada.add(due=floating("2031-01-15T09:00"), recurrence={"rrule": "FREQ=MONTHLY"})

    assert await occurrences(ada, task, 3) == ["2031-01-15T09:00", "2031-02-15T09:00", "2031-03-15T09:00"]


# (b) the hours that clocks leave out and repeat


async def test_b_a_time_that_does_not_exist_moves_on_by_the_gap_and_comes_back(ada: Person) -> None:
    task = await ada.add(due=zoned("2031-03-29T02:30", BERLIN), recurrence={"rrule": "FREQ=DAILY"})

    gap = (await act(ada, task, "complete"))["next_task"]
    after = (await act(ada, gap, "complete"))["next_task"]

    assert (gap["due"], gap["due_at"]) == (zoned("2031-03-30T02:30", BERLIN), "2031-03-30T01:30:00Z")
    assert after["due_at"] == "2031-03-31T00:30:00Z"


async def test_b_of_a_time_that_comes_twice_the_first_is_meant(ada: Person) -> None:
    task = await ada.add(due=zoned("2031-10-25T02:30", BERLIN), recurrence={"rrule": "FREQ=DAILY"})

    assert (await act(ada, task, "complete"))["next_task"]["due_at"] == "2031-10-26T00:30:00Z"


async def test_nine_in_the_morning_stays_nine_over_a_clock_change(ada: Person) -> None:
    """Donetick #595, Taskwarrior #75 and #1880, tasks.org #1634."""
    task = await ada.add(due=zoned("2031-03-28T09:00", BERLIN), recurrence={"rrule": "FREQ=DAILY;INTERVAL=3"})

    following = (await act(ada, task, "complete"))["next_task"]

    assert (task["due_at"], following["due_at"]) == ("2031-03-28T08:00:00Z", "2031-03-31T07:00:00Z")


# (c) the day in UTC is not the day where somebody lives


@pytest.mark.parametrize("timezone", ["Pacific/Apia", "Pacific/Pago_Pago", "Pacific/Kiritimati"])
async def test_c_days_are_those_of_their_owner(world: World, timezone: str) -> None:
    eve = await world.person("eve", timezone=timezone)

    task = await eve.add(recurrence={"rrule": "FREQ=DAILY"})

    assert task["occurrence"] in {today_in(timezone), str(datetime.now(ZoneInfo(timezone)).date())}
    midnight = datetime.fromisoformat(task["due_at"]).astimezone(ZoneInfo(timezone))
    assert (str(midnight.date()), midnight.hour) == (task["occurrence"], 0)


@pytest.mark.parametrize("timezone", ["Etc/GMT+12", "Pacific/Kiritimati"])  # one of them has another day than UTC
async def test_c_done_late_it_is_today_where_its_owner_lives(world: World, timezone: str) -> None:
    eve = await world.person("eve", timezone=timezone)
    today = datetime.now(ZoneInfo(timezone)).date()
    task = await begin(eve, str(today - timedelta(days=3)))

    following = (await act(eve, task, "complete"))["next_task"]

    midnight_has_passed = today_in(timezone) != str(today)
    assert following["occurrence"] == str(today + timedelta(days=midnight_has_passed))


@pytest.mark.parametrize("timezone", ["Pacific/Apia", "Pacific/Pago_Pago"])
async def test_tududi_1313_the_day_of_the_month_does_not_slip_where_utc_is_another_day(
    world: World, timezone: str
) -> None:
    eve = await world.person("eve", timezone=timezone)
    task = await begin(eve, "2031-01-15", "FREQ=MONTHLY")

    assert await occurrences(eve, task, 3) == ["2031-01-15", "2031-02-15", "2031-03-15"]


async def test_tududi_1442_weekdays_are_local_ones(world: World) -> None:
    eve = await world.person("eve", timezone="Pacific/Apia")
    due = floating("2031-01-06T08:00")  # a Monday there, a Sunday in UTC

    task = await eve.add(due=due, recurrence={"rrule": "FREQ=WEEKLY;BYDAY=MO"})

    assert task["occurrence"] == "2031-01-06T08:00"


# (d) early


async def test_d_done_early_it_counts_for_its_own_occurrence(ada: Person) -> None:
    task = await begin(ada, "2031-01-08", "FREQ=WEEKLY")

    assert await occurrences(ada, task, 2) == ["2031-01-08", "2031-01-15"]


async def test_early_completions_do_not_pile_up(ada: Person, sql: Sql) -> None:
    """Donetick #53, Donetick #81."""
    task = await begin(ada, "2031-01-08", "FREQ=WEEKLY")

    assert await occurrences(ada, task, 4) == ["2031-01-08", "2031-01-15", "2031-01-22", "2031-01-29"]
    assert await open_occurrences(ada) == ["2031-01-29"]


# (e) late by several occurrences


async def test_e_done_late_by_several_occurrences_the_next_is_still_to_come(ada: Person) -> None:
    """Vikunja #3444, Vikunja #2594, Donetick #834, Yuvomi 0.78.7."""
    task = await begin(ada, "2026-01-05", "FREQ=WEEKLY")

    following = (await act(ada, task, "complete"))["next_task"]

    assert following["occurrence"] >= today_in(BERLIN)  # that of today is late when the day is over
    assert datetime.fromisoformat(following["occurrence"]).weekday() == 0


async def test_e_where_every_occurrence_counts_none_is_jumped_over(ada: Person, database: Database) -> None:
    task = await begin(ada, "2026-01-05", "FREQ=WEEKLY;COUNT=3", on_missed="backfill")
    await work(database)

    assert await open_occurrences(ada) == ["2026-01-05", "2026-01-12", "2026-01-19"]
    assert (await act(ada, task, "complete"))["next_task"] is None


async def test_ten_years_asleep_are_one_jump_and_no_pile(ada: Person, database: Database) -> None:
    """Taskwarrior, Super Productivity, Vikunja GHSA-r4fg-73rc-hhh7."""
    await begin(ada, "2016-01-01", "FREQ=DAILY", on_missed="skip_to_next")

    async with asyncio.timeout(5):
        await work(database)

    assert await open_occurrences(ada) == [today_in(BERLIN)]


async def test_donetick_704_an_interval_is_not_off_by_a_day(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY;INTERVAL=3")

    assert await occurrences(ada, task, 4) == ["2031-01-01", "2031-01-04", "2031-01-07", "2031-01-10"]


# (f) twice


async def test_f_of_twenty_clicks_one_counts(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")

    answers = await asyncio.gather(*(ada.http.post(f"/api/tasks/{task['id']}/complete") for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert await series_occurrences(ada, task) == [("2031-01-01", "done"), ("2031-01-02", "open")]


async def test_f_skipping_and_completing_at_once_one_wins(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    answers = await asyncio.gather(
        *(ada.http.post(f"/api/tasks/{task['id']}/{verb}") for verb in ("complete", "skip") * 5)
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert len(await series_occurrences(ada, task)) == 2


@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_f_a_worker_and_a_person_at_the_same_moment_double_nothing(
    ada: Person, database: Database, sql: Sql, verb: str
) -> None:
    tasks = [await begin(ada, "2026-01-01", "FREQ=DAILY;COUNT=6", on_missed="backfill") for _ in range(6)]

    closing = (ada.http.post(f"/api/tasks/{task['id']}/{verb}") for task in tasks)
    *_, first = await asyncio.gather(*(work(database) for _ in range(3)), *closing)
    await work(database)

    assert first.status_code == 200
    doubled = "SELECT count(*) FROM (SELECT 1 FROM tasks GROUP BY series_id, occurrence HAVING count(*) > 1) x"
    assert await sql.fetchval(doubled) == 0
    assert {len(await series_occurrences(ada, task)) for task in tasks} == {6}


async def test_f_a_new_rule_against_a_worker_and_a_completion_leaves_one_truth(
    ada: Person, database: Database, sql: Sql
) -> None:
    tasks = [await begin(ada, "2026-01-01", "FREQ=DAILY;COUNT=6", on_missed="backfill") for _ in range(6)]

    answers = await asyncio.gather(
        *(ada.http.post(f"/api/tasks/{task['id']}/complete") for task in tasks),
        *(ada.http.patch(f"/api/series/{task['series_id']}", json={"rrule": "FREQ=WEEKLY;COUNT=4"}) for task in tasks),
        *(patch(ada, task, {"title": "New"}, "all") for task in tasks),
        *(_done(work(database)) for _ in range(3)),
    )
    await work(database)

    assert {answer.status_code for answer in answers if answer is not None} <= {200, 409}
    assert await sql.fetchval("SELECT count(*) FROM series WHERE last_error IS NOT NULL") == 0
    doubled = "SELECT count(*) FROM (SELECT 1 FROM tasks GROUP BY series_id, occurrence HAVING count(*) > 1) x"
    orphans = "SELECT count(*) FROM tasks t LEFT JOIN occurrences o ON o.task_id = t.id WHERE o.id IS NULL"
    assert (await sql.fetchval(doubled), await sql.fetchval(orphans)) == (0, 0)


async def _done(work: Any) -> None:
    await work


async def test_a_request_that_is_repeated_makes_no_second_occurrence(ada: Person) -> None:
    """Taskwarrior #1290, tasks.org #2387, Yuvomi #822."""
    task = await begin(ada, "2031-01-01")
    headers = {"idempotency-key": "once"}

    first = await act(ada, task, "complete", headers=headers)
    again = await act(ada, task, "complete", headers=headers)

    assert first == again
    assert len(await series_occurrences(ada, task)) == 2


async def test_donetick_463_completing_is_never_a_500(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await spoil(sql, "UPDATE series SET count = 1, until = NULL")

    assert (await ada.http.post(f"/api/tasks/{task['id']}/complete")).status_code == 200


# (g) putting off one occurrence


async def test_g_a_new_date_for_one_occurrence_keeps_the_rule(ada: Person) -> None:
    """Raycast #11129, tod #428, Todoist's clients, Microsoft Graph #6746."""
    task = await begin(ada, "2031-01-06", "FREQ=WEEKLY;BYDAY=MO")

    moved = await changed(ada, task, {"due": day("2031-01-09")})

    assert (moved["id"], moved["series_id"], moved["occurrence"]) == (task["id"], task["series_id"], "2031-01-06")
    assert (await series_of(ada, task))["rrule"] == "FREQ=WEEKLY;BYDAY=MO"
    assert (await occurrences(ada, task, 2))[1] == "2031-01-13"


@pytest.mark.parametrize("verb", ["skip", "move"])
async def test_sachaos_todoist_123_one_occurrence_can_be_put_off_or_left_out(ada: Person, verb: str) -> None:
    task = await begin(ada, "2031-01-06", "FREQ=WEEKLY")

    await act(ada, task, verb, {"due": day("2031-01-08")} if verb == "move" else None)

    assert (await series_of(ada, task))["status"] == "active"
    assert (await series_occurrences(ada, task))[0] == ("2031-01-06", {"skip": "skipped", "move": "moved"}[verb])


async def test_raycast_17884_what_is_done_does_not_reappear(ada: Person, database: Database) -> None:
    task = await begin(ada, today_in(BERLIN), "FREQ=DAILY")

    await act(ada, task, "complete")
    await work(database)

    assert task["occurrence"] not in await open_occurrences(ada)


async def test_vikunja_app_306_completing_changes_no_field_of_the_rule(ada: Person) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY", on_missed="backfill", shift="next", holidays=["2031-02-28"])
    before = await series_of(ada, task)

    await act(ada, task, "complete")

    after = await series_of(ada, task)
    place = {"occurrence_count", "last_occurrence", "next_occurrence", "next_due_at", "updated_at"}
    assert {name for name in before if before[name] != after[name]} <= place


# (h) what is below


async def test_h_subtasks_come_back_open(ada: Person) -> None:
    """Vikunja #898, Super Productivity #427, tududi #595, Taskwarrior #178."""
    task = await begin(ada, "2031-01-01")
    descendants = await ada.add("Below", parent_id=task["id"])
    await act(ada, descendants, "complete")

    following = (await act(ada, task, "complete"))["next_task"]

    (copy,) = (await ada.http.get(f"/api/tasks?parent_id={following['id']}")).json()["items"]
    assert (copy["title"], copy["status"]) == ("Below", "open")
    assert (await ada.http.get(f"/api/tasks/{descendants['id']}")).json()["status"] == "done"


# (i) every second week


@pytest.mark.parametrize("week_start", ["MO", "SU"])
async def test_i_every_second_week_keeps_its_weeks(ada: Person, week_start: str) -> None:
    rrule = f"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST={week_start}"
    task = await begin(ada, "2031-01-05", rrule)  # a Sunday

    expected = {
        "MO": ["2031-01-05", "2031-01-13", "2031-01-19", "2031-01-27"],
        "SU": ["2031-01-05", "2031-01-06", "2031-01-19", "2031-01-20"],
    }
    assert await occurrences(ada, task, 4) == expected[week_start]


@pytest.mark.parametrize("how", ["skip", "complete"])
async def test_tududi_844_biweekly_stays_biweekly(ada: Person, how: str) -> None:
    task = await begin(ada, "2031-01-06", "FREQ=WEEKLY;INTERVAL=2")

    for occurrence in ("2031-01-20", "2031-02-03", "2031-02-17"):
        task = (await act(ada, task, how))["next_task"]
        assert task["occurrence"] == occurrence


async def test_i_a_late_completion_does_not_shift_the_weeks(ada: Person) -> None:
    task = await begin(ada, "2026-01-05", "FREQ=WEEKLY;INTERVAL=2")

    following = (await act(ada, task, "complete"))["next_task"]["occurrence"]

    assert (datetime.fromisoformat(following) - datetime(2026, 1, 5)).days % 14 == 0


# (j) every quarter


async def test_j_every_quarter_from_29_november_does_not_leave_out_february(ada: Person) -> None:
    task = await begin(ada, "2030-11-29", "FREQ=MONTHLY;INTERVAL=3")

    assert await occurrences(ada, task, 4) == ["2030-11-29", "2031-02-28", "2031-05-29", "2031-08-29"]


# (k) an end by number


async def test_k_a_skipped_occurrence_counts(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY;COUNT=3")

    second = (await act(ada, task, "skip"))["next_task"]

    assert await occurrences(ada, second, 5) == ["2031-01-02", "2031-01-03"]


async def test_taskwarrior_1983_a_series_ends_after_its_number(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=DAILY", count=3)

    assert await occurrences(ada, task, 9) == ["2031-01-01", "2031-01-02", "2031-01-03"]
    assert (await series_of(ada, task))["count"] == 3


# (l) moving to another zone


async def test_l_floating_work_follows_its_owner_and_keeps_its_occurrences(
    ada: Person, database: Database, sql: Sql
) -> None:
    task = await ada.add(due=floating("2031-01-01T09:00"), recurrence={"rrule": "FREQ=DAILY"})
    await sql.execute("UPDATE series SET owner_timezone = $1", NEW_YORK)

    following = (await act(ada, task, "complete"))["next_task"]

    assert (following["occurrence"], following["due_at"]) == ("2031-01-02T09:00", "2031-01-02T14:00:00Z")


async def test_l_work_in_one_place_stays_there(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=zoned("2031-01-01T09:00", NEW_YORK), recurrence={"rrule": "FREQ=DAILY"})
    await sql.execute("UPDATE series SET owner_timezone = 'Asia/Tokyo'")

    assert (await act(ada, task, "complete"))["next_task"]["due_at"] == "2031-01-02T14:00:00Z"


async def test_nextcloud_tasks_the_zone_is_not_stripped(ada: Person) -> None:
    task = await ada.add(due=zoned("2031-01-01T09:00", NEW_YORK), recurrence={"rrule": "FREQ=DAILY"})

    assert (await act(ada, task, "complete"))["next_task"]["due"] == zoned("2031-01-02T09:00", NEW_YORK)


# Reports that fit no letter


async def test_completing_once_does_not_end_the_series(ada: Person) -> None:
    """Home Assistant #118976, Nextcloud Tasks #3227."""
    task = await begin(ada, "2031-01-01")

    await act(ada, task, "complete")

    assert (await series_of(ada, task))["status"] == "active"
    assert await open_occurrences(ada) == ["2031-01-02"]


async def test_work_can_be_counted_from_when_it_was_done(ada: Person) -> None:
    """Taskwarrior #1835, Taskwarrior #1346."""
    task = await begin(ada, "2026-01-01", "FREQ=DAILY;INTERVAL=3", anchor="completion")
    before = datetime.now(ZoneInfo(BERLIN)).date()

    following = (await act(ada, task, "complete"))["next_task"]

    after = datetime.now(ZoneInfo(BERLIN)).date()
    assert following["occurrence"] in {str(date + timedelta(days=3)) for date in (before, after)}


async def test_a_series_can_rest(ada: Person, database: Database) -> None:
    """Taskwarrior #1821, tasks.org #1418, Super Productivity #4865."""
    task = await begin(ada, "2026-01-01", "FREQ=DAILY;UNTIL=20260105", on_missed="skip_to_next")
    await work(database)

    await steer(ada, task, "pause", {})
    await work(database)

    assert await open_occurrences(ada) == ["2026-01-05"]


async def test_taskwarrior_1829_holidays_can_be_left_out(ada: Person) -> None:
    holidays = ["2031-12-25", "2031-12-26"]
    task = await begin(ada, "2031-12-24", "FREQ=DAILY", shift="skip", holidays=holidays)

    assert await occurrences(ada, task, 3) == ["2031-12-24", "2031-12-29", "2031-12-30"]


async def test_tasks_org_607_what_was_done_can_be_seen(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await occurrences(ada, task, 4)

    answer = await ada.http.get(f"/api/series/{task['series_id']}/occurrences?status=done")

    assert len(answer.json()["items"]) == 3
    assert all(datetime.fromisoformat(entry["closed_at"]) <= datetime.now(UTC) for entry in answer.json()["items"])


async def test_nextcloud_mcp_1197_an_old_series_does_not_look_overdue_since_it_began(
    ada: Person, database: Database
) -> None:
    await begin(ada, "2023-01-01", "FREQ=DAILY", on_missed="skip_to_next")
    await work(database)

    (task,) = (await ada.http.get("/api/tasks?status=open")).json()["items"]

    assert task["due"] == day(today_in(BERLIN))


async def test_planner_moving_or_deleting_one_does_not_move_the_series(ada: Person) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=WEEKLY")
    await act(ada, task, "move", {"due": day("2031-01-20")})

    await ada.http.delete(f"/api/tasks/{task['id']}")

    assert await series_occurrences(ada, task) == [("2031-01-01", "skipped"), ("2031-01-08", "open")]
