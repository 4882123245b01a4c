"""Who may not view users sees the names of people they share a project with, as over the API, and no others."""

from typing import Any
from uuid import UUID

import pytest
from support.factories import Person, World, origin_for
from support.sharing import share

from todo.access import Actor
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Invalid
from todo.modules import REGISTRY

TASKS = ("tasks.view", "tasks.all", "tasks.export")


@pytest.fixture
async def clerk(world: World) -> Person:
    return await world.person("clerk")


@pytest.fixture
async def task(clerk: Person, ada: Person, bob: Person, sql: Any) -> dict[str, Any]:
    """A task of ada that bob changed and that both are assigned; the clerk shares another project with bob."""
    project = (await clerk.http.post("/api/projects", json={"name": "Office"})).json()["id"]
    theirs = (await ada.http.post("/api/projects", json={"name": "House"})).json()["id"]
    for place in (project, theirs):
        await share(sql, place, bob.id, "editor")
    task = await ada.add("Paint", project_id=theirs, assignee_ids=[str(ada.id), str(bob.id)])
    await bob.http.patch(f"/api/tasks/{task['id']}", json={"title": "Paint it"})
    return task


@pytest.mark.parametrize(
    ("more", "named", "actors"),
    [
        ((), ["bob"], ["bob", ""]),
        (("users.view",), ["ada", "bob"], ["bob@example.com", "ada@example.com"]),
    ],
)
async def test_people_are_named_where_they_may_be(
    database: Database, clerk: Person, task: dict[str, Any], more: tuple[str, ...], named: list[str], actors: list[str]
) -> None:
    actor = Actor(id=clerk.id, name=clerk.email, permissions=frozenset({"admin.enter", *TASKS, *more}))
    admin = AdminService(REGISTRY, database, origin_for(actor))

    (listed,) = (await admin.queries.page("tasks", ListQuery())).items
    row = await admin.queries.get("tasks", UUID(task["id"]))
    history = await admin.history.of_row("tasks", task["id"])
    exported = b"".join([part async for part in await admin.files.export("tasks", ListQuery(), "csv")])

    assert (listed.assignees, row.assignees) == (named, named)
    assert [entry.actor for entry in history.items] == actors
    assert ("ada" in exported.decode()) == ("ada" in named)


async def test_shared_views_of_a_list_that_one_may_not_see_are_hidden(
    database: Database, admin: AdminService, clerk: Person
) -> None:
    for resource in ("users", "tasks"):
        await admin.views.save(resource, f"Secret {resource}", "q=someone@example.com", shared=True)
    permissions = frozenset({"admin.enter", "saved_views.view", "tasks.view"})
    other = AdminService(REGISTRY, database, origin_for(Actor(id=clerk.id, name=clerk.email, permissions=permissions)))

    found = await other.queries.page("saved_views", ListQuery())

    assert [view.name for view in found.items] == ["Secret tasks"]
    assert await other.views.of_list("users") == []


async def test_a_task_for_somebody_else_is_refused_rather_than_made_ones_own(
    database: Database, clerk: Person, task: dict[str, Any], ada: Person, bob: Person, sql: Any
) -> None:
    """Without every row, tasks are added for oneself, and for the owner of a project where one may add them."""
    permissions = frozenset(
        {"admin.enter", "tasks.view", "tasks.add", "tasks.import", "projects.view", "projects.all", "users.view"}
    )
    admin = AdminService(REGISTRY, database, origin_for(Actor(id=bob.id, name=bob.email, permissions=permissions)))
    file = f"title,owner_id\nFor ada,{ada.id}\n".encode()

    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "For ada", "owner_id": str(ada.id)})
    report = await admin.imports.import_rows("tasks", file, apply=True)
    shared = await admin.editor.add(
        "tasks", {"title": "For the house", "owner_id": str(ada.id), "project_id": task["project_id"]}
    )
    own = await admin.editor.add("tasks", {"title": "For me"})

    error = refused.value.errors[0]
    assert (error.field, error.message) == ("body.owner_id", "There is no such user.")
    assert (report.refused, report.rows[0].errors) == (1, ["owner_id: There is no such user."])
    assert (shared.owner_id, own.owner_id) == (ada.id, bob.id)
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE title = 'For ada'") == 0
