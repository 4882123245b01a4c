"""Tasks that wait for others: what they are blocked by, no cycles, and projects that insist on it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from support.factories import Person, World
from support.invariants import broken, spoil
from support.sharing import project, share
from support.waiting import waiting_for_locks

from todo.domain.tasks.invariants import INVARIANTS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Task: TypeAlias = dict[str, Any]
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}
ADD = """INSERT INTO dependencies (id, created_at, updated_at, version, task_id, blocker_id)
    VALUES (gen_random_uuid(), now(), now(), 1, $1, $2)"""


async def wait(person: Person, task: Task, blocker: Task) -> httpx.Response:
    return await person.http.post(f"/api/tasks/{task['id']}/dependencies", json={"blocker_id": blocker["id"]})


async def waits(person: Person, task: Task, *blockers: Task) -> None:
    for blocker in blockers:
        answer = await wait(person, task, blocker)
        assert answer.status_code == 201, answer.text


async def refused(answer: httpx.Response) -> str:
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "body.blocker_id")
    return str(error["message"])


async def is_blocked(person: Person, task: Task) -> bool:
    return bool((await person.http.get(f"/api/tasks/{task['id']}")).json()["blocked"])


async def listed(person: Person, task: Task) -> list[str]:
    answer = await person.http.get(f"/api/tasks/{task['id']}/dependencies")
    assert (answer.status_code, answer.json()["next_cursor"]) == (200, None)
    return [one["title"] for one in answer.json()["items"]]


async def waiting_for(person: Person, task: Task, query: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks/{task['id']}/dependents{query}")
    assert answer.status_code == 200, answer.text
    return [one["title"] for one in answer.json()["items"]]


async def act(person: Person, task: Task, verb: str) -> httpx.Response:
    return await person.http.post(f"/api/tasks/{task['id']}/{verb}")


async def test_a_task_is_blocked_while_a_blocker_is_open(ada: Person, sql: Sql) -> None:
    paint, wash, tape = [await ada.add(title) for title in ("Paint", "Wash", "Tape")]

    added = await wait(ada, paint, wash)
    await waits(ada, paint, tape, tape)

    assert (paint["blocked"], added.status_code, added.json()["blocked"]) == (False, 201, True)
    assert await listed(ada, paint) == ["Wash", "Tape"]
    assert await listed(ada, wash) == []
    await act(ada, wash, "complete")
    assert await is_blocked(ada, paint)
    await act(ada, tape, "complete")
    assert not await is_blocked(ada, paint)
    assert (await ada.http.get(f"/api/tasks/{paint['id']}")).json()["version"] == 1
    assert await broken(sql) == {}


async def test_blocked_follows_every_change_of_the_blocker(ada: Person, sql: Sql) -> None:
    paint, wash = await ada.add("Paint"), await ada.add("Wash")
    await waits(ada, paint, wash)
    steps = [
        ("POST", f"/api/tasks/{wash['id']}/complete", False), ("POST", f"/api/tasks/{wash['id']}/reopen", True),
        ("POST", f"/api/tasks/{wash['id']}/cancel", False), ("POST", f"/api/tasks/{wash['id']}/reopen", True),
        ("DELETE", f"/api/tasks/{wash['id']}", False), ("POST", f"/api/trash/{wash['id']}/restore", True),
        ("DELETE", f"/api/tasks/{paint['id']}/dependencies/{wash['id']}", False),
        ("POST", f"/api/tasks/{paint['id']}/dependencies", True),
        ("DELETE", f"/api/tasks/{wash['id']}", False), ("DELETE", f"/api/trash/{wash['id']}", False),
    ]  # fmt: skip
    for method, path, blocked in steps:
        body = {"blocker_id": wash["id"]} if path.endswith("dependencies") else None
        answer = await ada.http.request(method, path, json=body)
        assert answer.status_code in (200, 201, 204), (path, answer.text)
        assert await is_blocked(ada, paint) is blocked, path
        assert await broken(sql) == {}, path

    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 0


async def test_the_etag_says_that_a_task_is_blocked(ada: Person) -> None:
    paint, wash = await ada.add("Paint"), await ada.add("Wash")

    added = await wait(ada, paint, wash)

    assert added.headers["ETag"] == '"1-blocked"'
    known = {"If-None-Match": '"1"'}
    assert (await ada.http.get(f"/api/tasks/{paint['id']}", headers=known)).status_code == 200
    changed = await ada.http.patch(
        f"/api/tasks/{paint['id']}", json={"title": "x"}, headers={"If-Match": '"1-blocked"'}
    )
    assert (changed.status_code, changed.json()["blocked"]) == (200, True)


async def test_lists_and_filters_find_what_is_blocked(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    paint, wash, rest = [await ada.add(title, project_id=house) for title in ("Paint", "Wash", "Rest")]
    await share(sql, house, bob.id)
    await waits(ada, paint, wash)
    await waits(ada, wash, rest)

    for person in (ada, bob):
        for query, expected in (
            ("blocked=true", ["Wash", "Paint"]), ("blocked=false", ["Rest"]), ("filter=blocked", ["Wash", "Paint"]),
            ("filter=not blocked and not closed", ["Rest"]), (f"blocked=true&project_id={house}", ["Wash", "Paint"]),
        ):  # fmt: skip
            found = (await person.http.get(f"/api/tasks?{query}")).json()["items"]
            assert [one["title"] for one in found] == expected, query


async def test_no_task_waits_for_itself(ada: Person, sql: Sql) -> None:
    one, two, three = [await ada.add(title) for title in ("1", "2", "3")]
    await waits(ada, two, one)
    await waits(ada, three, two)

    for task, blocker in ((one, one), (one, two), (one, three), (two, three)):
        assert (await refused(await wait(ada, task, blocker))).startswith("A task cannot wait for itself")
    await waits(ada, three, one)

    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 3


async def test_what_one_does_not_see_cannot_be_waited_for(ada: Person, bob: Person) -> None:
    mine, his = await ada.add("Mine"), await bob.add("His")

    assert await refused(await wait(ada, mine, his)) == await refused(await wait(ada, mine, {"id": str(uuid4())}))
    assert (await wait(ada, his, mine)).status_code == 404
    assert (await ada.http.get(f"/api/tasks/{his['id']}/dependencies")).status_code == 404
    assert (await ada.http.delete(f"/api/tasks/{mine['id']}/dependencies/{his['id']}")).status_code == 404
    trashed = await ada.add("Trashed")
    await ada.http.delete(f"/api/tasks/{trashed['id']}")
    assert await refused(await wait(ada, mine, trashed)) == "There is no such task."


async def test_dependencies_are_for_editors_and_shown_to_who_sees_both(
    ada: Person, bob: Person, world: World, sql: Sql
) -> None:
    carol, house, attic = await world.person("carol"), await project(ada), await project(bob, "Attic")
    task, blocker = await ada.add("Paint", project_id=house), await bob.add("Wash", project_id=attic)
    await share(sql, house, bob.id, "completer")
    await share(sql, house, carol.id)
    await share(sql, attic, ada.id)

    assert (await wait(bob, task, blocker)).status_code == 403
    await waits(ada, task, blocker)

    assert await listed(ada, task) == await listed(bob, task) == ["Wash"]
    assert await listed(carol, task) == []  # she does not see what it is
    assert await is_blocked(carol, task)
    assert (await bob.http.delete(f"/api/tasks/{task['id']}/dependencies/{blocker['id']}")).status_code == 403
    await act(bob, blocker, "complete")
    assert not await is_blocked(carol, task)
    assert (await ada.http.delete(f"/api/tasks/{task['id']}/dependencies/{blocker['id']}")).status_code == 204


async def test_what_waits_for_a_task_is_listed_in_pages(ada: Person) -> None:
    wash, *others = [await ada.add(title) for title in ("Wash", "Paint", "Tape", "Sand", "Trashed")]
    for task in (*reversed(others), await ada.add("Soon", due={"kind": "day", "date": "2031-01-31"})):
        await waits(ada, task, wash)
    await ada.http.delete(f"/api/tasks/{others[-1]['id']}")

    first = (await ada.http.get(f"/api/tasks/{wash['id']}/dependents?limit=3&count=true")).json()

    assert [(one["title"], one["blocked"]) for one in first["items"]] == [
        ("Paint", True), ("Tape", True), ("Sand", True),
    ]  # fmt: skip
    assert first["total"] == 4
    assert await waiting_for(ada, wash, f"?limit=3&cursor={first['next_cursor']}") == ["Soon"]
    assert await waiting_for(ada, wash, "?sort=-created_at&limit=2") == ["Soon", "Sand"]
    assert await waiting_for(ada, wash, "?sort=due_at&limit=1") == ["Soon"]
    assert await waiting_for(ada, others[0]) == []
    assert (await ada.http.get(f"/api/tasks/{wash['id']}/dependents?sort=title")).status_code == 422
    assert (await ada.http.get(f"/api/tasks/{others[-1]['id']}/dependents")).status_code == 404


async def test_what_waits_is_shown_to_who_sees_both(ada: Person, bob: Person, world: World, sql: Sql) -> None:
    carol, house = await world.person("carol"), await project(ada)
    blocker = await ada.add("Wash", project_id=house)
    ours, mine, his = await ada.add("Ours", project_id=house), await ada.add("Mine"), await bob.add("His")
    await share(sql, house, bob.id)
    await waits(ada, ours, blocker)
    await waits(ada, mine, blocker)
    await waits(bob, his, blocker)

    assert await waiting_for(ada, blocker) == ["Ours", "Mine"]
    assert await waiting_for(bob, blocker) == ["Ours", "His"]
    counted = (await bob.http.get(f"/api/tasks/{blocker['id']}/dependents?count=true")).json()["total"]
    assert counted == 2
    assert (await carol.http.get(f"/api/tasks/{blocker['id']}/dependents")).status_code == 404
    await share(sql, house, carol.id)
    assert await waiting_for(carol, blocker) == ["Ours"]


async def test_a_task_of_a_project_waits_for_nothing_that_its_owner_does_not_see(
    ada: Person, bob: Person, sql: Sql
) -> None:
    house = await project(ada)
    task, private = await ada.add("Paint", project_id=house), await bob.add("Private")
    await share(sql, house, bob.id, "editor")

    assert "owner" in await refused(await wait(bob, task, private))
    await waits(bob, private, task)  # the other way round it says nothing to ada

    assert await is_blocked(bob, private)


async def test_a_task_waits_for_fifty_others(ada: Person, sql: Sql) -> None:
    task = await ada.add("All of it")
    others = [UUID((await ada.add(f"Part {n}"))["id"]) for n in range(51)]
    await sql.executemany(ADD, [(UUID(task["id"]), one) for one in others[:50]])

    answer = await wait(ada, task, {"id": str(others[50])})

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many")
    assert (await wait(ada, task, {"id": str(others[0])})).status_code == 201
    assert len(await listed(ada, task)) == 50
    with pytest.raises(asyncpg.PostgresError, match="50 others"):
        await sql.execute(ADD, UUID(task["id"]), others[50])


async def test_five_hundred_tasks_wait_for_one(ada: Person, sql: Sql) -> None:
    """Whoever closes it writes them all, also those of people who only see it: four thousand took a second."""
    blocker, last = await ada.add("Wash"), await ada.add("Last")
    await sql.execute(
        """INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority)
        SELECT gen_random_uuid(), now(), now(), 1, $1, $1, $1, 'Waits', '', 'open', 0 FROM generate_series(1, 500)""",
        ada.id,
    )
    await sql.execute(ADD.replace("VALUES (", "SELECT ").replace("$1, $2)", "id, $1 FROM tasks WHERE title = 'Waits'"),
                      UUID(blocker["id"]))  # fmt: skip

    answer = await wait(ada, last, blocker)

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many")
    assert answer.json()["detail"] == "For one task, 500 others can wait."
    assert (await act(ada, blocker, "complete")).status_code == 200
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE blocked") == 0


async def test_two_requests_that_close_a_cycle_at_once_leave_none(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    await share(sql, house, bob.id, "editor")
    one, two = await ada.add("1", project_id=house), await ada.add("2", project_id=house)

    async with sql.transaction():
        await sql.execute("SELECT FROM tasks FOR UPDATE")
        begun = [asyncio.ensure_future(wait(ada, one, two)), asyncio.ensure_future(wait(bob, two, one))]
        await waiting_for_locks(sql, 2)
    answers = sorted(answer.status_code for answer in await asyncio.gather(*begun))

    assert answers == [201, 422]
    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 1


async def test_a_cycle_over_the_tasks_of_many_people_is_closed_by_nobody(
    ada: Person, bob: Person, world: World, sql: Sql
) -> None:
    """Requests about tasks of different owners hold no common lock until they are committed."""
    people = [ada, bob, *[await world.person(name) for name in ("carol", "dave")]]
    tasks = []
    for person in people:
        house = await project(person)
        tasks.append(await person.add(f"Of {person.email}", project_id=house))
        for other in people:
            if other is not person:
                await share(sql, house, other.id, "editor")
    await waits(ada, tasks[1], tasks[2])
    await waits(ada, tasks[3], tasks[0])

    answers = await asyncio.gather(wait(ada, tasks[0], tasks[1]), wait(bob, tasks[2], tasks[3]))

    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert await sql.fetchval("SELECT bool_or(waits_for(id, id)) FROM tasks") is False


async def test_the_database_refuses_a_cycle(ada: Person, sql: Sql) -> None:
    one, two = UUID((await ada.add("1"))["id"]), UUID((await ada.add("2"))["id"])

    with pytest.raises(asyncpg.SerializationError):
        async with sql.transaction():
            await sql.execute(ADD, one, two)
            await sql.execute(ADD, two, one)


async def test_two_blockers_closed_at_once_leave_the_task_unblocked(ada: Person, sql: Sql) -> None:
    task, *blockers = [await ada.add(title) for title in ("Paint", "Wash", "Tape", "Sand", "Buy")]
    await waits(ada, task, *blockers)

    answers = await asyncio.gather(*(act(ada, blocker, "complete") for blocker in blockers))

    assert {answer.status_code for answer in answers} == {200}
    assert not await is_blocked(ada, task)
    assert await broken(sql) == {}


async def test_a_blocker_closed_while_it_is_added_blocks_nothing(ada: Person, sql: Sql) -> None:
    task, blocker = await ada.add("Paint"), await ada.add("Wash")

    async with sql.transaction():
        await sql.execute("UPDATE tasks SET status = 'done', completed_at = now() WHERE id = $1", UUID(blocker["id"]))
        adding = asyncio.ensure_future(wait(ada, task, blocker))
        await waiting_for_locks(sql, 1)

    assert (await adding).json()["blocked"] is False
    assert await broken(sql) == {}


async def test_a_blocked_task_can_be_completed_unless_its_project_says_otherwise(ada: Person, sql: Sql) -> None:
    house = await project(ada)
    paint, wash = await ada.add("Paint", project_id=house), await ada.add("Wash", project_id=house)
    await waits(ada, paint, wash)
    assert (await act(ada, paint, "complete")).status_code == 200
    await act(ada, paint, "reopen")

    changed = await ada.http.patch(f"/api/projects/{house}", json={"enforce_dependencies": True})
    assert changed.json()["enforce_dependencies"] is True
    for query in ("", "?children=complete"):
        answer = await ada.http.post(f"/api/tasks/{paint['id']}/complete{query}")
        assert (answer.status_code, answer.json()["code"]) == (409, "task-blocked"), query
    assert (await ada.http.get(f"/api/tasks/{paint['id']}")).json()["status"] == "open"
    assert (await act(ada, paint, "cancel")).status_code == 200
    await act(ada, paint, "reopen")
    await act(ada, wash, "complete")
    assert (await act(ada, paint, "complete")).status_code == 200


async def test_an_occurrence_that_is_blocked_stays_open(ada: Person, sql: Sql) -> None:
    house = await project(ada, enforce_dependencies=True)
    rent, money = await ada.add("Rent", project_id=house, **MONTHLY), await ada.add("Money", project_id=house)
    await waits(ada, rent, money)

    assert (await act(ada, rent, "complete")).json()["code"] == "task-blocked"
    skipped = await act(ada, rent, "skip")
    assert (skipped.status_code, skipped.json()["next_task"]["blocked"]) == (200, False)


async def test_what_is_completed_together_need_not_wait(ada: Person, sql: Sql) -> None:
    house = await project(ada, enforce_dependencies=True)
    task = await ada.add("Move", project_id=house)
    pack, drive = await ada.add("Pack", parent_id=task["id"]), await ada.add("Drive", parent_id=task["id"])
    await waits(ada, drive, pack)
    await waits(ada, task, pack, drive)

    assert (await act(ada, drive, "complete")).json()["code"] == "task-blocked"
    done = await ada.http.post(f"/api/tasks/{task['id']}/complete?children=complete")

    assert (done.status_code, done.json()["blocked"], done.json()["progress"]) == (200, False, {"done": 2, "total": 2})
    assert await broken(sql) == {}


async def test_operators_cannot_complete_it_either_and_see_what_it_waits_for(ada: Person, world: World) -> None:
    root, house = await world.person("root", "superuser", "member"), await project(ada, enforce_dependencies=True)
    paint, wash = await ada.add("Paint", project_id=house), await ada.add("Wash", project_id=house)
    await waits(ada, paint, wash)

    refused_ = await root.http.post(f"/api/admin/tasks/{paint['id']}/actions/complete")
    found = (await root.http.get(f"/api/admin/dependencies?task_id={paint['id']}")).json()["items"]
    removed = await root.http.delete(f"/api/admin/dependencies/{found[0]['id']}")

    assert refused_.json()["code"] == "task-blocked"
    assert [one["blocker_id"] for one in found] == [wash["id"]]
    assert removed.status_code in (200, 204)
    assert not await is_blocked(ada, paint)


@pytest.fixture
async def planner(world: World, sql: Sql) -> AsyncIterator[Person]:
    """Who deletes dependencies in the administration, of the tasks they see."""
    await sql.execute(
        "INSERT INTO roles (id, created_at, updated_at, version, name, permissions)"
        " VALUES (gen_random_uuid(), now(), now(), 1, 'planner', $1)",
        ["admin.enter", "dependencies.view", "dependencies.delete"],
    )
    yield await world.person("pat", "planner", "member")
    await sql.execute("DELETE FROM user_roles WHERE role_id IN (SELECT id FROM roles WHERE name = 'planner')")
    await sql.execute("DELETE FROM roles WHERE name = 'planner'")


async def test_the_administration_deletes_no_more_dependencies_than_the_api(
    ada: Person, planner: Person, sql: Sql
) -> None:
    house, yard = await project(ada), await project(ada, "Yard")
    await share(sql, house, planner.id, "completer")
    await share(sql, yard, planner.id, "editor")
    for place, title in ((house, "Paint"), (yard, "Rake"), (None, "Unseen")):
        await waits(ada, await ada.add(title, project_id=place), await ada.add("First", project_id=place))
    tasks = {row["id"]: row["title"] for row in await sql.fetch("SELECT id, title FROM tasks")}

    found = (await planner.http.get("/api/admin/dependencies")).json()["items"]
    named = {tasks[UUID(one["task_id"])]: one["id"] for one in found}
    answers = {
        title: await planner.http.delete(f"/api/admin/dependencies/{one}") for title, one in sorted(named.items())
    }

    assert {title: answer.status_code for title, answer in answers.items()} == {"Paint": 403, "Rake": 204}
    assert answers["Paint"].json()["code"] == "role-required"
    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 2


async def test_the_database_completes_no_blocked_task_of_such_a_project(ada: Person, sql: Sql) -> None:
    house = await project(ada, enforce_dependencies=True)
    paint, wash = await ada.add("Paint", project_id=house), await ada.add("Wash", project_id=house)
    await waits(ada, paint, wash)

    with pytest.raises(asyncpg.SerializationError):
        await sql.execute("UPDATE tasks SET status = 'done' WHERE id = $1", UUID(paint["id"]))
    await sql.execute("UPDATE tasks SET status = 'done'")  # together


async def test_a_task_that_is_blocked_while_it_is_completed_stays_open(ada: Person, sql: Sql) -> None:
    house = await project(ada, enforce_dependencies=True)
    paint, wash = await ada.add("Paint", project_id=house), await ada.add("Wash", project_id=house)

    async with sql.transaction():
        await sql.execute(ADD, UUID(paint["id"]), UUID(wash["id"]))
        completing = asyncio.ensure_future(act(ada, paint, "complete"))  # it has read that nothing blocks the task
        await waiting_for_locks(sql, 1)

    answer = await completing
    assert (answer.status_code, answer.json()["code"]) == (409, "task-blocked")
    assert await broken(sql) == {}


async def test_operators_say_which_projects_insist_and_complete_many_at_once(ada: Person, world: World) -> None:
    root, house = await world.person("root", "superuser", "member"), await project(ada)
    paint, wash = await ada.add("Paint", project_id=house), await ada.add("Wash", project_id=house)
    await waits(ada, paint, wash)

    changed = await root.http.patch(f"/api/admin/projects/{house}", json={"enforce_dependencies": True})
    done = await root.http.post("/api/admin/tasks/actions/complete", json={"ids": [paint["id"]]})

    assert (changed.status_code, changed.json()["enforce_dependencies"]) == (200, True)
    assert "waits for others" in done.text
    assert (await ada.http.get(f"/api/tasks/{paint['id']}")).json()["status"] == "open"


async def test_adding_and_removing_is_in_the_audit_log(ada: Person, sql: Sql) -> None:
    paint, wash = await ada.add("Paint"), await ada.add("Wash")
    await waits(ada, paint, wash)
    await ada.http.delete(f"/api/tasks/{paint['id']}/dependencies/{wash['id']}")

    events = await sql.fetch("""
        SELECT action, coalesce(before, after)->>'task_id' AS task, coalesce(before, after)->>'blocker_id' AS blocker
        FROM audit_events WHERE subject = 'dependencies' ORDER BY id""")

    assert [tuple(one) for one in events] == [
        (action, paint["id"], wash["id"]) for action in ("dependencies.add", "dependencies.delete")
    ]


async def test_the_next_occurrence_waits_for_nothing_and_stays_if_something_waits_for_it(ada: Person, sql: Sql) -> None:
    rent, money = await ada.add("Rent", **MONTHLY), await ada.add("Money")
    await waits(ada, rent, money)
    following = (await act(ada, rent, "complete")).json()["next_task"]
    assert following["blocked"] is False

    await waits(ada, money, following)
    await act(ada, rent, "reopen")

    assert await is_blocked(ada, money)  # the one it waits for was worked on


async def test_the_doctor_finds_what_is_blocked_by_nothing(ada: Person, sql: Sql) -> None:
    task = await ada.add()
    await spoil(sql, "UPDATE tasks SET blocked = true")
    rule = next(rule for rule in INVARIANTS if rule.name == "blocked_without_blocker")

    assert await broken(sql) == {"blocked_without_blocker": [UUID(task["id"])]}
    await sql.execute(rule.repair[0])
    assert await broken(sql) == {}


async def test_an_erased_owner_blocks_nobody(ada: Person, bob: Person, sql: Sql) -> None:
    attic = await project(bob)
    await share(sql, attic, ada.id)
    mine, his = await ada.add("Mine"), await bob.add("His", project_id=attic)
    await waits(ada, mine, his)

    await sql.execute("DELETE FROM users WHERE id = $1", bob.id)

    assert not await is_blocked(ada, mine)
    assert await broken(sql) == {}


@pytest.mark.parametrize("how", ["removed", "left", "blocker moved", "task moved", "handed over", "below another"])
async def test_a_task_waits_no_more_for_what_its_owner_no_longer_sees(
    ada: Person, bob: Person, world: World, sql: Sql, how: str
) -> None:
    carol = await world.person("carol")
    above, attic, house = await project(bob, "Above"), await project(bob, "Attic"), await project(carol)
    await share(sql, attic if how != "below another" else above, ada.id)
    if how == "below another":
        await bob.http.patch(f"/api/projects/{attic}", json={"parent_id": above})
    await share(sql, house, ada.id, "editor")
    yard = await project(ada, "Yard")
    await share(sql, yard, carol.id)
    mine, his = await ada.add("Mine", project_id=yard), await bob.add("His", project_id=attic)
    own = await ada.add("Own", project_id=yard)
    await waits(ada, mine, his, own)
    requests = {
        "removed": (bob, "DELETE", f"/api/projects/{attic}/members/{ada.id}", None),
        "left": (ada, "DELETE", f"/api/projects/{attic}/members/{ada.id}", None),
        "blocker moved": (bob, "PATCH", f"/api/tasks/{his['id']}", {"project_id": str(bob.id)}),
        "task moved": (ada, "PATCH", f"/api/tasks/{mine['id']}", {"project_id": house}),
        "handed over": (ada, "POST", f"/api/projects/{yard}/transfer", {"user_id": str(carol.id)}),
        "below another": (bob, "PATCH", f"/api/projects/{attic}", {"parent_id": None}),
    }
    person, method, path, body = requests[how]

    answer = await person.http.request(method, path, json=body)

    assert answer.status_code in (200, 204), answer.text
    assert await listed(ada, mine) == ["Own"]
    event = await sql.fetchrow("SELECT * FROM audit_events WHERE action = 'dependencies.delete'")
    assert event is not None
    assert (event["actor"], event["source"], event["after"]) == (person.email, "api", None)
    assert json.loads(event["before"])["blocker_id"] == his["id"]
    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 1
    await act(ada, own, "complete")
    assert not await is_blocked(ada, mine)
    assert await broken(sql) == {}


async def test_a_task_goes_on_waiting_for_what_its_owner_hands_over(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    await share(sql, house, bob.id)
    mine, blocker = await ada.add("Mine"), await ada.add("Wash", project_id=house)
    await waits(ada, mine, blocker)

    answer = await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})

    assert (answer.status_code, await listed(ada, mine)) == (200, ["Wash"])
    assert await broken(sql) == {}


async def test_waiting_for_what_one_is_about_to_lose_leaves_nothing(ada: Person, bob: Person, sql: Sql) -> None:
    attic = await project(bob)
    await share(sql, attic, ada.id)
    mine, his = await ada.add("Mine"), await bob.add("His", project_id=attic)

    async with sql.transaction():
        await sql.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", UUID(mine["id"]))
        adding = asyncio.ensure_future(wait(ada, mine, his))
        await waiting_for_locks(sql, 1)
        removed = await bob.http.delete(f"/api/projects/{attic}/members/{ada.id}")
    await adding

    assert removed.status_code == 204
    assert await sql.fetchval("SELECT count(*) FROM dependencies") == 0
    assert not await is_blocked(ada, mine)


async def test_the_doctor_finds_what_waits_for_the_unseen(ada: Person, bob: Person, sql: Sql) -> None:
    mine, his = await ada.add("Mine"), await bob.add("His")
    await spoil(sql, ADD.replace("$1", f"'{mine['id']}'").replace("$2", f"'{his['id']}'"))

    assert await broken(sql) == {
        "blocked_without_blocker": [UUID(mine["id"])],
        "dependency_without_access": [await sql.fetchval("SELECT id FROM dependencies")],
    }


async def test_many_dependencies_end_together(ada: Person, bob: Person, sql: Sql) -> None:
    """Else a member with thousands of them could not be removed within the time that a statement has."""
    attic = await project(bob)
    await share(sql, attic, ada.id)
    await sql.execute(
        """INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority)
        SELECT gen_random_uuid(), now(), now(), 1, owner, place, owner, n::text, '', 'open', 0
        FROM (VALUES ($1::uuid, $1::uuid), ($2, $3)) AS of (owner, place), generate_series(1, 300) AS n""",
        ada.id, bob.id, UUID(attic),
    )  # fmt: skip
    same = "FROM tasks AS mine JOIN tasks AS his USING (title) WHERE mine.owner_id = $1 AND his.owner_id = $2"
    await sql.execute(ADD.replace("VALUES (", "SELECT ").replace("$1, $2)", f"mine.id, his.id {same}"), ada.id, bob.id)
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE blocked") == 300

    assert (await bob.http.delete(f"/api/projects/{attic}/members/{ada.id}")).status_code == 204

    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE blocked") == 0
    assert await broken(sql) == {}
