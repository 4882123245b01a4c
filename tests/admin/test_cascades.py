"""What belongs to other rows: subtasks that go along, occurrences that come up, parents of others, rights of the
stronger.
"""

from typing import Any

import pytest
from support.admin_rows import many
from support.factories import Person, World, origin_for

from todo.access import Actor, worker_origin
from todo.admin.previews import cascade_of
from todo.admin.registry import Registry
from todo.admin.runs import carry_out
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.accounts.rules import GRANTS, SUPPORT
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Conflict, Invalid

LIVE = "SELECT count(*) FROM tasks WHERE deleted_at IS NULL"


async def family(person: Person) -> list[Any]:
    parent = await person.add("Parent")
    return [parent["id"], (await person.add("Child", parent_id=parent["id"]))["id"]]


async def test_a_subtask_deleted_with_its_parent_can_be_restored(admin: AdminService, ada: Person, sql: Any) -> None:
    ids = await family(ada)

    preview = await admin.editor.preview("tasks", ids[:1])
    deleted = await admin.actions.act("tasks", "delete", Selection(ids=ids))
    assert await sql.fetchval(LIVE) == 0
    restored = await admin.actions.act("tasks", "restore", Selection(ids=ids))

    assert (preview.to_trash, [(one.resource, one.count) for one in preview.taken]) == (True, [("tasks", 1)])
    assert [(one.done, one.failed) for one in (deleted, restored)] == [(2, []), (2, [])]
    assert await sql.fetchval(LIVE) == 2


async def test_a_preview_goes_down_to_the_rows_of_rows(registry: Registry, database: Database, ada: Person) -> None:
    await ada.add(due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=DAILY"})

    async with database.session(origin_for(Actor(ada.id, ada.email))) as session:
        items = await cascade_of(session, registry, registry.table("users"), [ada.id])

    assert {"Tasks": 1, "Series": 1, "Occurrences": 1}.items() <= {item.label: item.count for item in items}.items()


async def test_what_matches_in_the_trash_ends_with_its_parent(admin: AdminService, ada: Person, sql: Any) -> None:
    ids = await family(ada)
    await admin.actions.act("tasks", "delete", Selection(ids=ids))

    ended = await admin.actions.act("tasks", "delete", Selection(matching=ListQuery(trash=True)))

    assert (ended.done, ended.failed, await sql.fetchval("SELECT count(*) FROM tasks")) == (2, [], 0)


async def test_trash_and_other_rows_are_not_deleted_together(admin: AdminService, ada: Person, sql: Any) -> None:
    ids = [(await ada.add(title))["id"] for title in "AB"]
    await admin.editor.delete("tasks", ids[0])

    with pytest.raises(Invalid):
        await admin.actions.act("tasks", "delete", Selection(ids=ids))

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 2


async def test_what_is_out_of_sight_says_nothing_of_itself(
    registry: Registry, database: Database, ada: Person, bob: Person
) -> None:
    permissions = frozenset({"admin.enter", "tasks.view", "tasks.delete", "tasks.purge"})
    own = AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))
    mine, live, trashed = [(await one.add("A"))["id"] for one in (ada, bob, bob)]
    await bob.http.delete(f"/api/tasks/{trashed}")

    sent = [
        (await own.actions.act("tasks", "delete", Selection(ids=[one]))).failed[0].message for one in (live, trashed)
    ]
    beside = await own.actions.act("tasks", "delete", Selection(ids=[mine, trashed]))

    assert sent[0] == sent[1]
    assert (beside.done, [failure.id for failure in beside.failed]) == (1, [trashed])


@pytest.mark.parametrize("number", [5, 105])
async def test_occurrences_that_come_up_meanwhile_are_left_alone(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any, number: int
) -> None:
    await many(sql, ada, number)
    due = {"kind": "day", "date": "2031-01-31"}
    await ada.add("Water", due=due, recurrence={"rrule": "FREQ=DAILY"})

    outcome = await admin.actions.act("tasks", "complete", Selection(matching=ListQuery(filters={"status": ["open"]})))
    if outcome.run is not None:
        await carry_out(registry, database, actor_of, outcome.run, worker_origin())
        assert (await admin.queries.get("runs", outcome.run)).done == number + 1

    assert await sql.fetch("SELECT title, occurrence FROM tasks WHERE status = 'open'") == [("Water", "2031-02-01")]


