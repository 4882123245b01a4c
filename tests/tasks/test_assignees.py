"""Whom tasks are assigned to: people who see the project, while they do."""

import asyncio
import json
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from support.factories import Person, World
from support.invariants import broken, spoil
from support.series import Json, day, work
from support.sharing import project, share
from support.waiting import waiting_for_locks

from todo.access import worker_origin
from todo.database import Database
from todo.domain.accounts.services.account_deletion import erase_due
from todo.domain.tasks.invariants import INVARIANTS
from todo.domain.tasks.services.owned_projects import before_erasure

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Task: TypeAlias = dict[str, Any]
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def found(person: Person, query: str) -> list[str]:
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def change(person: Person, task: Task, scope: str = "this", **fields: Any) -> Task:
    answer = await person.http.patch(f"/api/tasks/{task['id']}?scope={scope}", json=fields)
    assert answer.status_code == 200, answer.text
    changed: Task = answer.json()
    return changed


async def assignees(sql: Sql, task: Task) -> list[str]:
    people = await sql.fetchval("SELECT assignee_ids FROM tasks WHERE id = $1", UUID(task["id"]))
    return [str(person) for person in people]


def ids(*people: Person) -> list[str]:
    return sorted(str(person.id) for person in people)


@pytest.fixture
async def house(ada: Person, bob: Person, sql: Sql) -> str:
    """A project of ada in which bob sees everything."""
    house = await project(ada)
    await share(sql, house, bob.id)
    return house


async def test_a_task_is_assigned_to_people_who_see_its_project(ada: Person, bob: Person, house: str) -> None:
    task = await ada.add(project_id=house, assignee_ids=[str(bob.id), str(ada.id), str(bob.id)])
    assert task["assignee_ids"] == ids(ada, bob)
    assert (await bob.http.get(f"/api/tasks/{task['id']}")).json()["assignee_ids"] == ids(ada, bob)

    assert (await change(ada, task, assignee_ids=ids(bob)))["assignee_ids"] == ids(bob)
    assert (await change(ada, task, assignee_ids=None))["assignee_ids"] == []
    assert (await ada.add(assignee_ids=ids(ada)))["assignee_ids"] == ids(ada)
    assert (await ada.add(assignee_ids=None))["assignee_ids"] == []


@pytest.mark.parametrize(("add", "others"), [(True, []), (False, []), (False, ["ada"])])
async def test_nobody_without_access_is_assigned(
    ada: Person, bob: Person, sql: Sql, add: bool, others: list[str]
) -> None:
    task, before = await ada.add(), await sql.fetchval("SELECT count(*) FROM audit_events")
    for stranger in (str(bob.id), str(uuid4())):
        body = {"title": "Paint", "assignee_ids": [stranger, *(str(ada.id) for _ in others)]}
        path = "/api/tasks" if add else f"/api/tasks/{task['id']}"
        answer = await ada.http.request("POST" if add else "PATCH", path, json=body)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["field"], error["code"]) == (422, "body.assignee_ids", "not_found")

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_events") == before


@pytest.mark.parametrize(
    ("people", "field"),
    [([str(uuid4())] * 21, "body.assignee_ids"), (["ada"], "body.assignee_ids.0"), ("me", "body.assignee_ids")],
)
async def test_what_is_no_list_of_ids_is_refused(ada: Person, people: Any, field: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "Paint", "assignee_ids": people})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_assigning_is_for_editors(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house)
    for role, status in (("commenter", 403), ("completer", 403), ("editor", 200)):
        await sql.execute("UPDATE project_access SET role = $1", role)
        answer = await bob.http.patch(f"/api/tasks/{task['id']}", json={"assignee_ids": ids(bob)})
        assert answer.status_code == status, role


