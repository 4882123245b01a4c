"""How many of the subtasks of a task are done, whatever happens to them."""

import asyncio
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from support.factories import Person
from support.invariants import broken, spoil
from support.series import day, work

from todo.database import Database
from todo.domain.tasks.invariants import INVARIANTS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Task: TypeAlias = dict[str, Any]
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def act(person: Person, task: Task, verb: str, query: str = "") -> Task:
    answer = await person.http.post(f"/api/tasks/{task['id']}/{verb}{query}")
    assert answer.status_code == 200, answer.text
    done: Task = answer.json()
    return done


async def progress(person: Person, task: Task) -> tuple[int, int] | None:
    found = (await person.http.get(f"/api/tasks/{task['id']}")).json()["progress"]
    return (found["done"], found["total"]) if found else None


async def family(person: Person, number: int, **fields: Any) -> tuple[Task, list[Task]]:
    """A task, and so many below it."""
    task = await person.add("Move house", **fields)
    return task, [await person.add(f"Box {n}", parent_id=task["id"]) for n in range(number)]


async def test_progress_counts_the_tasks_directly_below(ada: Person, sql: Sql) -> None:
    task, boxes = await family(ada, 3)
    await ada.add("Tape", parent_id=boxes[0]["id"])
    assert task["progress"] is None

    await act(ada, boxes[0], "complete")

    assert await progress(ada, task) == (1, 3)
    assert await progress(ada, boxes[0]) == (0, 1)
    assert await progress(ada, boxes[1]) is None
    listed = {one["id"]: one["progress"] for one in (await ada.http.get("/api/tasks")).json()["items"]}
    assert listed[task["id"]] == {"done": 1, "total": 3}
    assert await broken(sql) == {}


async def test_progress_follows_every_change_of_a_subtask(ada: Person, sql: Sql) -> None:
    task, boxes = await family(ada, 3)
    other = await ada.add("Other")
    steps: list[tuple[str, str, Any, tuple[int, int] | None]] = [
        ("POST", f"/api/tasks/{boxes[0]['id']}/complete", None, (1, 3)),
        ("POST", f"/api/tasks/{boxes[0]['id']}/reopen", None, (0, 3)),
        ("POST", f"/api/tasks/{boxes[1]['id']}/complete", None, (1, 3)),
        ("DELETE", f"/api/tasks/{boxes[1]['id']}", None, (0, 2)),
        ("POST", f"/api/trash/{boxes[1]['id']}/restore", None, (1, 3)),
        ("POST", f"/api/tasks/{boxes[2]['id']}/cancel", None, (1, 2)),
        ("POST", f"/api/tasks/{boxes[2]['id']}/reopen", None, (1, 3)),
        ("PATCH", f"/api/tasks/{boxes[1]['id']}", {"parent_id": other["id"]}, (0, 2)),
        ("PATCH", f"/api/tasks/{boxes[0]['id']}", {"parent_id": None}, (0, 1)),
        ("DELETE", f"/api/tasks/{boxes[2]['id']}", None, None),
        ("DELETE", f"/api/trash/{boxes[2]['id']}", None, None),
    ]
    for method, path, body, expected in steps:
        answer = await ada.http.request(method, path, json=body)
        assert answer.status_code in (200, 204), (path, answer.text)
        assert await progress(ada, task) == expected, path
        assert await broken(sql) == {}, path

    assert await progress(ada, other) == (1, 1)


async def test_answers_show_the_progress_that_the_request_made(ada: Person) -> None:
    task, boxes = await family(ada, 2)

    assert (await act(ada, task, "complete", "?children=complete"))["progress"] == {"done": 2, "total": 2}
    assert (await act(ada, task, "reopen"))["progress"] == {"done": 0, "total": 2}
    await ada.http.delete(f"/api/tasks/{task['id']}")
    restored = await ada.http.post(f"/api/trash/{task['id']}/restore")
    assert restored.json()["progress"] == {"done": 0, "total": 2}
    assert boxes[0]["progress"] is None


async def test_progress_is_no_new_version_but_another_etag(ada: Person) -> None:
    task, boxes = await family(ada, 12)
    path = f"/api/tasks/{task['id']}"
    before = await ada.http.get(path)

    await act(ada, boxes[0], "complete")

    after = await ada.http.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json()["version"], after.json()["updated_at"]) == (200, 1, task["updated_at"])
    assert (before.headers["ETag"], after.headers["ETag"]) == ('"1-0of12"', '"1-1of12"')
    changed = await ada.http.patch(path, json={"title": "Move"}, headers={"If-Match": before.headers["ETag"]})
    assert (changed.status_code, changed.json()["progress"]) == (200, {"done": 1, "total": 12})


async def test_a_subtask_shows_its_own_progress_where_it_is_included(ada: Person) -> None:
    task, boxes = await family(ada, 1)
    await ada.add("Tape", parent_id=boxes[0]["id"])

    (shown,) = (await ada.http.get(f"/api/tasks/{task['id']}?include=subtasks")).json()["subtasks"]

    assert shown["progress"] == {"done": 0, "total": 1}


async def test_the_next_occurrence_begins_at_nothing(ada: Person, sql: Sql) -> None:
    task, boxes = await family(ada, 2, **MONTHLY)
    await act(ada, boxes[0], "complete")

    following = (await act(ada, task, "complete"))["next_task"]

    assert following["progress"] == {"done": 0, "total": 2}
    assert await progress(ada, following) == (0, 2)
    await act(ada, task, "reopen")  # nothing was done for the next one, so it is gone
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 3
    assert await broken(sql) == {}


async def test_the_worker_counts_what_it_copies(ada: Person, sql: Sql, database: Database) -> None:
    task, _ = await family(
        ada, 2, due=day("2025-01-01"), recurrence={"rrule": "FREQ=DAILY", "on_missed": "backfill", "max_open": 3}
    )

    await work(database)

    counted = await sql.fetch("SELECT subtasks_total FROM tasks WHERE series_id IS NOT NULL")
    assert [row["subtasks_total"] for row in counted] == [2] * 3
    assert await broken(sql) == {}
    assert task["progress"] is None


async def test_subtasks_completed_at_once_with_the_task_above_are_all_counted(ada: Person, sql: Sql) -> None:
    task, boxes = await family(ada, 8)

    answers = await asyncio.gather(
        *(ada.http.post(f"/api/tasks/{box['id']}/complete") for box in boxes[:4]),
        ada.http.post(f"/api/tasks/{task['id']}/complete?children=complete"),
        *(ada.http.post(f"/api/tasks/{box['id']}/complete") for box in boxes[4:]),
    )

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await progress(ada, task) == (8, 8)
    assert await broken(sql) == {}


@pytest.mark.parametrize("counts", ["subtasks_total = 7", "subtasks_done = 1"])
async def test_the_doctor_counts_again(ada: Person, sql: Sql, counts: str) -> None:
    task, _ = await family(ada, 1)
    await spoil(sql, f"UPDATE tasks SET {counts} WHERE parent_id IS NULL")
    rule = next(rule for rule in INVARIANTS if rule.name == "progress_miscounted")

    assert await broken(sql) == {"progress_miscounted": [UUID(task["id"])]}
    await sql.execute(rule.repair[0])
    assert await progress(ada, task) == (0, 1)
