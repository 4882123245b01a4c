"""The labels that a person has chosen: adding, renaming and deleting them, and what that does to tasks."""

import asyncio
import json
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person, World
from support.sharing import share

from todo.domain.tasks.labels import services

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def label(person: Person, name: str = "home", **fields: Any) -> Json:
    answer = await person.http.post("/api/labels", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    sent: Json = answer.json()
    return sent


async def rename(person: Person, one: Json, name: str) -> Json:
    answer = await person.http.patch(f"/api/labels/{one['id']}", json={"name": name})
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def labels_of(sql: Sql) -> dict[str, list[str]]:
    return {row["title"]: row["labels"] for row in await sql.fetch("SELECT title, labels FROM tasks")}


async def test_labels_are_listed_in_their_order(ada: Person, bob: Person) -> None:
    await label(ada, "later", position=2)
    await label(ada, "now", position=1, color="#ff0000", favorite=True)
    await label(bob, "other")

    listed = (await ada.http.get("/api/labels")).json()["items"]

    assert [(one["name"], one["color"], one["favorite"]) for one in listed] == [
        ("now", "#ff0000", True), ("later", None, False),
    ]  # fmt: skip
    page = (await ada.http.get("/api/labels?limit=1")).json()
    following = (await ada.http.get(f"/api/labels?limit=1&cursor={page['next_cursor']}")).json()
    assert [one["name"] for one in following["items"]] == ["later"]


async def test_a_name_comes_once_whatever_its_case(ada: Person) -> None:
    one = await label(ada, "Home")

    again = await ada.http.post("/api/labels", json={"name": "home "})
    other = await ada.http.patch(f"/api/labels/{(await label(ada, 'x'))['id']}", json={"name": "HOME"})
    same = await rename(ada, one, "HOME")

    assert [answer.json()["errors"][0]["field"] for answer in (again, other)] == ["body.name"] * 2
    assert same["name"] == "HOME"


async def test_two_requests_add_one_label(ada: Person, sql: Sql) -> None:
    answers = await asyncio.gather(*(ada.http.post("/api/labels", json={"name": "home"}) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]
    assert await sql.fetchval("SELECT count(*) FROM labels") == 1


async def test_a_new_name_is_on_every_task_and_series_that_the_person_may_edit(
    ada: Person, bob: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "BATCH", 2)
    edited, seen = [(await ada.http.post("/api/projects", json={"name": n})).json()["id"] for n in ("Edited", "Seen")]
    await share(sql, edited, bob.id, "editor")
    await share(sql, seen, bob.id, "completer")
    await ada.add("Edited", project_id=edited, labels=["HOME"])
    await ada.add("Only seen", project_id=seen, labels=["home"])
    await ada.add("Private", labels=["home"])
    for n in range(5):
        await bob.add(f"Own {n}", labels=["x", "home", "House"])
    rent = await bob.add("Rent", labels=["home"], **MONTHLY)

    await rename(bob, await label(bob), "house")

    own = {f"Own {n}": ["x", "house"] for n in range(5)}
    assert await labels_of(sql) == own | {
        "Edited": ["house"], "Only seen": ["home"], "Private": ["home"], "Rent": ["house"],
    }  # fmt: skip
    following = (await bob.http.post(f"/api/tasks/{rent['id']}/complete")).json()["next_task"]
    assert following["labels"] == ["house"]
    events = await sql.fetch("SELECT before, after FROM audit_events WHERE action = 'tasks.change'")
    assert len(events) == 7
    assert json.loads(events[0]["after"])["labels"] in (["x", "house"], ["house"])


async def test_another_case_is_a_new_name_too(ada: Person, sql: Sql) -> None:
    one = await label(ada)
    await ada.add("Paint", labels=["home"])
    await ada.add("Rake", labels=["Home"])

    await rename(ada, one, "Home")

    assert await labels_of(sql) == {"Paint": ["Home"], "Rake": ["Home"]}
    assert await sql.fetchval("SELECT max(version) FROM tasks WHERE title = 'Rake'") == 1


@pytest.mark.parametrize(("query", "kept"), [("", ["x", "home"]), ("?from_tasks=true", ["x"])])
async def test_a_deleted_label_leaves_tasks_only_if_asked(ada: Person, sql: Sql, query: str, kept: list[str]) -> None:
    one = await label(ada)
    await ada.add("Paint", labels=["x", "home"])

    assert (await ada.http.delete(f"/api/labels/{one['id']}{query}")).status_code == 204

    assert await labels_of(sql) == {"Paint": kept}
    assert (await ada.http.get(f"/api/labels/{one['id']}")).status_code == 404


async def test_a_rename_and_a_change_of_a_task_at_once_both_land(ada: Person, sql: Sql) -> None:
    one = await label(ada)
    task = await ada.add("Paint", labels=["home"])

    renamed, changed = await asyncio.gather(
        ada.http.patch(f"/api/labels/{one['id']}", json={"name": "house"}),
        ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Painted"}),
    )

    assert (renamed.status_code, changed.status_code) == (200, 200)
    assert await labels_of(sql) == {"Painted": ["house"]}


async def test_a_stale_label_is_not_changed(ada: Person) -> None:
    one = await label(ada)
    await rename(ada, one, "house")

    answer = await ada.http.patch(f"/api/labels/{one['id']}", json={"color": None}, headers={"if-match": '"1"'})

    assert answer.status_code == 412


async def test_there_is_a_limit_to_the_number_of_labels(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_PALETTE", 1)
    await label(ada)

    answer = await ada.http.post("/api/labels", json={"name": "more"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many")


async def test_an_operator_changes_the_palette_of_somebody_and_with_it_their_tasks(
    ada: Person, world: World, sql: Sql
) -> None:
    root = await world.person("root", "superuser", "member")
    await ada.add("Paint", labels=["home"])
    await root.add("Other", labels=["home"])
    body = {"name": "home", "user_id": str(ada.id)}

    added = await root.http.post("/api/admin/labels", json=body)
    renamed = await root.http.patch(f"/api/admin/labels/{added.json()['id']}", json={"name": "house"})

    assert (added.status_code, renamed.status_code) == (201, 200), renamed.text
    assert [one["name"] for one in (await ada.http.get("/api/labels")).json()["items"]] == ["house"]
    assert await labels_of(sql) == {"Paint": ["house"], "Other": ["home"]}
