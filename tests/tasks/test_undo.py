"""Undoing several steps in reverse order is nothing; what a person has added stays."""

import pytest
from support.factories import Person
from support.sending import AT_DUE, remind
from support.series import Json, Sql, act, begin, day, everything, open_occurrences, work

from todo.database import Database

REMINDERS = "SELECT task_id, series_id, template_id, timing, snoozed_until FROM reminders ORDER BY 1, 2, 4"


async def state(sql: Sql) -> Json:
    return await everything(sql, "next_run_at") | {"reminders": [tuple(row) for row in await sql.fetch(REMINDERS)]}


async def reminders(sql: Sql, task: Json) -> int:
    found: int = await sql.fetchval("SELECT count(*) FROM reminders WHERE task_id = $1::uuid", task["id"])
    return found


@pytest.mark.parametrize("verb", ["complete", "skip"])
@pytest.mark.parametrize("anchor", ["schedule", "completion"])
async def test_closing_three_and_reopening_them_in_reverse_order_is_nothing(
    ada: Person, sql: Sql, verb: str, anchor: str
) -> None:
    first = await begin(ada, "2031-01-31", "FREQ=MONTHLY", anchor=anchor)
    await ada.add("Sweep", parent_id=first["id"])
    await remind(ada, first, timing=AT_DUE | {"days": -1})
    before = await state(sql)

    second = (await act(ada, first, verb))["next_task"]
    third = (await act(ada, second, verb))["next_task"]
    await act(ada, third, verb)
    for task in (third, second, first):
        await act(ada, task, "reopen")

    assert await state(sql) == before


async def test_a_successor_that_has_a_reminder_of_its_own_stays(ada: Person, sql: Sql) -> None:
    first = await begin(ada, "2031-01-01")
    second = (await act(ada, first, "complete"))["next_task"]
    await remind(ada, second, every_occurrence=False)

    await act(ada, first, "reopen")

    assert await open_occurrences(ada) == ["2031-01-01", "2031-01-02"]
    assert await reminders(sql, second) == 1


async def test_reopening_one_whose_successor_was_deleted_leaves_the_one_after_it_open(ada: Person) -> None:
    first = await begin(ada, "2031-01-01")
    second = (await act(ada, first, "complete"))["next_task"]
    await ada.http.delete(f"/api/tasks/{second['id']}")

    await act(ada, first, "reopen")
    both = await open_occurrences(ada)
    await ada.http.post(f"/api/trash/{second['id']}/restore")

    assert both == ["2031-01-01", "2031-01-03"]
    assert await open_occurrences(ada) == ["2031-01-01", "2031-01-02"]


async def copied(person: Person, parent: Json) -> Json:
    found: Json = (await person.http.get(f"/api/tasks?parent_id={parent['id']}")).json()["items"][0]
    return found


async def test_reminders_of_subtasks_come_back_with_the_next_occurrence(ada: Person) -> None:
    first = await begin(ada, "2031-01-01", "FREQ=WEEKLY")
    child = await ada.add("Sweep", parent_id=first["id"], due=day("2031-01-01"))
    await remind(ada, child, timing=AT_DUE | {"days": -1}, urgent=True)
    await remind(ada, child, timing={"kind": "absolute", "at": "2031-01-01T00:00:00Z"})

    second = (await act(ada, first, "complete"))["next_task"]

    found = (await ada.http.get(f"/api/tasks/{(await copied(ada, second))['id']}/reminders")).json()["items"]
    assert [(one["timing"]["days"], one["urgent"]) for one in found] == [(-1, True)]


async def test_each_of_several_occurrences_that_open_at_once_has_subtasks_and_their_reminders(
    ada: Person, sql: Sql, database: Database
) -> None:
    first = await begin(ada, "2026-01-01", "FREQ=DAILY;COUNT=3", on_missed="backfill", max_open=3)
    child = await ada.add("Sweep", parent_id=first["id"], due=day("2026-01-01"))
    await remind(ada, child)
    await ada.add("Under the bed", parent_id=child["id"])

    await work(database)

    found = await sql.fetch(
        "SELECT title, due->>'date' AS day, (SELECT count(*) FROM reminders WHERE task_id = tasks.id) AS reminders"
        " FROM tasks WHERE parent_id IS NOT NULL ORDER BY 1, 2"
    )
    assert [tuple(row) for row in found] == [
        *(("Sweep", f"2026-01-0{number}", 1) for number in (1, 2, 3)), *[("Under the bed", None, 0)] * 3,
    ]  # fmt: skip
