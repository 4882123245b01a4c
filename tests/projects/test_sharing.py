"""Shared projects: who sees what, and what each role allows."""

from typing import TypeAlias

import asyncpg
import httpx
import pytest
from support.factories import Person, World
from support.sharing import project, share

from todo.domain.projects.rules import MEMBER_ROLES, ROLES, Role

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def titles(person: Person, query: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def test_what_is_shared_is_in_every_list_of_a_member_and_gone_once_they_are_not(
    ada: Person, bob: Person, sql: Sql
) -> None:
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    painting = await ada.add("Paint", project_id=house, priority=4)
    await ada.add("Rake", project_id=shed)
    await ada.add("Private")
    await ada.add("Rent", project_id=house, **MONTHLY)
    await bob.add("Own")

    await share(sql, house, bob.id)

    assert await titles(bob) == ["Own", "Rent", "Rake", "Paint"]
    assert await titles(bob, "sort=title") == ["Own", "Paint", "Rake", "Rent"]
    assert await titles(bob, "priority=4") == ["Paint"]
    assert await titles(bob, "q=ra") == ["Rake"]
    assert await titles(bob, f"project_id={shed}") == ["Rake"]
    counted = (await bob.http.get("/api/tasks?count=true&limit=1")).json()
    assert (counted["total"], [task["title"] for task in counted["items"]]) == (4, ["Own"])
    following = (await bob.http.get(f"/api/tasks?limit=2&cursor={counted['next_cursor']}")).json()
    assert [task["title"] for task in following["items"]] == ["Rent", "Rake"]
    assert [one["template"]["title"] for one in (await bob.http.get("/api/series")).json()["items"]] == ["Rent"]
    projects = (await bob.http.get("/api/projects")).json()["items"]
    assert [(one["name"], one["role"]) for one in projects] == [
        ("Inbox", "owner"), ("House", "viewer"), ("Shed", "viewer"),
    ]  # fmt: skip

    assert (await ada.http.delete(f"/api/projects/{house}/members/{bob.id}")).status_code == 204

    assert await titles(bob) == ["Own"]
    assert (await bob.http.get(f"/api/tasks/{painting['id']}")).status_code == 404
    assert (await bob.http.get(f"/api/projects/{shed}")).status_code == 404


async def test_a_member_of_a_project_below_does_not_see_the_one_above(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    await ada.add("Paint", project_id=house)
    await ada.add("Rake", project_id=shed)

    await share(sql, shed, bob.id, "editor")

    assert await titles(bob) == ["Rake"]
    seen = (await bob.http.get(f"/api/projects/{shed}")).json()
    assert (seen["parent_id"], seen["role"], seen["shared"]) == (None, "editor", True)
    assert (await bob.http.get(f"/api/projects/{house}")).status_code == 404


# What is tried -> the verb of the role that it needs.
TRIED = {
    "see": "see", "complete": "complete", "reopen": "complete", "skip": "complete", "cancel": "complete",
    "add": "edit", "change": "edit", "move": "edit", "trash": "edit", "restore": "edit", "subtask": "edit",
    "change series": "edit", "purge": "manage", "rename": "manage", "add below": "manage", "change role": "manage",
    "remove member": "manage", "invite": "manage", "list invitations": "manage", "withdraw": "manage",
    "add link": "manage", "list links": "manage", "revoke link": "manage", "delete": "own",
    "transfer": "own", "nest": "own",
    "place": "edit", "see sections": "see", "add section": "manage", "change section": "manage",
    "delete section": "manage", "order": "edit",
    "wait": "edit", "wait no more": "edit", "see what it waits for": "see",
    "see what waits for it": "see",
    "see comments": "see", "add comment": "comment", "delete comment": "manage",
    "see view": "see", "add view": "edit", "change view": "edit", "delete view": "edit",
}  # fmt: skip


class Attempts:
    """One project with a task in each state, and what a member tries with them."""

    def __init__(self, ada: Person, member: Person, other: Person, sql: Sql):
        self.ada, self.member, self.other, self.sql = ada, member, other, sql

    async def prepare(self, role: Role) -> None:
        self.house = await project(self.ada)
        self.open = (await self.ada.add("Open", project_id=self.house))["id"]
        sections = f"/api/projects/{self.house}/sections"
        self.section = (await self.ada.http.post(sections, json={"name": "Attic"})).json()["id"]
        comments = f"/api/tasks/{self.open}/comments"
        self.comment = (await self.ada.http.post(comments, json={"text": "Ours"})).json()["id"]
        view = {"name": "Ours", "project_id": self.house}
        self.view = (await self.ada.http.post("/api/views", json=view)).json()["id"]
        self.series = await self.ada.add("Rent", project_id=self.house, **MONTHLY)
        self.done = (await self.ada.add("Done", project_id=self.house))["id"]
        await self.ada.http.post(f"/api/tasks/{self.done}/complete")
        self.waiting = (await self.ada.add("Waiting", project_id=self.house))["id"]
        await self.ada.http.post(f"/api/tasks/{self.waiting}/dependencies", json={"blocker_id": self.done})
        self.trashed = (await self.ada.add("Trashed", project_id=self.house))["id"]
        await self.ada.http.delete(f"/api/tasks/{self.trashed}")
        await share(self.sql, self.house, self.member.id, role)
        await share(self.sql, self.house, self.other.id)
        await self.sql.execute("UPDATE users SET email_verified_at = now()")
        path, invitation = f"/api/projects/{self.house}", {"email": "eve@example.com", "role": "viewer"}
        self.invitation = (await self.ada.http.post(f"{path}/invitations", json=invitation)).json()["id"]
        self.link = (await self.ada.http.post(f"{path}/links", json={})).json()["id"]

    async def try_to(self, what: str) -> httpx.Response:
        day = {"kind": "day", "date": "2031-02-01"}
        tasks, projects, occurrence = "/api/tasks", f"/api/projects/{self.house}", self.series["id"]
        method, path, body = {
            "see": ("GET", f"{tasks}/{self.open}", None),
            "complete": ("POST", f"{tasks}/{self.open}/complete", None),
            "reopen": ("POST", f"{tasks}/{self.done}/reopen", None),
            "skip": ("POST", f"{tasks}/{occurrence}/skip", None),
            "cancel": ("POST", f"{tasks}/{self.open}/cancel", None),
            "add": ("POST", tasks, {"title": "New", "project_id": self.house}),
            "change": ("PATCH", f"{tasks}/{self.open}", {"title": "Changed"}),
            "move": ("POST", f"{tasks}/{self.open}/move", {"due": day}),
            "trash": ("DELETE", f"{tasks}/{self.open}", None),
            "restore": ("POST", f"/api/trash/{self.trashed}/restore", None),
            "subtask": ("POST", tasks, {"title": "Below", "parent_id": self.open}),
            "change series": ("PATCH", f"/api/series/{self.series['series_id']}", {"title": "Changed"}),
            "purge": ("DELETE", f"/api/trash/{self.trashed}", None),
            "place": ("PATCH", f"{tasks}/{self.open}", {"section_id": self.section}),
            "order": ("POST", f"{tasks}/{self.open}/move-after", {"after_id": None}),
            "wait": ("POST", f"{tasks}/{self.open}/dependencies", {"blocker_id": self.done}),
            "wait no more": ("DELETE", f"{tasks}/{self.waiting}/dependencies/{self.done}", None),
            "see what it waits for": ("GET", f"{tasks}/{self.waiting}/dependencies", None),
            "see what waits for it": ("GET", f"{tasks}/{self.done}/dependents", None),
            "see comments": ("GET", f"{tasks}/{self.open}/comments", None),
            "add comment": ("POST", f"{tasks}/{self.open}/comments", {"text": "@carol come"}),
            "delete comment": ("DELETE", f"{tasks}/{self.open}/comments/{self.comment}", None),
            "see sections": ("GET", f"{projects}/sections", None),
            "add section": ("POST", f"{projects}/sections", {"name": "Cellar"}),
            "change section": ("PATCH", f"{projects}/sections/{self.section}", {"name": "Cellar"}),
            "delete section": ("DELETE", f"{projects}/sections/{self.section}", None),
            "see view": ("GET", f"/api/views/{self.view}", None),
            "add view": ("POST", "/api/views", {"name": "Mine", "project_id": self.house}),
            "change view": ("PATCH", f"/api/views/{self.view}", {"name": "Mine"}),
            "delete view": ("DELETE", f"/api/views/{self.view}", None),
            "rename": ("PATCH", projects, {"name": "Home"}),
            "add below": ("POST", "/api/projects", {"name": "Shed", "parent_id": self.house}),
            "change role": ("PATCH", f"{projects}/members/{self.other.id}", {"role": "editor"}),
            "remove member": ("DELETE", f"{projects}/members/{self.other.id}", None),
            "invite": ("POST", f"{projects}/invitations", {"email": "fay@example.com", "role": "viewer"}),
            "list invitations": ("GET", f"{projects}/invitations", None),
            "withdraw": ("DELETE", f"{projects}/invitations/{self.invitation}", None),
            "add link": ("POST", f"{projects}/links", {}),
            "list links": ("GET", f"{projects}/links", None),
            "revoke link": ("DELETE", f"{projects}/links/{self.link}", None),
            "delete": ("DELETE", projects, None),
            "transfer": ("POST", f"{projects}/transfer", {"user_id": str(self.member.id)}),
            "nest": ("PATCH", projects, {"parent_id": None}),
        }[what]
        return await self.member.http.request(method, path, json=body)


@pytest.mark.parametrize("role", MEMBER_ROLES)
@pytest.mark.parametrize("what", TRIED)
async def test_a_role_allows_its_verbs_and_nothing_else(
    ada: Person, bob: Person, world: World, sql: Sql, role: Role, what: str
) -> None:
    attempts = Attempts(ada, bob, await world.person("carol"), sql)
    await attempts.prepare(role)

    answer = await attempts.try_to(what)

    if TRIED[what] in ROLES[role]:
        assert answer.status_code < 300, answer.text
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "role-required")


async def test_a_subproject_belongs_to_the_owner_of_the_project_above(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    await share(sql, house, bob.id, "manager")

    shed = await project(bob, "Shed", parent_id=house)

    seen = (await bob.http.get(f"/api/projects/{shed}")).json()
    assert (seen["owner_id"], seen["role"], seen["parent_id"]) == (str(ada.id), "manager", house)
    task = await bob.add("Rake", project_id=shed)
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["created_by"] == str(bob.id)


async def test_members_are_listed_with_their_roles_and_where_these_come_from(
    ada: Person, bob: Person, world: World, sql: Sql
) -> None:
    carol = await world.person("carol")
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    await share(sql, house, bob.id, "completer")
    await share(sql, shed, carol.id, "manager")

    listed = (await bob.http.get(f"/api/projects/{shed}/members")).json()["items"]

    assert [(one["name"], one["role"], one["inherited"]) for one in listed] == [
        ("ada", "owner", False), ("carol", "manager", False), ("bob", "completer", True),
    ]  # fmt: skip
    inherited = await ada.http.delete(f"/api/projects/{shed}/members/{bob.id}")
    assert inherited.json()["code"] == "inherited-role"
    stranger = await ada.http.delete(f"/api/projects/{house}/members/{carol.id}")
    assert stranger.status_code == 404


async def test_the_higher_of_two_roles_counts(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    await share(sql, house, bob.id, "viewer")
    await share(sql, shed, bob.id, "editor")

    assert (await bob.http.get(f"/api/projects/{shed}")).json()["role"] == "editor"
    assert (await bob.http.get(f"/api/projects/{house}")).json()["role"] == "viewer"


async def test_a_project_moves_away_from_those_who_saw_the_one_above(ada: Person, bob: Person, sql: Sql) -> None:
    house, shed = await project(ada), await project(ada, "Shed")
    await share(sql, house, bob.id)
    await ada.add("Rake", project_id=shed)

    await ada.http.patch(f"/api/projects/{shed}", json={"parent_id": house})
    assert await titles(bob) == ["Rake"]
    await ada.http.patch(f"/api/projects/{shed}", json={"parent_id": None})
    assert await titles(bob) == []


async def test_who_leaves_a_project_sees_it_no_more(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    await share(sql, house, bob.id)

    assert (await bob.http.delete(f"/api/projects/{house}/members/{bob.id}")).status_code == 204
    assert (await bob.http.get(f"/api/projects/{house}")).status_code == 404


async def test_handing_a_project_over_takes_tasks_and_series_along(ada: Person, world: World, sql: Sql) -> None:
    kiri = await world.person("kiri", timezone="Pacific/Auckland")
    house = await project(ada)
    shed = await project(ada, "Shed", parent_id=house)
    task = await ada.add("Paint", project_id=shed, due={"kind": "day", "date": "2031-01-01"})
    recurring = await ada.add("Rent", project_id=house, **MONTHLY)
    await share(sql, house, kiri.id, "viewer")

    stranger = await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(ada.id)})
    answer = await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(kiri.id)})

    assert stranger.json()["errors"][0]["field"] == "body.user_id"
    assert (answer.json()["owner_id"], answer.json()["role"]) == (str(kiri.id), "manager")
    owners = await sql.fetch("SELECT owner_id FROM tasks UNION SELECT owner_id FROM series")
    assert [row["owner_id"] for row in owners] == [kiri.id]
    assert await sql.fetchval("SELECT timezone_pending_since IS NOT NULL FROM users WHERE id = $1", kiri.id)
    assert (await kiri.http.get(f"/api/projects/{shed}")).json()["role"] == "owner"
    assert (await kiri.http.post(f"/api/tasks/{recurring['id']}/complete")).status_code == 200
    assert (await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Still mine to edit"})).status_code == 200
    assert (await ada.http.delete(f"/api/projects/{house}")).json()["code"] == "role-required"
    usage = (await ada.http.get("/api/me/usage")).json()
    assert (usage["tasks"]["used"], usage["series"]["used"]) == (0, 0)


async def test_a_task_moves_between_the_projects_of_two_owners(ada: Person, bob: Person, sql: Sql) -> None:
    house, office = await project(ada), await project(bob, "Office")
    await share(sql, office, ada.id, "editor")
    task = await ada.add("Paint", project_id=house)
    child = await ada.add("Brush", parent_id=task["id"])

    moved = await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": office})
    back = await bob.http.patch(f"/api/tasks/{task['id']}", json={"project_id": house})

    assert moved.json()["project_id"] == office
    assert await titles(bob) == ["Brush", "Paint"]
    assert back.json()["errors"][0]["field"] == "body.project_id"
    assert await sql.fetchval("SELECT owner_id FROM tasks WHERE id = $1", child["id"]) == bob.id