async def test_a_task_hangs_below_its_owners_only(admin: AdminService, ada: Person, bob: Person, sql: Any) -> None:
    parent = (await ada.add("Ada's"))["id"]

    with pytest.raises(Invalid):
        await admin.editor.add("tasks", {"title": "Bob's", "owner_id": bob.id, "parent_id": parent})
    rows = f"title,owner_id,parent_id\nBob's,{bob.id},{parent}\n"
    report = await admin.imports.import_rows("tasks", rows.encode(), apply=True)

    assert (report.refused, await sql.fetchval("SELECT count(*) FROM tasks")) == (1, 1)


async def test_the_audit_log_shows_what_was_written_only_to_who_may_see_it(world: World, ada: Person) -> None:
    await ada.add("Secret")
    support = await world.person("sue", SUPPORT)
    auditor = await world.person("otto", "auditor")

    found = [(await one.http.get("/api/admin/audit?subject=tasks")).json()["items"][0] for one in (support, auditor)]
    whole = [await one.http.get(f"/api/admin/audit/{found[0]['id']}") for one in (support, auditor)]

    assert ["Secret" in answer.text for answer in whole] == [False, True]
    assert "audit.values" not in GRANTS[SUPPORT]


@pytest.mark.parametrize("action", ["sign_out", "send_reset"])
async def test_nobody_steers_the_more_powerful(world: World, action: str) -> None:
    boss, support = await world.person("boss", "superuser"), await world.person("sue", SUPPORT)

    answer = await support.http.post(f"/api/admin/users/{boss.id}/actions/{action}", json={})

    assert answer.status_code == 403


async def test_the_role_that_everybody_gets_stays(admin: AdminService, sql: Any) -> None:
    member = await sql.fetchval("SELECT id FROM roles WHERE name = 'member'")

    with pytest.raises(Conflict):
        await admin.editor.delete("roles", member)


async def test_only_changes_without_an_action_of_their_own_can_be_undone(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water")
    await admin.editor.change("tasks", task["id"], {"priority": 2})
    await admin.actions.act_on_one("tasks", "complete", task["id"])

    found = (await admin.history.of_row("tasks", task["id"])).items

    assert [(entry.action, entry.revertible) for entry in found] == [
        ("tasks.complete", False), ("tasks.change", True), ("tasks.add", False),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [1, -1])
async def test_an_occurrence_deleted_together_with_its_subtasks_leaves_them_to_the_next(
    admin: AdminService, ada: Person, sql: Any, order: int
) -> None:
    titles = ["Child", "Water"][::order]
    tasks = {title: await ada.add(title, due={"kind": "day", "date": "2031-01-31"}) for title in titles}
    await ada.http.patch(f"/api/tasks/{tasks['Child']['id']}", json={"parent_id": tasks["Water"]["id"]})
    await ada.http.patch(f"/api/tasks/{tasks['Water']['id']}", json={"recurrence": {"rrule": "FREQ=DAILY"}})

    deleted = await admin.actions.act("tasks", "delete", Selection(ids=[task["id"] for task in tasks.values()]))

    assert (deleted.done, deleted.failed) == (2, [])
    assert [row["title"] for row in await sql.fetch("SELECT title FROM tasks WHERE deleted_at IS NULL ORDER BY 1")] == [
        "Child",
        "Water",
    ]


async def test_what_the_next_occurrence_copies_is_not_deleted_for_good(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=DAILY"})
    child = await ada.add("Child", parent_id=task["id"])
    await ada.http.post(f"/api/series/{task['series_id']}/pause", json={})
    await ada.http.delete(f"/api/tasks/{task['id']}")

    for row_id in (task["id"], child["id"]):
        with pytest.raises(Conflict):
            await admin.editor.delete("tasks", row_id)

    await ada.http.post(f"/api/series/{task['series_id']}/end", json={})
    await admin.editor.delete("tasks", task["id"])
