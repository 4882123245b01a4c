"""Tasks below tasks: where they may hang, and what follows them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from support.factories import Person
from support.series import Json, Sql, act, begin, changed, day, everything, fields, floating, patch

from todo.access import worker_origin
from todo.database import Database
from todo.domain.tasks.subtasks import copy_subtasks, load_copied


async def children(person: Person, task: Json) -> list[Json]:
    found: list[Json] = (await person.http.get(f"/api/tasks?parent_id={task['id']}&sort=created_at")).json()["items"]
    return found


async def chain(person: Person, length: int) -> list[Json]:
    tasks = [await person.add("Level 1")]
    for level in range(2, length + 1):
        tasks.append(await person.add(f"Level {level}", parent_id=tasks[-1]["id"]))
    return tasks


async def test_a_task_hangs_below_another_and_is_found_there(ada: Person) -> None:
    parent = await ada.add("Party")

    child = await ada.add("Cake", parent_id=parent["id"])

    assert child["parent_id"] == parent["id"]
    assert await children(ada, parent) == [child]


async def test_a_task_can_be_hung_elsewhere_and_taken_down(ada: Person) -> None:
    parent, child = await ada.add(), await ada.add()

    descendants = await changed(ada, child, {"parent_id": parent["id"]})
    alone = await changed(ada, child, {"parent_id": None})

    assert (descendants["parent_id"], alone["parent_id"]) == (parent["id"], None)


async def test_five_levels_are_the_most(ada: Person, sql: Sql) -> None:
    tasks = await chain(ada, 5)
    before = await everything(sql)

    answer = await ada.http.post("/api/tasks", json={"title": "Level 6", "parent_id": tasks[-1]["id"]})

    assert fields(answer) == ["body.parent_id"]
    assert await everything(sql) == before


async def test_what_is_below_counts_when_a_task_is_hung_elsewhere(ada: Person) -> None:
    three, two = await chain(ada, 3), await chain(ada, 2)
    three_more = await chain(ada, 3)

    fits = await patch(ada, two[0], {"parent_id": three[-1]["id"]})
    too_deep = await patch(ada, three_more[0], {"parent_id": three[-1]["id"]})

    assert fits.status_code == 200
    assert fields(too_deep) == ["body.parent_id"]


@pytest.mark.parametrize("target", [0, 1, 2])
async def test_no_task_is_below_itself(ada: Person, sql: Sql, target: int) -> None:
    tasks = await chain(ada, 3)
    before = await everything(sql)

    assert fields(await patch(ada, tasks[0], {"parent_id": tasks[target]["id"]})) == ["body.parent_id"]
    assert await everything(sql) == before


async def test_two_moves_at_once_make_no_circle(ada: Person, sql: Sql) -> None:
    for _ in range(5):
        one, other = await ada.add(), await ada.add()

        answers = await asyncio.gather(
            patch(ada, one, {"parent_id": other["id"]}), patch(ada, other, {"parent_id": one["id"]})
        )

        assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_nothing_hangs_below_the_trash(ada: Person) -> None:
    parent = await ada.add()
    await ada.http.delete(f"/api/tasks/{parent['id']}")

    assert fields(await ada.http.post("/api/tasks", json={"title": "a", "parent_id": parent["id"]})) == [
        "body.parent_id"
    ]


async def test_a_subtask_cannot_come_back_by_itself(ada: Person) -> None:
    parent = await ada.add()
    child = await ada.add(parent_id=parent["id"])
    series = await begin(ada, "2031-01-01")
    recurrence = {"rrule": "FREQ=DAILY"}

    added = await ada.http.post("/api/tasks", json={"title": "a", "parent_id": parent["id"], "recurrence": recurrence})

    assert fields(added) == ["body.parent_id"]
    assert fields(await patch(ada, child, {"recurrence": recurrence})) == ["body.recurrence"]
    assert fields(await patch(ada, series, {"parent_id": parent["id"]})) == ["body.parent_id"]


async def test_what_is_below_goes_to_the_trash_and_comes_back(ada: Person) -> None:
    tasks = await chain(ada, 3)
    earlier = await ada.add("Gone before", parent_id=tasks[0]["id"])
    await ada.http.delete(f"/api/tasks/{earlier['id']}")

    await ada.http.delete(f"/api/tasks/{tasks[0]['id']}")
    gone = (await ada.http.get("/api/tasks")).json()["items"]
    await ada.http.post(f"/api/trash/{tasks[0]['id']}/restore")

    back = (await ada.http.get("/api/tasks?sort=created_at")).json()["items"]
    assert gone == []
    assert [task["id"] for task in back] == [task["id"] for task in tasks]


async def test_going_along_leaves_a_trace_of_its_own(ada: Person, sql: Sql) -> None:
    tasks = await chain(ada, 2)

    await ada.http.delete(f"/api/tasks/{tasks[0]['id']}")

    events = await sql.fetch("SELECT action FROM audit_events WHERE subject_id = $1 ORDER BY id", tasks[1]["id"])
    assert [row["action"] for row in events] == ["tasks.add", "tasks.delete"]


@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_a_new_occurrence_has_the_subtasks_of_the_last_open_again(ada: Person, verb: str) -> None:
    task = await begin(ada, "2031-01-01")
    for title in ("Sweep", "Mop"):
        await ada.add(title, parent_id=task["id"], priority=2)
    sweep = (await children(ada, task))[0]
    await ada.add("Under the bed", parent_id=sweep["id"])
    await act(ada, sweep, "complete")

    following = (await act(ada, task, verb))["next_task"]

    copies = {child["title"]: child for child in await children(ada, following)}
    assert copies.keys() == {"Sweep", "Mop"}
    assert {(child["status"], child["completed_at"], child["priority"]) for child in copies.values()} == {
        ("open", None, 2)
    }
    assert [child["title"] for child in await children(ada, copies["Sweep"])] == ["Under the bed"]
    assert [child["status"] for child in await children(ada, task)] == ["done", "open"]


@pytest.mark.parametrize("due", [day("9999-12-31"), floating("9999-12-31T23:59")], ids=str)
async def test_a_subtask_at_the_end_of_the_calendar_keeps_no_parent_from_coming_back(ada: Person, due: Json) -> None:
    task = await begin(ada, "2031-01-01", "FREQ=WEEKLY")
    await ada.add("Some day", parent_id=task["id"], due=due, deadline="9999-12-31")

    following = (await act(ada, task, "complete"))["next_task"]

    (copy,) = await children(ada, following)
    assert (copy["due"], copy["deadline"]) == (due, "9999-12-31")


async def test_dues_of_subtasks_move_with_their_parent(ada: Person) -> None:
    task = await begin(ada, "2031-03-23", "FREQ=WEEKLY")
    await ada.add("Day", parent_id=task["id"], due=day("2031-03-22"), deadline="2031-03-24")
    await ada.add("Time", parent_id=task["id"], due=floating("2031-03-23T09:00"))

    following = (await act(ada, task, "complete"))["next_task"]

    first, second = sorted(await children(ada, following), key=lambda child: child["title"])
    assert (first["due"], first["deadline"]) == (day("2031-03-29"), "2031-03-31")
    # Berlin's clocks have gone forward meanwhile.
    assert (second["due"], second["due_at"]) == (floating("2031-03-30T09:00"), "2031-03-30T07:00:00Z")


async def test_an_occurrence_that_was_moved_moves_no_subtask_of_the_occurrences_after_it(ada: Person) -> None:
    parent = await begin(ada, "2031-01-31", "FREQ=MONTHLY;BYMONTHDAY=31")
    await ada.add("Before", parent_id=parent["id"], due=day("2031-01-30"))
    await act(ada, parent, "move", {"due": day("2031-02-05")})

    following = (await act(ada, parent, "complete"))["next_task"]

    assert [child["due"] for child in await children(ada, following)] == [day("2031-02-27")]


async def test_what_was_deleted_does_not_come_back(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    child = await ada.add(parent_id=task["id"])
    await ada.http.delete(f"/api/tasks/{child['id']}")

    following = (await act(ada, task, "complete"))["next_task"]

    assert await children(ada, following) == []


async def test_undoing_takes_the_copies_back_too(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.add(parent_id=(await ada.add(parent_id=task["id"]))["id"])
    before = await everything(sql)

    await act(ada, task, "complete")
    await act(ada, task, "reopen")

    assert await everything(sql) == before


async def test_a_subtask_of_the_successor_that_was_done_keeps_it(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.add(parent_id=task["id"])
    following = (await act(ada, task, "complete"))["next_task"]
    await act(ada, (await children(ada, following))[0], "complete")

    await act(ada, task, "reopen")

    assert (await ada.http.get(f"/api/tasks/{following['id']}")).status_code == 200


async def test_many_occurrences_are_filled_at_once(ada: Person, sql: Sql, database: Database) -> None:
    pairs: list[Any] = []
    for number in range(5):
        old, new = await ada.add(f"Old {number}"), await ada.add(f"New {number}")
        await ada.add(f"Below {number}", parent_id=old["id"])
        pairs.append((old, new))

    async with database.session(worker_origin()) as session:
        ids = [(_id(old), _id(new)) for old, new in pairs]
        await copy_subtasks(session, await load_copied(session, ids))

    found = [[child["title"] for child in await children(ada, new)] for _, new in pairs]
    assert found == [[f"Below {number}"] for number in range(5)]


def _id(task: Json) -> UUID:
    return UUID(task["id"])