async def test_tasks_are_found_by_assignee(ada: Person, bob: Person, world: World, house: str, sql: Sql) -> None:
    carol = await world.person("carol")
    await ada.add("Own", assignee_ids=ids(ada))
    await ada.add("Paint", project_id=house, assignee_ids=ids(bob))
    await ada.add("Both", project_id=house, assignee_ids=ids(ada, bob))
    await ada.add("Nobody", project_id=house)

    assert await found(ada, "assignee=me") == ["Both", "Own"]
    assert await found(bob, "assignee=me&sort=title") == ["Both", "Paint"]
    assert await found(bob, f"assignee={ada.id}") == ["Both"]  # her own task is not his
    assert await found(bob, f"assignee=me&project_id={house}&status=open") == ["Both", "Paint"]
    assert await found(ada, f"assignee={bob.id}&q=paint") == ["Paint"]
    assert await found(ada, "assignee=none") == ["Nobody"]
    assert await found(carol, f"assignee={bob.id}") == await found(ada, f"assignee={carol.id}") == []
    assert (await ada.http.get(f"/api/tasks?assignee={bob.id}&count=true&limit=1")).json()["total"] == 2


@pytest.mark.parametrize("assignee", ["", "ada", "ME!", "0190"])
async def test_a_question_for_no_person_is_refused(ada: Person, assignee: str) -> None:
    answer = await ada.http.get(f"/api/tasks?assignee={assignee}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.assignee")


async def test_filters_know_assignees(ada: Person, bob: Person, world: World, house: str) -> None:
    await world.person("carol")
    await ada.add("Own", assignee_ids=ids(ada))
    await ada.add("Paint", project_id=house, assignee_ids=ids(bob), priority=4)
    await ada.add("Both", project_id=house, assignee_ids=ids(ada, bob))
    await ada.add("Nobody")

    async def by(person: Person, text: str) -> list[str]:
        return sorted(await found(person, f"filter={text}"))

    assert await by(ada, "assignee = me") == ["Both", "Own"]
    assert await by(bob, "assignee = me and priority = urgent") == ["Paint"]
    assert await by(bob, "assignee = me or priority = urgent") == ["Both", "Paint"]
    assert await by(ada, "assignee = BOB") == await by(ada, f"assignee = {bob.id}") == ["Both", "Paint"]
    assert await by(ada, "assignee in (bob, none)") == ["Both", "Nobody", "Paint"]
    assert await by(ada, "not has assignee") == await by(ada, "assignee = none") == ["Nobody"]
    assert await by(ada, "assignee != me") == ["Nobody", "Paint"]
    assert await by(ada, "assignee = carol") == await by(ada, "assignee = zoe") == []
    assert await found(ada, f"filter=assignee = me&assignee={bob.id}") == ["Both"]


