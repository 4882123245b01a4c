"""Account deletion of people who own projects that others use."""

from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from support.factories import PASSWORD, Person, World, job_context
from support.sharing import project, share

from todo.database import Database
from todo.domain.tasks.jobs import erase_deleted_accounts

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OVER = "UPDATE users SET deletion_at = now() - interval '1 second' WHERE deletion_at IS NOT NULL"


async def leave(person: Person, **body: Any) -> httpx.Response:
    return await person.http.request("DELETE", "/api/auth/me", json={"password": PASSWORD} | body)


async def names(person: Person) -> list[tuple[str, str]]:
    return [(one["name"], one["role"]) for one in (await person.http.get("/api/projects")).json()["items"]]


@pytest.fixture
async def house(ada: Person, bob: Person, world: World, sql: Sql) -> str:
    """A project of ada with one below it, shared with three people."""
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    await ada.add("Rake", project_id=shed)
    await project(ada, "Private")
    for name, role in (("carol", "viewer"), ("dan", "editor")):
        await share(sql, house, (await world.person(name)).id, role)
    await share(sql, house, bob.id, "editor")
    await share(sql, shed, bob.id, "manager")
    return house


async def test_an_account_is_not_closed_while_others_use_its_projects(ada: Person, house: str, sql: Sql) -> None:
    answer = await leave(ada)

    assert (answer.status_code, answer.json()["code"]) == (409, "shared-projects")
    assert "House." in answer.json()["detail"]
    assert "Private" not in answer.json()["detail"]
    assert await sql.fetchval("SELECT count(*) FROM users WHERE status <> 'active'") == 0


async def test_projects_nobody_else_uses_keep_no_account(ada: Person, house: str) -> None:
    await ada.http.delete(f"/api/projects/{house}")

    assert (await leave(ada)).status_code == 200


async def test_shared_projects_are_handed_over_to_the_first_of_those_with_the_highest_role(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    answer = await leave(ada, shared_projects="hand_over")

    owners = dict(await sql.fetch("SELECT projects.name, users.name FROM projects JOIN users ON users.id = owner_id"))
    assert answer.status_code == 200
    assert (owners["House"], owners["Shed"], owners["Private"]) == ("dan", "dan", "ada")
    assert await names(bob) == [("Inbox", "owner"), ("House", "editor"), ("Shed", "manager")]
    actors = await sql.fetch("SELECT actor, source FROM audit_events WHERE action = 'projects.transfer'")
    assert [tuple(row) for row in actors] == [("ada@example.com", "api")]


async def test_shared_projects_are_deleted_where_one_says_so(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    answer = await leave(ada, shared_projects="delete")

    assert answer.status_code == 200
    assert await names(bob) == [("Inbox", "owner")]
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NOT NULL AND owner_id = $1", ada.id) == 1


async def test_a_project_shared_since_the_account_was_closed_is_handed_over_when_it_is_erased(
    ada: Person, bob: Person, sql: Sql, database: Database
) -> None:
    house = await project(ada)
    task = await ada.add("Paint", project_id=house)
    await ada.add("Private")
    await leave(ada)
    await share(sql, house, bob.id, "viewer")
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    assert await sql.fetchval("SELECT count(*) FROM users WHERE id = $1", ada.id) == 0
    assert await names(bob) == [("Inbox", "owner"), ("House", "owner")]
    assert (await bob.http.get(f"/api/tasks/{task['id']}")).json()["title"] == "Paint"
    assert [one["title"] for one in (await bob.http.get("/api/tasks")).json()["items"]] == ["Paint"]


async def test_an_account_is_erased_although_who_gets_its_projects_has_many(
    ada: Person, bob: Person, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await project(ada)
    await share(sql, house, bob.id, "viewer")
    monkeypatch.setattr("todo.domain.tasks.services.project_contents.MAX_PROJECTS", 1)
    refused = await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})

    assert (refused.status_code, refused.json()["code"]) == (409, "too-many")
    assert (await leave(ada, shared_projects="hand_over")).status_code == 200
    assert await names(bob) == [("Inbox", "owner"), ("House", "owner")]


async def test_an_erased_address_is_in_no_invitation_and_no_event(
    ada: Person, bob: Person, sql: Sql, database: Database
) -> None:
    house = await project(ada)
    await sql.execute("UPDATE users SET email_verified_at = now()")
    body = {"email": bob.email, "role": "viewer"}
    first = (await ada.http.post(f"/api/projects/{house}/invitations", json=body)).json()
    await bob.http.post(f"/api/project-invitations/{first['id']}/accept")
    await ada.http.post(f"/api/projects/{house}/invitations", json=body)
    await leave(bob)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    events = str(await sql.fetch("SELECT e::text FROM audit_events e"))
    assert bob.email not in events
    assert await sql.fetchval("SELECT count(*) FROM project_invitations") == 0
