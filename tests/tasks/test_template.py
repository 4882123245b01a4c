"""What later occurrences take along: nothing that happens to one task takes it from them."""

from datetime import timedelta
from typing import Any

import pytest
from support.factories import Person
from support.series import (
    Json,
    Sql,
    act,
    begin,
    changed,
    day,
    fields,
    floating,
    open_occurrences,
    patch,
    series_of,
    steer,
    work,
)

from todo.access import worker_origin
from todo.database import Database
from todo.domain.tasks.models import Task
from todo.domain.tasks.series.rules import NOT_IN_TEMPLATE, TEMPLATE
from todo.domain.tasks.services.purging import purge

PARENTS = "SELECT title, (SELECT title FROM tasks WHERE id = child.parent_id) AS parent FROM tasks AS child"
LATER = f"{PARENTS} WHERE parent_id IS NOT NULL AND deleted_at IS NULL ORDER BY 1"
AGE = "UPDATE tasks SET deleted_at = deleted_at - interval '60 days'"


async def begin_with_subtasks(person: Person, **recurrence: Any) -> Json:
    """A series of days that are long past, one of them open at a time, with a subtask and one below that."""
    task = await begin(person, "2025-01-01", **({"on_missed": "backfill", "max_open": 1} | recurrence))
    child = await person.add("Sweep", parent_id=task["id"])
    await person.add("Under the bed", parent_id=child["id"])
    return task


async def subtasks(sql: Sql) -> list[tuple[str, str]]:
    """Every subtask that is not in the trash, with what it is below."""
    return [(row["title"], row["parent"]) for row in await sql.fetch(LATER)]


WITH_BOTH = [("Sweep", "Water the plants"), ("Under the bed", "Sweep")]


async def delete(person: Person, task: Json) -> None:
    assert (await person.http.delete(f"/api/tasks/{task['id']}")).status_code == 204


async def empty_trash(database: Database) -> int:
    async with database.session(worker_origin()) as session:
        return await purge(session, timedelta(days=30), 1_000)