async def test_who_loses_access_is_no_longer_assigned(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    room = await project(ada, "Room", parent_id=house)
    below = await ada.add("Below", project_id=room, assignee_ids=ids(bob))
    task = await ada.add("Paint", project_id=house, assignee_ids=ids(ada, bob))
    series = await ada.add("Rent", project_id=house, assignee_ids=ids(bob), **MONTHLY)
    trashed = await ada.add("Old", project_id=house, assignee_ids=ids(bob))
    await ada.http.delete(f"/api/tasks/{trashed['id']}")

    removed = await ada.http.delete(f"/api/projects/{house}/members/{bob.id}")
    assert removed.status_code == 204

    assert [await assignees(sql, one) for one in (below, task, series, trashed)] == [[], ids(ada), [], []]
    now = (await ada.http.get(f"/api/tasks/{task['id']}")).json()
    assert (now["version"], now["updated_at"] > task["updated_at"]) == (2, True)
    assert (await ada.http.get(f"/api/series/{series['series_id']}")).json()["template"]["assignee_ids"] == []
    completed = await ada.http.post(f"/api/tasks/{series['id']}/complete")
    assert completed.json()["next_task"]["assignee_ids"] == []


async def ended(sql: Sql) -> list[tuple[Any, ...]]:
    """Whom the audit log has removed from which tasks and series, and the request that did it."""
    rows = await sql.fetch("""
        SELECT subject, subject_id::text AS subject_id, actor, source, request_id, before, after FROM audit_events
        WHERE action IN ('tasks.change', 'series.change') AND (before ? 'assignee_ids' OR before ? 'template')
        ORDER BY id""")
    return [
        (*tuple(row)[:4], *(_people(json.loads(row[side])) for side in ("before", "after")), row["request_id"])
        for row in rows
    ]


def _people(values: Json) -> list[str]:
    found: list[str] = values.get("template", values)["assignee_ids"]
    return found


async def test_what_ends_with_the_access_is_in_the_audit_log_as_done_by_who_acts(
    ada: Person, bob: Person, world: World, house: str, sql: Sql
) -> None:
    carol = await world.person("carol")
    await share(sql, house, carol.id)
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob, carol))
    series = await ada.add("Rent", project_id=house, assignee_ids=ids(bob), **MONTHLY)

    removed = await ada.http.delete(f"/api/projects/{house}/members/{bob.id}")
    assert removed.status_code == 204
    first = await ended(sql)
    left = await carol.http.delete(f"/api/projects/{house}/members/{carol.id}")
    removal, goodbye = removed.headers["x-request-id"], left.headers["x-request-id"]

    assert sorted(first) == sorted([
        ("tasks", task["id"], "ada@example.com", "api", ids(ada, bob, carol), ids(ada, carol), removal),
        ("tasks", series["id"], "ada@example.com", "api", ids(bob), [], removal),
        ("series", series["series_id"], "ada@example.com", "api", ids(bob), [], removal),
    ])  # fmt: skip
    assert (await ended(sql))[3:] == [
        ("tasks", task["id"], "carol@example.com", "api", ids(ada, carol), ids(ada), goodbye)
    ]
    events = await sql.fetch("SELECT id FROM audit_events WHERE request_id = $1", removal)
    assert {row["id"].version for row in events} == {7}
    assert await sql.fetchval("SELECT count(*) FROM ONLY audit_events") == 0  # each is in the partition of its month


async def test_a_deleted_project_and_an_erased_account_end_assignments_in_the_audit_log(
    ada: Person, bob: Person, house: str, sql: Sql, database: Database
) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob))
    await ada.http.delete(f"/api/projects/{house}")
    assert [one[:6] for one in await ended(sql)] == [
        ("tasks", task["id"], "ada@example.com", "api", ids(ada, bob), ids(ada))
    ]

    yard = await project(ada, "Yard")
    await share(sql, yard, bob.id)
    rake = await ada.add(project_id=yard, assignee_ids=ids(bob))
    await sql.execute("UPDATE users SET status = 'leaving', deletion_at = now() WHERE id = $1", bob.id)
    await erase_due(database, worker_origin(), before_erasure)
    assert (await ended(sql))[-1][:6] == ("tasks", rake["id"], "worker", "worker", ids(bob), [])


async def test_another_role_keeps_the_assignment_and_leaving_ends_it(
    ada: Person, bob: Person, house: str, sql: Sql
) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(bob))
    await ada.http.patch(f"/api/projects/{house}/members/{bob.id}", json={"role": "editor"})
    assert await assignees(sql, task) == ids(bob)

    await bob.http.delete(f"/api/projects/{house}/members/{bob.id}")
    assert await assignees(sql, task) == []


async def test_handing_over_keeps_who_sees_the_project(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob))

    answer = await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})

    assert answer.status_code == 200
    assert await assignees(sql, task) == ids(ada, bob)


async def test_deleting_a_project_keeps_the_owner_alone(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob))
    await ada.http.delete(f"/api/projects/{house}")

    assert await assignees(sql, task) == ids(ada)


async def test_an_erased_account_is_assigned_to_nothing(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob))
    await sql.execute("DELETE FROM users WHERE id = $1", bob.id)

    assert await assignees(sql, task) == ids(ada)


