"""Projects over HTTP: adding, nesting, archiving and deleting them, and the tasks in them."""

from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def add(person: Person, name: str = "House", **fields: Any) -> dict[str, Any]:
    answer = await person.http.post("/api/projects", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


async def titles(person: Person, query: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return sorted(task["title"] for task in answer.json()["items"])


async def test_everybody_begins_with_an_inbox_which_new_tasks_go_to(ada: Person) -> None:
    projects = (await ada.http.get("/api/projects")).json()["items"]
    task = await ada.add()

    assert [(one["name"], one["id"], one["inbox"], one["role"]) for one in projects] == [
        ("Inbox", str(ada.id), True, "owner")
    ]
    assert (task["project_id"], task["created_by"]) == (str(ada.id), str(ada.id))


async def test_a_task_is_added_to_a_project_listed_there_and_moved(ada: Person) -> None:
    house, garden = await add(ada), await add(ada, "Garden")
    task = await ada.add("Paint", project_id=house["id"])
    below = await ada.add("Buy paint", parent_id=task["id"])
    await ada.add("Inbox task")

    assert below["project_id"] == house["id"]
    assert await titles(ada, f"project_id={house['id']}") == ["Buy paint", "Paint"]
    assert await titles(ada, f"project_id={house['id']}&q=pain") == ["Buy paint", "Paint"]
    assert await titles(ada, f"project_id={ada.id}") == ["Inbox task"]
    moved = await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": garden["id"]})
    assert moved.json()["project_id"] == garden["id"]
    assert await titles(ada, f"project_id={garden['id']}") == ["Buy paint", "Paint"]
    assert await titles(ada) == ["Buy paint", "Inbox task", "Paint"]


async def test_a_subtask_stays_in_the_project_of_its_parent(ada: Person) -> None:
    house = await add(ada)
    parent = await ada.add()
    child = await ada.add(parent_id=parent["id"])

    alone = await ada.http.patch(f"/api/tasks/{child['id']}", json={"project_id": house["id"]})
    elsewhere = await ada.http.post(
        "/api/tasks", json={"title": "A", "parent_id": parent["id"], "project_id": house["id"]}
    )
    freed = await ada.http.patch(f"/api/tasks/{child['id']}", json={"project_id": house["id"], "parent_id": None})

    assert {answer.json()["errors"][0]["field"] for answer in (alone, elsewhere)} == {"body.project_id"}
    assert freed.json()["project_id"] == house["id"]


async def test_a_series_moves_as_a_whole_and_goes_on_there(ada: Person) -> None:
    house = await add(ada)
    task = await ada.add("Rent", **MONTHLY)

    one = await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": house["id"]})
    whole = await ada.http.patch(f"/api/tasks/{task['id']}?scope=all", json={"project_id": house["id"]})
    done = await ada.http.post(f"/api/tasks/{task['id']}/complete")

    assert one.json()["errors"][0]["field"] == "query.scope"
    assert whole.json().get("project_id") == house["id"], whole.text
    assert done.json()["next_task"]["project_id"] == house["id"]


async def test_projects_nest_five_levels_deep_without_a_cycle(ada: Person) -> None:
    chain = [await add(ada, "1")]
    for level in range(2, 6):
        chain.append(await add(ada, str(level), parent_id=chain[-1]["id"]))

    sixth = await ada.http.post("/api/projects", json={"name": "6", "parent_id": chain[-1]["id"]})
    cycle = await ada.http.patch(f"/api/projects/{chain[0]['id']}", json={"parent_id": chain[4]["id"]})
    inbox = await ada.http.post("/api/projects", json={"name": "A", "parent_id": str(ada.id)})
    unknown = await ada.http.post("/api/projects", json={"name": "A", "parent_id": chain[0]["owner_id"][:-1] + "0"})

    assert [answer.status_code for answer in (sixth, cycle, inbox, unknown)] == [422] * 4
    below = (await ada.http.get(f"/api/projects?parent_id={chain[0]['id']}")).json()["items"]
    assert [one["name"] for one in below] == ["2"]


async def test_an_archived_project_takes_no_tasks_and_its_tasks_leave_the_lists(ada: Person) -> None:
    house = await add(ada)
    shed = await add(ada, "Shed", parent_id=house["id"])
    await ada.add("Paint", project_id=shed["id"])
    await ada.add("Else")

    answer = await ada.http.patch(f"/api/projects/{house['id']}", json={"archived": True})

    assert answer.json()["archived"] is True
    assert await titles(ada) == ["Else"]
    assert await titles(ada, f"project_id={shed['id']}") == ["Paint"]
    refused = await ada.http.post("/api/tasks", json={"title": "A", "project_id": shed["id"]})
    assert refused.json()["code"] == "project-archived"
    assert [one["name"] for one in (await ada.http.get("/api/projects?archived=true")).json()["items"]] == [
        "House", "Shed",
    ]  # fmt: skip
    alone = await ada.http.patch(f"/api/projects/{shed['id']}", json={"archived": False})
    assert alone.json()["code"] == "project-archived"
    await ada.http.patch(f"/api/projects/{house['id']}", json={"archived": False})
    assert await titles(ada) == ["Else", "Paint"]


async def test_a_deleted_project_leaves_its_tasks_in_the_trash_from_where_they_go_to_the_inbox(
    ada: Person, sql: Sql
) -> None:
    house = await add(ada)
    shed = await add(ada, "Shed", parent_id=house["id"])
    task = await ada.add("Paint", project_id=shed["id"])
    recurring = await ada.add("Rent", project_id=house["id"], **MONTHLY)

    answer = await ada.http.delete(f"/api/projects/{house['id']}")

    assert answer.status_code == 204
    assert [one["name"] for one in (await ada.http.get("/api/projects")).json()["items"]] == ["Inbox"]
    assert await titles(ada) == []
    trash = (await ada.http.get("/api/trash")).json()["items"]
    assert sorted(one["title"] for one in trash) == ["Paint", "Rent"]
    restored = await ada.http.post(f"/api/trash/{task['id']}/restore")
    assert restored.json()["project_id"] == str(ada.id)
    assert (await ada.http.get(f"/api/series/{recurring['series_id']}")).json()["status"] == "ended"


@pytest.mark.parametrize("change", [{"archived": True}, {"parent_id": None}])
async def test_the_inbox_stays(ada: Person, change: dict[str, Any]) -> None:
    changed = await ada.http.patch(f"/api/projects/{ada.id}", json=change)
    deleted = await ada.http.delete(f"/api/projects/{ada.id}")
    handed_over = await ada.http.post(f"/api/projects/{ada.id}/transfer", json={"user_id": str(ada.id)})

    assert {answer.json()["code"] for answer in (changed, deleted, handed_over)} == {"inbox"}


async def test_a_name_is_trimmed_and_not_blank_and_a_version_is_compared(ada: Person) -> None:
    house = await add(ada, "  House  ", color="#3b82f6")

    blank = await ada.http.post("/api/projects", json={"name": "​"})
    stale = await ada.http.patch(f"/api/projects/{house['id']}", json={"name": "B"}, headers={"if-match": '"7"'})
    changed = await ada.http.patch(f"/api/projects/{house['id']}", json={"color": None}, headers={"if-match": '"1"'})

    assert house["name"] == "House"
    assert (blank.json()["errors"][0]["field"], stale.status_code) == ("body.name", 412)
    assert (changed.json()["color"], changed.json()["version"]) == (None, 2)
    etag = changed.headers["etag"]
    same = await ada.http.get(f"/api/projects/{house['id']}", headers={"if-none-match": etag})
    assert same.status_code == 304
