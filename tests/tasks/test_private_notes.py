"""Private notes: seen by who wrote them alone, whatever becomes of the task."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from support.factories import Person
from support.sharing import project, share
from support.waiting import waiting_for_locks

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SECRET = "Do not say this aloud"


@pytest.fixture
async def shared(ada: Person, bob: Person, sql: Sql) -> str:
    """A task of ada that bob may read."""
    house = await project(ada)
    await share(sql, house, bob.id, "viewer")
    return str((await ada.add("Paint", project_id=house))["id"])


async def write(person: Person, task_id: str, text: str = SECRET, **headers: str) -> httpx.Response:
    path = f"/api/tasks/{task_id}/private-note"
    return await person.http.patch(
        path, json={"text": text}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def read(person: Person, task_id: str) -> httpx.Response:
    return await person.http.get(f"/api/tasks/{task_id}/private-note")


async def test_everybody_has_a_note_of_their_own(ada: Person, bob: Person, shared: str) -> None:
    written = [await write(bob, shared, "Bob's"), await write(ada, shared, "Ada's")]

    found = [(await read(person, shared)).json() for person in (ada, bob)]
    assert [one.status_code for one in written] == [200, 200]
    assert [(one["text"], one["task_id"], one["version"]) for one in found] == [
        ("Ada's", shared, 1),
        ("Bob's", shared, 1),
    ]


async def test_a_note_is_replaced_by_version_and_deleted(ada: Person, shared: str) -> None:
    await write(ada, shared)
    changed = await write(ada, shared, "Second", If_Match='"1"')
    stale = await write(ada, shared, "Third", If_Match='"1"')
    path = f"/api/tasks/{shared}/private-note"
    unchanged = await ada.http.get(path, headers={"If-None-Match": changed.headers["ETag"]})
    deleted = await ada.http.delete(path)

    assert (changed.json()["text"], changed.json()["version"]) == ("Second", 2)
    assert (stale.status_code, stale.json()["current"]["text"]) == (412, "Second")
    assert (unchanged.status_code, deleted.status_code) == (304, 204)
    assert [(await read(ada, shared)).status_code, (await ada.http.delete(path)).status_code] == [404, 404]


async def test_a_note_is_hidden_while_its_writer_does_not_see_the_task(
    ada: Person, bob: Person, shared: str, sql: Sql
) -> None:
    await write(bob, shared)
    members = (await sql.fetchval("SELECT project_id FROM project_members"),)
    removed = await ada.http.delete(f"/api/projects/{members[0]}/members/{bob.id}")

    hidden = [(await read(bob, shared)).status_code, (await write(bob, shared)).status_code]
    await share(sql, str(members[0]), bob.id, "viewer")

    assert (removed.status_code, hidden) == (204, [404, 404])
    assert (await read(bob, shared)).json()["text"] == SECRET


async def test_nothing_shows_the_text_to_others(ada: Person, bob: Person, shared: str, sql: Sql) -> None:
    await write(bob, shared)
    await write(bob, shared, SECRET + " again")
    await bob.http.delete(f"/api/tasks/{shared}/private-note")

    events = await sql.fetch(
        "SELECT action, e::text FROM audit_events e WHERE action LIKE 'private_notes.%' ORDER BY id"
    )
    assert [row["action"] for row in events] == ["private_notes.add", "private_notes.change", "private_notes.delete"]
    assert SECRET not in str([row["e"] for row in events])
    assert SECRET not in (await ada.http.get(f"/api/tasks/{shared}")).text


async def test_of_many_at_once_one_is_kept(ada: Person, shared: str, sql: Sql) -> None:
    answers = await asyncio.gather(*(write(ada, shared, str(number)) for number in range(10)))

    assert {one.status_code for one in answers} == {200}
    assert await sql.fetchval("SELECT count(*) FROM private_notes") == 1
    assert (await read(ada, shared)).json()["version"] == 10


@pytest.mark.parametrize("body", [{"text": ""}, {"text": "x" * 10_001}, {"text": "\0"}, {"words": "x"}, {}], ids=repr)
async def test_a_text_out_of_bounds_is_refused(ada: Person, shared: str, body: dict[str, Any]) -> None:
    answer = await ada.http.patch(f"/api/tasks/{shared}/private-note", json=body)

    assert answer.status_code == 422
    assert (await read(ada, shared)).status_code == 404


async def test_there_is_a_limit(ada: Person, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("todo.domain.tasks.private_notes.services.MAX_NOTES", 1)
    other = (await ada.add("Other"))["id"]

    answers = [await write(ada, shared), await write(ada, other), await write(ada, shared, "Changed")]

    assert [one.status_code for one in answers] == [200, 409, 200]
    assert answers[1].json()["detail"] == "There can be 1 private notes."


async def test_a_note_about_a_task_that_is_purged_meanwhile_is_a_404(ada: Person, shared: str, sql: Sql) -> None:
    await write(ada, shared)
    async with sql.transaction():
        await sql.execute("DELETE FROM tasks")
        writing = asyncio.create_task(write(ada, shared, "Too late"))
        await waiting_for_locks(sql, 1)

    assert (await writing).status_code == 404
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'private_notes.change'") == 0


async def test_a_note_ends_with_its_task(ada: Person, shared: str, sql: Sql) -> None:
    await write(ada, shared)
    await ada.http.delete(f"/api/tasks/{shared}")
    await ada.http.delete(f"/api/trash/{shared}")

    assert await sql.fetchval("SELECT count(*) FROM private_notes") == 0


async def test_notes_count_as_storage_of_who_wrote_them(ada: Person, bob: Person, shared: str, sql: Sql) -> None:
    async def stored(person: Person) -> int:
        return int((await person.http.get("/api/me/usage")).json()["storage"]["used"])

    before = await stored(bob), await stored(ada)
    steps = []
    for text in ("Ärger", "No", ""):
        if text:
            await write(bob, shared, text)
        else:
            await bob.http.delete(f"/api/tasks/{shared}/private-note")
        steps.append(await stored(bob) - before[0])
    await write(bob, shared, "Again")
    await sql.execute("DELETE FROM tasks")

    assert steps == [6, 2, 0]
    assert (await stored(bob), await stored(ada)) == (before[0], before[1] - len("Paint"))
    assert await sql.fetch("SELECT miscounted_usage()") == []


async def test_a_note_of_an_erased_account_is_counted_for_nobody(bob: Person, shared: str, sql: Sql) -> None:
    await write(bob, shared)

    await sql.execute("DELETE FROM users WHERE id = $1", bob.id)

    assert await sql.fetch("SELECT miscounted_usage()") == []