async def test_a_task_that_moves_keeps_whom_sees_it_there(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=ids(ada, bob))
    below = await ada.add("Below", parent_id=task["id"], assignee_ids=ids(bob))
    garden = await project(ada, "Garden")

    moved = await change(ada, task, project_id=garden)

    assert moved["assignee_ids"] == await assignees(sql, task) == ids(ada)
    assert await assignees(sql, below) == []
    entry = await sql.fetchrow("SELECT before, after FROM audit_events WHERE after->>'project_id' = $1 LIMIT 1", garden)
    assert entry is not None
    changed = await sql.fetch("""
        SELECT before->'assignee_ids' AS before, after->'assignee_ids' AS after
        FROM audit_events WHERE action = 'tasks.change' AND after ? 'assignee_ids'""")
    assert sorted((json.loads(one["before"]), json.loads(one["after"])) for one in changed) == sorted(
        [(ids(ada, bob), ids(ada)), (ids(bob), [])]
    )


async def test_a_task_can_move_with_other_assignees(ada: Person, bob: Person, house: str) -> None:
    task = await ada.add("Paint", assignee_ids=ids(ada))

    refused = await ada.http.patch(f"/api/tasks/{task['id']}", json={"assignee_ids": ids(bob)})
    moved = await change(ada, task, project_id=house, assignee_ids=ids(bob))

    assert refused.status_code == 422
    assert moved["assignee_ids"] == ids(bob)


async def test_a_series_that_moves_keeps_whom_sees_it_there(ada: Person, bob: Person, house: str) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob), **MONTHLY)

    moved = await change(ada, task, "all", project_id=str(ada.id))

    series = (await ada.http.get(f"/api/series/{task['series_id']}")).json()
    assert moved["assignee_ids"] == series["template"]["assignee_ids"] == ids(ada)


async def test_a_series_gives_its_assignees_to_the_next_occurrence(ada: Person, bob: Person, house: str) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(bob), **MONTHLY)
    await ada.add("Below", parent_id=task["id"], assignee_ids=ids(bob))
    await change(ada, task, assignee_ids=ids(ada))  # this one alone

    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    assert following["assignee_ids"] == ids(bob)
    copied = await found(bob, f"parent_id={following['id']}&assignee=me")
    assert copied == ["Below"]

    await change(ada, following, "all", assignee_ids=ids(ada, bob))
    series = (await ada.http.get(f"/api/series/{task['series_id']}")).json()
    assert series["template"]["assignee_ids"] == ids(ada, bob)
    sent = await ada.http.patch(f"/api/series/{task['series_id']}", json={"assignee_ids": ids(ada)})
    assert sent.json()["template"]["assignee_ids"] == ids(ada)
    stranger = await ada.http.patch(f"/api/series/{task['series_id']}", json={"assignee_ids": [str(uuid4())]})
    assert (stranger.status_code, stranger.json()["errors"][0]["field"]) == (422, "body.assignee_ids")


async def test_completing_and_reopening_changes_no_assignee(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada, bob), **MONTHLY)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert await assignees(sql, task) == ids(ada, bob)


async def test_the_worker_assigns_what_it_opens(
    ada: Person, bob: Person, house: str, sql: Sql, database: Database
) -> None:
    rule = {"rrule": "FREQ=DAILY", "on_missed": "backfill", "max_open": 3}
    task = await ada.add(project_id=house, due=day("2025-01-01"), recurrence=rule, assignee_ids=ids(ada, bob))

    await work(database)

    rows = await sql.fetch("SELECT assignee_ids FROM tasks WHERE id <> $1", UUID(task["id"]))
    assert [sorted(map(str, row["assignee_ids"])) for row in rows] == [ids(ada, bob)] * 2


