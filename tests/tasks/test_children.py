"""`children` on completing a task: what becomes of its open subtasks."""

import asyncio

import pytest
from support.factories import Person, World
from support.series import Json, Sql, act, begin, day, everything, patch


async def complete(person: Person, task: Json, children: str) -> Json:
    return await act(person, task, f"complete?children={children}")


async def statuses(person: Person) -> dict[str, str]:
    """Of all tasks, by title."""
    items = (await person.http.get("/api/tasks?sort=created_at&limit=200")).json()["items"]
    return {task["title"]: task["status"] for task in items}


async def family(person: Person) -> tuple[Json, Json, Json]:
    """A task, a subtask, and one below that; beside them one that is cancelled."""
    parent = await person.add("Move")
    child = await person.add("Pack", parent_id=parent["id"])
    grandchild = await person.add("Books", parent_id=child["id"])
    await act(person, await person.add("Rent a van", parent_id=parent["id"]), "cancel")
    return parent, child, grandchild


@pytest.mark.parametrize("verb", ["complete", "complete?children=leave"])
async def test_subtasks_stay_open_unless_asked_otherwise(ada: Person, verb: str) -> None:
    parent, _, _ = await family(ada)

    await act(ada, parent, verb)

    assert await statuses(ada) == {"Move": "done", "Pack": "open", "Books": "open", "Rent a van": "cancelled"}


async def test_subtasks_are_completed_at_any_depth_with_an_event_each(ada: Person, sql: Sql) -> None:
    parent, child, grandchild = await family(ada)

    done = await complete(ada, parent, "complete")

    assert await statuses(ada) == {"Move": "done", "Pack": "done", "Books": "done", "Rent a van": "cancelled"}
    events = await sql.fetch(
        "SELECT subject_id, before->>'status' AS before, after->>'status' AS after, after->>'completed_at' AS at"
        " FROM audit_events WHERE action = 'tasks.complete'"
    )
    assert {str(row["subject_id"]) for row in events} == {parent["id"], child["id"], grandchild["id"]}
    assert {(row["before"], row["after"], row["at"]) for row in events} == {("open", "done", done["completed_at"])}
    shown = (await ada.http.get(f"/api/tasks/{child['id']}")).json()
    assert (shown["version"], shown["completed_at"], shown["updated_at"]) == (2, *[done["completed_at"]] * 2)


async def test_with_refuse_open_subtasks_are_counted_and_nothing_changes(ada: Person, sql: Sql) -> None:
    parent, _, _ = await family(ada)
    before = await everything(sql)

    answer = await ada.http.post(f"/api/tasks/{parent['id']}/complete?children=refuse")

    assert (answer.status_code, answer.json()["code"]) == (409, "subtasks-open")
    assert answer.json()["detail"].startswith("Open subtasks: 2.")
    assert await everything(sql) == before


async def test_with_refuse_closed_and_deleted_subtasks_do_not_count(ada: Person) -> None:
    parent, child, grandchild = await family(ada)
    await act(ada, grandchild, "complete")
    await ada.http.delete(f"/api/tasks/{child['id']}")

    assert (await complete(ada, parent, "refuse"))["status"] == "done"


async def test_what_lies_in_the_trash_is_not_completed(ada: Person) -> None:
    parent, child, _ = await family(ada)
    await ada.http.delete(f"/api/tasks/{child['id']}")

    await complete(ada, parent, "complete")
    restored = (await ada.http.post(f"/api/trash/{child['id']}/restore")).json()

    assert restored["status"] == "open"


async def test_reopening_opens_what_was_completed_with_it(ada: Person, sql: Sql) -> None:
    parent, child, _ = await family(ada)
    await act(ada, await ada.add("Keys", parent_id=parent["id"]), "complete")  # by itself
    before = await everything(sql)

    await complete(ada, parent, "complete")
    await act(ada, parent, "reopen")

    assert await everything(sql) == before
    assert (await statuses(ada))["Keys"] == "done"
    events = "SELECT count(*) FROM audit_events WHERE action = 'tasks.reopen'"
    assert await sql.fetchval(events) == 3
    assert (await ada.http.get(f"/api/tasks/{child['id']}")).json()["version"] == 3


