"""Two changes of who has a project at the same moment: the second one sees what the first has done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from support.factories import Person, World
from support.sharing import project, share
from support.waiting import waiting_for_locks

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Request: TypeAlias = Coroutine[Any, Any, httpx.Response]
PROJECT = "SELECT FROM projects WHERE id = $1 FOR UPDATE"
ACCESS = "SELECT FROM project_access WHERE project_id = $1 FOR UPDATE"


async def in_this_order(sql: Sql, held: str, project_id: str, *requests: Request) -> list[int]:
    """The answers to requests that have all begun before the first one gets the rows, which they do in this order."""
    async with sql.transaction():
        await sql.execute(held, UUID(project_id))
        begun = []
        for number, request in enumerate(requests, 1):
            begun.append(asyncio.ensure_future(request))
            await waiting_for_locks(sql, number)
    return [answer.status_code for answer in await asyncio.gather(*begun)]


async def is_exact(sql: Sql) -> bool:
    """Whether the stored access is what follows from the members."""
    stored = "SELECT user_id, project_id, role FROM project_access ORDER BY 1, 2"
    before = await sql.fetch(stored)
    await sql.execute("SELECT rewrite_project_access(id) FROM projects")
    return bool(before == await sql.fetch(stored))


async def owner_of(sql: Sql, project_id: str) -> str:
    name = await sql.fetchval(
        "SELECT users.name FROM projects JOIN users ON users.id = owner_id WHERE projects.id = $1", UUID(project_id)
    )
    return str(name)


def transfer(person: Person, project_id: str, to: Person) -> Request:
    return person.http.post(f"/api/projects/{project_id}/transfer", json={"user_id": str(to.id)})


def remove(person: Person, project_id: str, who: Person) -> Request:
    return person.http.delete(f"/api/projects/{project_id}/members/{who.id}")


def move(person: Person, project_id: str, parent_id: str) -> Request:
    return person.http.patch(f"/api/projects/{project_id}", json={"parent_id": parent_id})


@pytest.fixture
async def house(ada: Person, bob: Person, sql: Sql) -> str:
    """A project of ada that bob edits."""
    house = await project(ada)
    await share(sql, house, bob.id, "editor")
    return house


async def test_a_project_is_handed_over_once(ada: Person, bob: Person, world: World, house: str, sql: Sql) -> None:
    carol = await world.person("carol")
    await share(sql, house, carol.id)
    task = await ada.add("Paint", project_id=house)

    answers = await in_this_order(sql, PROJECT, house, transfer(ada, house, bob), transfer(ada, house, carol))

    roles = dict(await sql.fetch("SELECT name, role FROM project_members JOIN users ON users.id = user_id"))
    assert answers == [200, 403]
    assert await owner_of(sql, house) == "bob"
    assert roles == {"ada": "manager", "carol": "viewer"}
    assert await sql.fetchval("SELECT owner_id FROM tasks WHERE id = $1", UUID(task["id"])) == bob.id
    assert await is_exact(sql)


async def test_who_leaves_while_they_get_a_project_leaves_or_owns_it(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    left = await in_this_order(sql, PROJECT, house, remove(bob, house, bob), transfer(ada, house, bob))
    await share(sql, house, bob.id)
    owns = await in_this_order(sql, PROJECT, house, transfer(ada, house, bob), remove(bob, house, bob))

    assert (left, owns) == ([204, 422], [200, 404])
    assert await owner_of(sql, house) == "bob"
    assert await is_exact(sql)


async def test_who_is_removed_while_they_write_has_written_before_or_not_at_all(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    def write() -> Request:
        return bob.http.post("/api/tasks", json={"title": "Paint", "project_id": house})

    written = await in_this_order(sql, ACCESS, house, write(), remove(ada, house, bob))
    await share(sql, house, bob.id, "editor")
    removed = await in_this_order(sql, ACCESS, house, remove(ada, house, bob), write())

    assert (written, removed) == ([201, 204], [204, 422])
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert (await bob.http.get("/api/tasks")).json()["items"] == []


async def test_a_task_is_changed_by_who_is_removed_before_or_not_at_all(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    task = await ada.add("Paint", project_id=house)

    def write(title: str) -> Request:
        return bob.http.patch(f"/api/tasks/{task['id']}", json={"title": title})

    written = await in_this_order(sql, ACCESS, house, write("First"), remove(ada, house, bob))
    await share(sql, house, bob.id, "editor")
    removed = await in_this_order(sql, ACCESS, house, remove(ada, house, bob), write("Second"))

    assert (written, removed) == ([200, 204], [204, 404])
    assert await sql.fetchval("SELECT title FROM tasks") == "First"


@pytest.mark.parametrize("first", ["moved", "shared"])
async def test_a_project_moved_while_the_one_above_is_shared_is_shared_with_it(
    ada: Person, world: World, house: str, sql: Sql, first: str
) -> None:
    carol = await world.person("carol")
    await sql.execute("UPDATE users SET email_verified_at = now()")
    shed = await project(ada, "Shed")
    body = {"email": carol.email, "role": "viewer"}
    invitation = (await ada.http.post(f"/api/projects/{house}/invitations", json=body)).json()["id"]
    moving, accepting = move(ada, shed, house), carol.http.post(f"/api/project-invitations/{invitation}/accept")

    if first == "moved":
        answers = await in_this_order(sql, PROJECT, shed, moving, accepting)
    else:
        answers = await in_this_order(sql, PROJECT, house, accepting, moving)

    assert answers == [200, 200]
    assert (await carol.http.get(f"/api/projects/{shed}")).json()["parent_id"] == house
    assert await is_exact(sql)


async def test_two_projects_moved_below_each_other_at_once_are_no_cycle(ada: Person, house: str, sql: Sql) -> None:
    shed = await project(ada, "Shed")

    answers = await in_this_order(sql, PROJECT, shed, move(ada, shed, house), move(ada, house, shed))

    assert answers == [200, 422]
    assert await is_exact(sql)


@pytest.mark.parametrize(("first", "expected"), [("deleted", [204, 404]), ("accepted", [200, 204])])
async def test_an_invitation_to_a_project_that_is_deleted_is_accepted_before_or_not_at_all(
    ada: Person, world: World, house: str, sql: Sql, first: str, expected: list[int]
) -> None:
    carol = await world.person("carol")
    await sql.execute("UPDATE users SET email_verified_at = now()")
    body = {"email": carol.email, "role": "viewer"}
    invitation = (await ada.http.post(f"/api/projects/{house}/invitations", json=body)).json()["id"]
    requests = [
        ada.http.delete(f"/api/projects/{house}"),
        carol.http.post(f"/api/project-invitations/{invitation}/accept"),
    ]

    answers = await in_this_order(sql, PROJECT, house, *(requests if first == "deleted" else reversed(requests)))

    assert answers == expected
    assert (await carol.http.get(f"/api/projects/{house}")).status_code == 404
    assert await sql.fetchval("SELECT count(*) FROM project_access") == 0


@pytest.mark.parametrize(("first", "expected"), [("viewer", [204, 403]), ("rename", [200, 204])])
async def test_who_loses_a_role_meanwhile_has_used_it_before_or_not_at_all(
    ada: Person, bob: Person, house: str, sql: Sql, first: str, expected: list[int]
) -> None:
    await sql.execute("UPDATE project_members SET role = 'manager'")
    await sql.execute("SELECT rewrite_project_access($1)", UUID(house))
    requests = [
        ada.http.patch(f"/api/projects/{house}/members/{bob.id}", json={"role": "viewer"}),
        bob.http.patch(f"/api/projects/{house}", json={"name": "Bob's"}),
    ]

    answers = await in_this_order(sql, PROJECT, house, *(requests if first == "viewer" else reversed(requests)))

    assert answers == expected
    assert await is_exact(sql)