async def test_a_series_from_before_assignees_has_none(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await sql.execute("UPDATE series SET template = template - 'assignee_ids'")

    assert (await ada.http.get(f"/api/series/{task['series_id']}")).json()["template"]["assignee_ids"] == []
    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    assert following["assignee_ids"] == []


async def test_assigning_is_in_the_audit_log(ada: Person, bob: Person, house: str, sql: Sql) -> None:
    task = await ada.add(project_id=house, assignee_ids=ids(ada))

    await change(ada, task, assignee_ids=ids(ada, bob))
    await change(ada, task, assignee_ids=ids(bob, ada))  # the same people

    events = await sql.fetch("SELECT before, after FROM audit_events WHERE action = 'tasks.change'")
    assert [(json.loads(one["before"]), json.loads(one["after"])) for one in events] == [
        ({"assignee_ids": ids(ada)}, {"assignee_ids": ids(ada, bob)})
    ]


@pytest.mark.parametrize("first", ["assign", "remove"])
async def test_assigning_whom_somebody_removes_leaves_nobody_without_access(
    ada: Person, bob: Person, house: str, sql: Sql, first: str
) -> None:
    task = await ada.add(project_id=house)
    requests = {
        "assign": lambda: ada.http.patch(f"/api/tasks/{task['id']}", json={"assignee_ids": ids(bob)}),
        "remove": lambda: ada.http.delete(f"/api/projects/{house}/members/{bob.id}"),
    }
    async with sql.transaction():
        await sql.execute("SELECT FROM project_access FOR UPDATE")
        begun = []
        for number, name in enumerate(sorted(requests, key=first.__ne__), 1):
            begun.append(asyncio.ensure_future(requests[name]()))
            await waiting_for_locks(sql, number)
    answers = [answer.status_code for answer in await asyncio.gather(*begun)]

    assert answers == ([200, 204] if first == "assign" else [204, 422])
    assert await assignees(sql, task) == []


async def test_the_database_assigns_nobody_without_access(ada: Person, bob: Person, sql: Sql) -> None:
    task = await ada.add()
    await sql.execute("UPDATE tasks SET assignee_ids = $1", [ada.id, bob.id])
    assert await assignees(sql, task) == ids(ada)

    with pytest.raises(asyncpg.CheckViolationError, match="ck_tasks_assignee_ids"):
        await sql.execute("UPDATE tasks SET assignee_ids = array_fill($1::uuid, ARRAY[21])", ada.id)


async def test_the_doctor_finds_and_ends_what_nobody_can_see(ada: Person, bob: Person, sql: Sql) -> None:
    task = await ada.add()
    await spoil(sql, f"UPDATE tasks SET assignee_ids = '{{{bob.id}}}'")
    rule = INVARIANTS[0]

    assert await broken(sql) == {"assignee_without_access": [UUID(task["id"])]}
    await sql.execute(rule.repair[0])
    assert await assignees(sql, task) == []


async def test_operators_assign_and_find_by_assignee(ada: Person, bob: Person, world: World, house: str) -> None:
    root = await world.person("root", "superuser", "member")
    task = await ada.add("Paint", project_id=house)
    await ada.add("Other")

    changed = await root.http.patch(f"/api/admin/tasks/{task['id']}", json={"assignee_ids": ids(bob)})
    assert (changed.status_code, changed.json()["assignees"]) == (200, ["bob"])
    listed = (await root.http.get(f"/api/admin/tasks?assignee_ids={bob.id}")).json()
    assert [(one["title"], one["assignees"]) for one in listed["items"]] == [("Paint", ["bob"])]
    assert (await root.http.get(f"/api/admin/tasks?assignee_ids={ada.id}")).json()["items"] == []
    assert (await root.http.get("/api/admin/tasks?assignee_ids=ada")).status_code == 422


async def test_a_link_shows_no_assignee(ada: Person, house: str) -> None:
    await ada.add(project_id=house, assignee_ids=ids(ada))
    secret = (await ada.http.post(f"/api/projects/{house}/links", json={})).json()["secret"]

    (task,) = (await ada.http.get(f"/api/shared/{secret}")).json()["items"]

    assert "assignee_ids" not in task
    assert str(ada.id) not in json.dumps(task)


async def test_subtasks_that_are_included_show_their_assignees(ada: Person) -> None:
    task = await ada.add()
    await ada.add("Below", parent_id=task["id"], assignee_ids=ids(ada))

    shown = (await ada.http.get(f"/api/tasks/{task['id']}?include=subtasks")).json()

    assert shown["subtasks"][0]["assignee_ids"] == ids(ada)