async def test_deleting_an_occurrence_in_a_pause_keeps_the_subtasks_of_the_later_ones(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await delete(ada, task)
    assert await subtasks(sql) == []

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_deleting_an_occurrence_that_was_done_in_a_pause_keeps_them_too(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await act(ada, task, "complete")
    await delete(ada, task)

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_deleting_the_last_of_several_open_occurrences_keeps_them_too(
    ada: Person, sql: Sql, database: Database
) -> None:
    first = await begin_with_subtasks(ada, rrule="FREQ=YEARLY", max_open=3)
    await work(database)
    second = (await ada.http.get(f"/api/tasks?series_id={first['series_id']}&sort=-due_at")).json()["items"][0]
    await delete(ada, second)

    await changed(ada, first, {"recurrence": {"lead_seconds": 366 * 86_400}})
    await work(database)

    assert await open_occurrences(ada) == ["2025-01-01", "2027-01-01"]
    assert await subtasks(sql) == sorted(WITH_BOTH * 2)


async def test_what_was_deleted_before_its_parent_stays_away(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin_with_subtasks(ada)
    await delete(ada, await ada.add("Once", parent_id=task["id"]))
    await steer(ada, task, "pause", {})
    await delete(ada, task)

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_emptying_the_trash_in_a_long_pause_keeps_what_the_next_occurrence_copies(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await delete(ada, task)
    await sql.execute(AGE)

    assert await empty_trash(database) == 0
    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH
    assert await empty_trash(database) == 3


async def test_emptying_the_trash_deletes_what_a_series_has_no_use_for(
    ada: Person, sql: Sql, database: Database
) -> None:
    ended, going = await begin_with_subtasks(ada), await begin_with_subtasks(ada)
    await delete(ada, await ada.add("Once", parent_id=going["id"]))
    await delete(ada, await ada.add("Plain"))
    await delete(ada, ended)
    await steer(ada, ended, "end", {"open": "cancel"})
    await sql.execute(AGE)

    assert await empty_trash(database) == 8

    left = await sql.fetch("SELECT series_id FROM tasks WHERE parent_id IS NULL")
    assert [str(row["series_id"]) for row in left] == [going["series_id"]]


def test_every_column_of_a_task_is_in_the_template_or_has_a_reason_not_to_be() -> None:
    assert set(TEMPLATE) | NOT_IN_TEMPLATE.keys() == Task.model_fields.keys()
    assert not set(TEMPLATE) & NOT_IN_TEMPLATE.keys()


def zoned(at: str, timezone: str) -> Json:
    return {"kind": "zoned", "at": at, "timezone": timezone}


def dates(task: Json) -> tuple[Any, Any]:
    return task["start"], task["deadline"]


async def following(person: Person, task: Json) -> Json:
    found: Json = (await act(person, task, "complete"))["next_task"]
    return found


# The rule, the first occurrence and the second: due, start, deadline.
DISTANCES: dict[str, tuple[str, tuple[Any, Any, Any], tuple[Any, Any, Any]]] = {
    "days across months": (
        "FREQ=MONTHLY",
        (day("2031-01-31"), day("2031-01-29"), "2031-02-01"),
        (day("2031-02-28"), day("2031-02-26"), "2031-03-01"),
    ),
    "a day before a time": (
        "FREQ=WEEKLY",
        (floating("2031-01-06T09:00"), day("2031-01-04"), "2031-01-06"),
        (floating("2031-01-13T09:00"), day("2031-01-11"), "2031-01-13"),
    ),
    "a time before a day": (
        "FREQ=DAILY",
        (day("2031-01-06"), floating("2031-01-05T18:00"), None),
        (day("2031-01-07"), floating("2031-01-06T18:00"), None),
    ),
    "a time of the wall clock, which goes forward meanwhile": (
        "FREQ=WEEKLY",
        (floating("2031-03-23T09:00"), floating("2031-03-22T21:30"), None),
        (floating("2031-03-30T09:00"), floating("2031-03-29T21:30"), None),
    ),
    "two places": (
        "FREQ=WEEKLY",
        (zoned("2031-03-05T09:00", "America/New_York"), zoned("2031-03-05T10:00", "Europe/Berlin"), "2031-03-07"),
        (zoned("2031-03-12T09:00", "America/New_York"), zoned("2031-03-12T10:00", "Europe/Berlin"), "2031-03-14"),
    ),
    "after the due": (
        "FREQ=YEARLY",
        (day("2032-02-29"), day("2032-03-01"), "2032-03-10"),
        (day("2033-02-28"), day("2033-03-01"), "2033-03-10"),
    ),
    "not beyond the calendar": (
        "FREQ=DAILY",
        (day("2031-01-01"), day("1900-01-02"), "9999-12-31"),
        (day("2031-01-02"), day("1900-01-03"), None),
    ),
}


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_start_and_deadline_keep_their_distance_to_the_due(ada: Person, name: str, verb: str) -> None:
    rrule, (due, start, deadline), expected = DISTANCES[name]
    task = await ada.add(due=due, start=start, deadline=deadline, recurrence={"rrule": rrule})

    second = (await act(ada, task, verb))["next_task"]

    assert (task["due"], *dates(task)) == (due, start, deadline)
    assert (second["due"], *dates(second)) == expected


async def test_the_worker_takes_start_and_deadline_along_too(ada: Person, database: Database) -> None:
    for title in ("A", "B"):
        await ada.add(
            title, due=day("2026-01-01"), start=day("2025-12-30"), deadline="2026-01-03",
            recurrence={"rrule": "FREQ=DAILY;COUNT=3", "on_missed": "backfill"},
        )  # fmt: skip
    await work(database)

    tasks = (await ada.http.get("/api/tasks?sort=due_at")).json()["items"]
    found = sorted((task["title"], task["due"]["date"], task["start"]["date"], task["deadline"]) for task in tasks)
    expected = [("2026-01-01", "2025-12-30", "2026-01-03"), ("2026-01-02", "2025-12-31", "2026-01-04"),
                ("2026-01-03", "2026-01-01", "2026-01-05")]  # fmt: skip
    assert found == [(title, *one) for title in "AB" for one in expected]


async def test_a_first_due_that_the_rule_moves_takes_them_along(ada: Person) -> None:
    task = await ada.add(
        due=day("2031-01-04"), start=day("2031-01-03"), deadline="2031-01-05",
        recurrence={"rrule": "FREQ=WEEKLY;BYDAY=TU"},
    )  # fmt: skip

    assert (task["due"], *dates(task)) == (day("2031-01-07"), day("2031-01-06"), "2031-01-08")


async def test_a_due_that_a_holiday_moves_takes_them_along(ada: Person) -> None:
    task = await ada.add(
        due=day("2031-01-06"), start=day("2031-01-05"), deadline="2031-01-07",
        recurrence={"rrule": "FREQ=WEEKLY", "holidays": ["2031-01-13"], "shift": "next"},
    )  # fmt: skip

    second = await following(ada, task)

    assert (second["due"], *dates(second)) == (day("2031-01-14"), day("2031-01-13"), "2031-01-15")


async def test_a_task_that_becomes_a_series_keeps_start_and_deadline(ada: Person) -> None:
    task = await ada.add(due=day("2031-01-06"), start=day("2031-01-05"), deadline="2031-01-07")

    first = await changed(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}})

    assert dates(first) == (day("2031-01-05"), "2031-01-07")
    assert dates(await following(ada, first)) == (day("2031-01-12"), "2031-01-14")


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_start_and_deadline_can_be_changed_for_later_occurrences(ada: Person, scope: str) -> None:
    task = await ada.add(due=floating("2031-01-06T09:00"), recurrence={"rrule": "FREQ=WEEKLY"})
    second = await following(ada, task)

    changes = {"start": floating("2031-01-12T20:00"), "deadline": "2031-01-15"}
    now = await changed(ada, second, changes, scope)

    assert dates(now) == (floating("2031-01-12T20:00"), "2031-01-15")
    third = await following(ada, now)
    assert dates(third) == (floating("2031-01-19T20:00"), "2031-01-22")
    template = (await series_of(ada, third))["template"]
    offset = {"kind": "floating", "timezone": None, "seconds": -13 * 3600}
    assert (template["start_offset"], template["deadline_offset_days"]) == (offset, 2)
    cleared = await changed(ada, third, {"start": None, "deadline": None}, scope)
    assert [dates(cleared), dates(await following(ada, cleared))] == [(None, None)] * 2


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_a_new_due_for_later_occurrences_takes_start_and_deadline_along(ada: Person, scope: str) -> None:
    task = await ada.add(
        due=day("2031-01-06"), start=day("2031-01-05"), deadline="2031-01-07", recurrence={"rrule": "FREQ=WEEKLY"}
    )

    now = await changed(ada, task, {"due": day("2031-01-08"), "deadline": "2031-01-08"}, scope)

    assert dates(now) == (day("2031-01-07"), "2031-01-08")
    assert dates(await following(ada, now)) == (day("2031-01-14"), "2031-01-15")


async def test_a_new_rule_from_here_on_takes_start_and_deadline_along(ada: Person) -> None:
    task = await ada.add(
        due=day("2031-01-06"), start=day("2031-01-05"), recurrence={"rrule": "FREQ=WEEKLY;BYDAY=MO"}
    )  # fmt: skip

    changes = {"recurrence": {"rrule": "FREQ=WEEKLY;BYDAY=WE"}, "deadline": "2031-01-07"}
    now = await changed(ada, task, changes, "following")

    assert (now["due"], *dates(now)) == (day("2031-01-08"), day("2031-01-07"), "2031-01-09")


async def test_this_occurrence_alone_moves_no_other(ada: Person) -> None:
    task = await ada.add(
        due=day("2031-01-06"), start=day("2031-01-05"), deadline="2031-01-07", recurrence={"rrule": "FREQ=WEEKLY"}
    )

    once = await changed(ada, task, {"start": None, "deadline": "2031-02-01"}, "this")
    await act(ada, once, "move", {"due": day("2031-01-09")})

    assert dates(await following(ada, once)) == (day("2031-01-12"), "2031-01-14")


async def test_occurrences_to_come_say_start_and_deadline(ada: Person) -> None:
    await ada.add(
        due=day("2026-11-01"), start=day("2026-10-31"), deadline="2026-11-03", recurrence={"rrule": "FREQ=YEARLY"}
    )

    (coming,) = (await ada.http.get("/api/tasks?include=upcoming&until=2027-11-05T00:00:00Z")).json()["upcoming"]

    assert dates(coming) == (day("2027-10-31"), "2027-11-03")


async def test_what_one_occurrence_has_of_its_own_is_refused_for_others(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    assert fields(await patch(ada, task, {"parent_id": None, "deadline": "2031-01-02"}, "all")) == ["query.scope"]