async def test_a_subtask_that_was_changed_since_stays_as_it_is(ada: Person) -> None:
    parent, child, _ = await family(ada)
    await complete(ada, parent, "complete")
    await patch(ada, child, {"title": "Pack it all"})

    await act(ada, parent, "reopen")

    found = await statuses(ada)
    assert (found["Move"], found["Pack it all"], found["Books"]) == ("open", "done", "open")


async def test_a_history_from_elsewhere_is_not_reopened_with_its_parent(ada: Person) -> None:
    history = {"status": "done", "created_at": "2019-05-01T00:00:00Z", "completed_at": "2019-05-03T00:00:00Z"}
    parent = await ada.add("Old", **history)
    await ada.add("As old", parent_id=parent["id"], **history)

    await act(ada, parent, "reopen")

    assert await statuses(ada) == {"Old": "open", "As old": "done"}


@pytest.mark.parametrize("children", ["complete", "leave"])
async def test_the_next_occurrence_has_the_subtasks_open_in_either_case(ada: Person, children: str) -> None:
    task = await begin(ada, "2031-01-01")
    child = await ada.add("Below", parent_id=task["id"], due=day("2031-01-01"))

    following = (await complete(ada, task, children))["next_task"]

    (copy,) = (await ada.http.get(f"/api/tasks?parent_id={following['id']}")).json()["items"]
    assert (copy["title"], copy["status"], copy["due"], copy["version"]) == ("Below", "open", day("2031-01-02"), 1)
    kept = (await ada.http.get(f"/api/tasks/{child['id']}")).json()["status"]
    assert kept == ("done" if children == "complete" else "open")


async def test_completing_and_reopening_an_occurrence_with_its_subtasks_is_exactly_nothing(
    ada: Person, sql: Sql
) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.add("Below", parent_id=task["id"])
    before = await everything(sql)

    await complete(ada, task, "complete")
    await act(ada, task, "reopen")

    assert await everything(sql) == before


async def test_an_occurrence_with_open_subtasks_can_be_refused(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.add("Below", parent_id=task["id"])
    before = await everything(sql)

    answer = await ada.http.post(f"/api/tasks/{task['id']}/complete?children=refuse")

    assert (answer.status_code, answer.json()["code"]) == (409, "subtasks-open")
    assert await everything(sql) == before


async def test_the_version_is_checked_before_the_subtasks(ada: Person) -> None:
    parent, _, _ = await family(ada)

    answer = await ada.http.post(f"/api/tasks/{parent['id']}/complete?children=refuse", headers={"if-match": '"9"'})

    assert answer.status_code == 412


async def test_of_two_at_once_one_completes_each_subtask(ada: Person, sql: Sql) -> None:
    parent, child, _ = await family(ada)

    answers = await asyncio.gather(
        ada.http.post(f"/api/tasks/{parent['id']}/complete?children=complete"),
        ada.http.post(f"/api/tasks/{child['id']}/complete?children=complete"),
        ada.http.post(f"/api/tasks/{parent['id']}/complete?children=complete"),
    )

    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert {answer.status_code for answer in answers} <= {200, 409}
    events = "SELECT count(*), count(DISTINCT subject_id) FROM audit_events WHERE action = 'tasks.complete'"
    assert tuple(await sql.fetchrow(events)) == (3, 3)  # type: ignore[arg-type]  # an aggregate has a row


async def test_a_task_of_somebody_else_is_not_there(ada: Person, world: World) -> None:
    eve = await world.person("eve")
    parent, _, _ = await family(ada)

    assert (await eve.http.post(f"/api/tasks/{parent['id']}/complete?children=complete")).status_code == 404
    assert (await statuses(ada))["Pack"] == "open"


async def test_another_choice_is_refused(ada: Person) -> None:
    answer = await ada.http.post(f"/api/tasks/{(await ada.add())['id']}/complete?children=all")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.children")
