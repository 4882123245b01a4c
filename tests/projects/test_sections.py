"""Sections of projects: their order, what is put into them, and what stays when they go."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person, World
from support.sharing import share

from todo.domain.tasks.sections import services

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def project(person: Person, name: str = "House") -> str:
    return str((await person.http.post("/api/projects", json={"name": name})).json()["id"])


async def section(person: Person, project_id: str, name: str = "Attic", **fields: Any) -> str:
    answer = await person.http.post(f"/api/projects/{project_id}/sections", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def titles(person: Person, query: str) -> list[str]:
    return [task["title"] for task in (await person.http.get(f"/api/tasks?{query}")).json()["items"]]


async def test_sections_are_listed_in_their_order(ada: Person) -> None:
    house = await project(ada)
    await section(ada, house, "Cellar", position=2)
    attic = await section(ada, house, "Attic", position=1)

    listed = (await ada.http.get(f"/api/projects/{house}/sections")).json()["items"]
    assert [one["name"] for one in listed] == ["Attic", "Cellar"]

    await ada.http.patch(f"/api/projects/{house}/sections/{attic}", json={"position": 3, "name": "Roof"})
    listed = (await ada.http.get(f"/api/projects/{house}/sections")).json()["items"]
    assert [(one["name"], one["version"]) for one in listed] == [("Cellar", 1), ("Roof", 2)]


async def test_tasks_are_put_into_sections_and_listed_by_them(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    attic, own = await section(ada, house), await section(bob, str(bob.id), "Own")
    paint = await ada.add("Paint", section_id=attic)
    rake = await ada.add("Rake", project_id=house)
    await share(sql, house, bob.id)

    placed = await ada.http.patch(f"/api/tasks/{rake['id']}", json={"section_id": attic})

    assert (paint["project_id"], paint["section_id"], placed.json()["section_id"]) == (house, attic, attic)
    assert await titles(ada, f"section_id={attic}") == ["Rake", "Paint"]
    assert await titles(bob, f"section_id={attic}") == ["Rake", "Paint"]
    assert await titles(bob, f"project_id={house}&section_id={attic}") == ["Rake", "Paint"]
    assert (await bob.add("Mine", section_id=own))["project_id"] == str(bob.id)
    assert await titles(ada, f"section_id={own}") == []


async def test_a_section_of_another_project_is_refused(ada: Person, bob: Person) -> None:
    house, office = await project(ada), await project(ada, "Office")
    elsewhere, hidden = await section(ada, office), await section(bob, str(bob.id))
    task = await ada.add("Paint", project_id=house)

    answers = [
        await ada.http.patch(f"/api/tasks/{task['id']}", json={"section_id": elsewhere}),
        await ada.http.post("/api/tasks", json={"title": "a", "project_id": house, "section_id": elsewhere}),
        await ada.http.post("/api/tasks", json={"title": "a", "section_id": hidden}),
        await ada.http.post("/api/tasks", json={"title": "a", "parent_id": task["id"], "section_id": elsewhere}),
    ]

    assert [answer.json()["errors"][0]["field"] for answer in answers] == ["body.section_id"] * 4


async def test_a_task_leaves_its_section_with_its_project(ada: Person) -> None:
    house, office = await project(ada), await project(ada, "Office")
    attic, desk = await section(ada, house), await section(ada, office, "Desk")
    task = await ada.add("Paint", section_id=attic)
    child = await ada.add("Brush", parent_id=task["id"], section_id=attic)

    moved = (await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": office})).json()
    back = (await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": house, "section_id": attic})).json()

    assert (moved["project_id"], moved["section_id"]) == (office, None)
    assert (back["project_id"], back["section_id"]) == (house, attic)
    assert (await ada.http.get(f"/api/tasks/{child['id']}")).json()["section_id"] is None
    wrong = await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": house, "section_id": desk})
    assert wrong.status_code == 422


async def test_a_series_keeps_its_section_until_it_moves(ada: Person) -> None:
    house, office = await project(ada), await project(ada, "Office")
    attic, cellar = await section(ada, house), await section(ada, house, "Cellar")
    task = await ada.add("Rent", section_id=attic, **MONTHLY)

    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    assert following["section_id"] == attic
    await ada.http.patch(f"/api/tasks/{following['id']}?scope=all", json={"section_id": cellar})
    following = (await ada.http.post(f"/api/tasks/{following['id']}/complete")).json()["next_task"]
    assert following["section_id"] == cellar
    moved = await ada.http.patch(f"/api/tasks/{following['id']}?scope=all", json={"project_id": office})
    following = (await ada.http.post(f"/api/tasks/{moved.json()['id']}/complete")).json()["next_task"]
    assert (following["project_id"], following["section_id"]) == (office, None)


async def test_what_was_in_a_deleted_section_stays_in_the_project(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "BATCH", 2)
    house = await project(ada)
    attic = await section(ada, house)
    for n in range(3):
        await ada.add(f"Task {n}", section_id=attic)
    rent = await ada.add("Rent", section_id=attic, **MONTHLY)

    assert (await ada.http.delete(f"/api/projects/{house}/sections/{attic}")).status_code == 204

    rows = await sql.fetch("SELECT DISTINCT project_id::text, section_id, version FROM tasks")
    assert [tuple(row) for row in rows] == [(house, None, 2)]
    following = (await ada.http.post(f"/api/tasks/{rent['id']}/complete")).json()["next_task"]
    assert following["section_id"] is None


async def test_sections_stay_when_a_project_is_handed_over(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    task = await ada.add("Paint", section_id=await section(ada, house))
    await share(sql, house, bob.id)

    await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})

    assert (await bob.http.get(f"/api/tasks/{task['id']}")).json()["section_id"] == task["section_id"]


async def test_a_deleted_project_takes_its_sections_along(ada: Person, sql: Sql) -> None:
    house = await project(ada)
    task = await ada.add("Paint", section_id=await section(ada, house))
    await ada.add("Rent", section_id=task["section_id"], **MONTHLY)

    assert (await ada.http.delete(f"/api/projects/{house}")).status_code == 204

    assert await sql.fetchval("SELECT count(*) FROM sections") == 0
    restored = (await ada.http.post(f"/api/trash/{task['id']}/restore")).json()
    assert (restored["project_id"], restored["section_id"]) == (str(ada.id), None)


async def test_a_task_is_not_put_into_a_section_that_is_being_deleted(ada: Person, sql: Sql) -> None:
    house = await project(ada)
    attic = await section(ada, house)
    task = await ada.add("Paint", project_id=house)

    placed, deleted = await asyncio.gather(
        ada.http.patch(f"/api/tasks/{task['id']}", json={"section_id": attic}),
        ada.http.delete(f"/api/projects/{house}/sections/{attic}"),
    )

    assert (placed.status_code in (200, 422), deleted.status_code) == (True, 204)
    assert await sql.fetchval("SELECT section_id FROM tasks") is None


async def test_there_is_a_limit_to_the_number_of_sections(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_SECTIONS", 1)
    house = await project(ada)
    await section(ada, house)

    answer = await ada.http.post(f"/api/projects/{house}/sections", json={"name": "More"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many")


async def test_the_database_refuses_a_section_of_another_project(ada: Person, sql: Sql) -> None:
    await section(ada, await project(ada))
    await ada.add("Paint")

    with pytest.raises(asyncpg.ForeignKeyViolationError, match="fk_tasks_section_id_project_id"):
        await sql.execute("UPDATE tasks SET section_id = sections.id FROM sections")


async def test_an_operator_adds_renames_and_deletes_sections(ada: Person, world: World) -> None:
    root = await world.person("root", "superuser", "member")
    house = await project(ada)
    added = await root.http.post("/api/admin/sections", json={"name": "Roof", "project_id": house})
    path = f"/api/admin/sections/{added.json()['id']}"
    task = await ada.add("Tiles", project_id=house, section_id=added.json()["id"])

    renamed = await root.http.patch(path, json={"name": "Top"})
    named = [one["name"] for one in (await ada.http.get(f"/api/projects/{house}/sections")).json()["items"]]
    deleted = await root.http.delete(path)

    assert [one.status_code for one in (added, renamed, deleted)] == [201, 200, 204], deleted.text
    assert named == ["Top"]
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["section_id"] is None
