"""The trash: when tasks were deleted and when they will be purged, and emptying it."""

from datetime import datetime, timedelta

import pytest
from support.factories import Person, World, job_context
from support.series import Json, Sql, act, begin

from todo import cleanup
from todo.database import Database
from todo.domain.tasks.jobs import empty_trash as empty_trash_job
from todo.domain.tasks.services import purging


async def delete(person: Person, task: Json) -> None:
    assert (await person.http.delete(f"/api/tasks/{task['id']}")).status_code == 204


async def trash(person: Person, query: str = "") -> list[Json]:
    answer = await person.http.get(f"/api/trash{query}")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def empty(person: Person) -> tuple[int, bool]:
    answer = await person.http.delete("/api/trash")
    assert answer.status_code == 200, answer.text
    return answer.json()["deleted"], answer.json()["more"]


async def test_a_deleted_task_says_when_it_was_deleted_and_will_be_purged(ada: Person) -> None:
    task = await ada.add()
    await delete(ada, task)

    (found,) = await trash(ada)

    deleted_at, purge_at = (datetime.fromisoformat(found[name]) for name in ("deleted_at", "purge_at"))
    assert task["updated_at"] < found["deleted_at"] <= found["updated_at"]
    assert purge_at - deleted_at == timedelta(days=30)
    changed = {"version", "updated_at", "deleted_at", "purge_at"}
    assert {name: found[name] for name in found.keys() - changed} == {
        name: task[name] for name in task.keys() - changed
    }


async def test_what_is_due_to_be_purged_is_purged_by_the_worker_and_no_sooner(
    ada: Person, sql: Sql, database: Database
) -> None:
    for days in (29, 31):
        task = await ada.add(str(days))
        await delete(ada, task)
        await sql.execute(
            "UPDATE tasks SET deleted_at = now() - $1::interval WHERE id = $2", timedelta(days=days), task["id"]
        )
    now = await sql.fetchval("SELECT now()")
    due = [task["title"] for task in await trash(ada) if datetime.fromisoformat(task["purge_at"]) <= now]

    await empty_trash_job(job_context(database))

    assert due == ["31"]
    assert [task["title"] for task in await trash(ada)] == ["29"]


@pytest.mark.parametrize(
    ("sort", "titles"),
    [("", "cab"), ("?sort=-deleted_at", "cab"), ("?sort=deleted_at", "bac"), ("?sort=purge_at", "bac"),
     ("?sort=-purge_at", "cab")],
)  # fmt: skip
async def test_the_trash_is_sorted_by_deletion(ada: Person, sql: Sql, sort: str, titles: str) -> None:
    tasks = {title: await ada.add(title) for title in "abc"}
    for title in "bac":
        await delete(ada, tasks[title])
    await sql.execute("UPDATE tasks SET updated_at = now() WHERE title = 'b'")

    assert "".join(task["title"] for task in await trash(ada, sort)) == titles


async def test_pages_of_the_trash_follow_each_other(ada: Person) -> None:
    for title in "abc":
        await delete(ada, await ada.add(title))
    first = (await ada.http.get("/api/trash?limit=2&sort=purge_at")).json()

    second = await trash(ada, f"?limit=2&sort=purge_at&cursor={first['next_cursor']}")

    assert [task["title"] for task in [*first["items"], *second]] == ["a", "b", "c"]


async def test_the_trash_has_no_other_order(ada: Person) -> None:
    answer = await ada.http.get("/api/trash?sort=title")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.sort")


async def test_emptying_deletes_everything_once_and_keeps_no_values(ada: Person, sql: Sql) -> None:
    parent, other, kept = await ada.add("Parent"), await ada.add("Other"), await ada.add("Kept")
    child = await ada.add("Child", parent_id=parent["id"])
    for task in (parent, other):
        await delete(ada, task)

    assert await empty(ada) == (3, False)
    assert await empty(ada) == (0, False)

    assert await trash(ada) == []
    assert (await ada.http.get("/api/tasks")).json()["items"] == [kept]
    events = await sql.fetch("SELECT subject_id, actor_id FROM audit_events WHERE action = 'tasks.purge'")
    assert {str(row["subject_id"]) for row in events} == {parent["id"], other["id"], child["id"]}
    assert {row["actor_id"] for row in events} == {ada.id}
    values = "SELECT count(*) FROM audit_events WHERE before::text || after::text ~ 'Parent|Other|Child'"
    assert await sql.fetchval(values) == 0


async def test_emptying_a_large_trash_takes_several_requests(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert purging.BATCH == cleanup.BATCH == 1_000
    monkeypatch.setattr(purging, "BATCH", 2)
    for title in "abcd":
        await delete(ada, await ada.add(title))

    assert [await empty(ada), await empty(ada), await empty(ada)] == [(2, True), (2, False), (0, False)]


async def test_a_subtask_beyond_the_batch_goes_with_its_parent_and_leaves_an_event(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH", 1)
    parent = await ada.add()
    for title in "abc":
        await ada.add(title, parent_id=parent["id"])
    await delete(ada, parent)

    while (await empty(ada))[1]:
        pass

    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'tasks.purge'") == 4


async def test_what_the_next_occurrence_copies_from_stays(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    following = (await act(ada, task, "complete"))["next_task"]
    await ada.add("Below", parent_id=following["id"])
    # in a pause the next occurrence waits, and copies from what lies in the trash
    await ada.http.post(f"/api/series/{task['series_id']}/pause", json={})
    await delete(ada, following)
    await delete(ada, await ada.add("Other"))

    assert await empty(ada) == (1, False)
    assert {one["title"] for one in await trash(ada)} == {"Water the plants", "Below"}


async def test_nobody_empties_the_trash_of_somebody_else(ada: Person, world: World) -> None:
    eve = await world.person("eve")
    await delete(ada, await ada.add())

    assert await empty(eve) == (0, False)
    assert len(await trash(ada)) == 1


async def test_a_subtask_restored_from_below_a_deleted_task_survives_it(ada: Person) -> None:
    parent = await ada.add()
    child = await ada.add("Child", parent_id=parent["id"])
    await delete(ada, parent)

    restored = (await ada.http.post(f"/api/trash/{child['id']}/restore")).json()
    await empty(ada)

    assert restored["parent_id"] is None
    assert (await ada.http.get(f"/api/tasks/{child['id']}")).json()["title"] == "Child"
