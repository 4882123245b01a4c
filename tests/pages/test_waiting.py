"""What a task waits for, and completing it with its subtasks: on the pages and by REST."""

from typing import Any

from support.factories import Person, World
from support.pages import Visitor, form_of, text_of


async def test_a_task_is_made_to_wait_on_its_page_and_released(visitor: Visitor, boss: Person, sql: Any) -> None:
    waiting, blocker = await boss.add("Water the plants"), await boss.add("Buy a can")
    page = await visitor.get(f"/admin/tasks/{waiting['id']}")
    assert "/admin/dependencies/add" in page.text
    path = "/admin/dependencies/add"

    refused = await visitor.send(path, task_id=waiting["id"], blocker_id=waiting["id"])
    added = await visitor.send(path, task_id=waiting["id"], blocker_id="Buy a can")

    assert refused.status_code == 422 and "A task cannot wait for itself" in text_of(refused)
    assert added.status_code == 303
    row = await sql.fetchrow("SELECT task_id, blocker_id, id FROM dependencies")
    assert (str(row["task_id"]), str(row["blocker_id"])) == (waiting["id"], blocker["id"])
    assert await sql.fetchval("SELECT blocked FROM tasks WHERE title = 'Water the plants'")
    asked = await visitor.send("/admin/dependencies/act", on=f"delete {row['id']}")
    await visitor.send("/admin/dependencies/act", **form_of(asked, "/admin/dependencies/act"))
    assert not await sql.fetchval("SELECT blocked FROM tasks WHERE title = 'Water the plants'")


async def test_an_operator_lets_the_task_of_somebody_else_wait(boss: Person, world: World, sql: Any) -> None:
    """As its owner could: not for what that person does not see."""
    ada = await world.person("ada", "member")
    waiting, blocker, foreign = await ada.add("Hers"), await ada.add("Also hers"), await boss.add("Not hers")
    pair = {"task_id": waiting["id"], "blocker_id": blocker["id"]}

    added = await boss.http.post("/api/admin/dependencies", json=pair)
    again = await boss.http.post("/api/admin/dependencies", json=pair)
    refused = await boss.http.post("/api/admin/dependencies", json=pair | {"blocker_id": foreign["id"]})

    assert (added.status_code, again.json()["id"]) == (201, added.json()["id"])
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "body.blocker_id"
    found = await sql.fetch("SELECT actor FROM audit_events WHERE action = 'dependencies.add'")
    assert [row["actor"] for row in found] == ["boss@example.com"]


async def test_a_task_is_completed_with_its_subtasks(visitor: Visitor, boss: Person, sql: Any) -> None:
    task = await boss.add("Move")
    await boss.add("Pack", parent_id=task["id"])
    other = await boss.add("Rest")
    await boss.add("Sleep", parent_id=other["id"])

    done = await visitor.send("/admin/tasks/act", action="complete_all", id=task["id"])
    by_rest = await boss.http.post(f"/api/admin/tasks/{other['id']}/actions/complete_all")

    assert (done.status_code, by_rest.status_code) == (303, 200)
    assert await sql.fetchval("SELECT array_agg(DISTINCT status) FROM tasks") == ["done"]
