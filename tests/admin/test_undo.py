"""A background action undone as a whole, and a row as of a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from support.factories import Person, job_context

from todo.admin.actions import AT_ONCE
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.modules import run_admin_action

ALL = Selection(matching=ListQuery())


@pytest.fixture
async def tasks(ada: Person, sql: Any) -> list[UUID]:
    """More tasks than are changed at once, with different priorities."""
    await ada.add("Task 0")
    await sql.execute(
        "INSERT INTO tasks SELECT (jsonb_populate_record(tasks, jsonb_build_object('id', gen_random_uuid(),"
        " 'title', 'Task ' || number, 'priority', number % 3))).* FROM tasks, generate_series(1, $1) AS number",
        AT_ONCE,
    )
    return [row["id"] for row in await sql.fetch("SELECT id FROM tasks ORDER BY id")]


async def carried_out(admin: AdminService, database: Database, resource: str, action: str, **options: Any) -> Any:
    """Run an action in the background, and return its run."""
    outcome = await admin.actions.act(resource, action, options.pop("on", ALL), options.pop("form", None))
    assert outcome.run is not None
    await run_admin_action(job_context(database), run_id=str(outcome.run))
    return await admin.queries.get("runs", outcome.run)


async def undone(admin: AdminService, database: Database, run: Any) -> str:
    again = await carried_out(admin, database, "runs", "undo", on=Selection(ids=[run.id]))
    assert (again.status, again.failures) == ("done", [])
    return str(again.messages[0])


async def test_a_change_of_many_rows_is_undone_but_for_those_changed_since(
    admin: AdminService, database: Database, tasks: list[UUID], sql: Any
) -> None:
    before = dict(await sql.fetch("SELECT id, priority FROM tasks"))
    run = await carried_out(admin, database, "tasks", "change", form={"priority": 4})
    assert run.done == len(tasks)
    await admin.editor.change("tasks", tasks[0], {"priority": 3})

    message = await undone(admin, database, run)

    assert message.startswith(f"{len(tasks) - 1} restored. Not restored: {tasks[0]}: It has changed since.")
    after = dict(await sql.fetch("SELECT id, priority FROM tasks"))
    assert after == before | {tasks[0]: 3}


async def test_a_deletion_of_many_rows_is_undone(
    admin: AdminService, database: Database, tasks: list[UUID], sql: Any
) -> None:
    run = await carried_out(admin, database, "tasks", "delete")
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 0

    assert await undone(admin, database, run) == f"{len(tasks)} restored."

    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == len(tasks)


async def test_what_has_a_counterpart_is_not_undone_as_a_whole(
    admin: AdminService, database: Database, tasks: list[UUID]
) -> None:
    run = await carried_out(admin, database, "tasks", "complete")

    assert not admin.may("runs", "undo", run)
    again = await carried_out(admin, database, "runs", "undo", on=Selection(ids=[run.id]))
    assert "Only changes" in again.failures[0]["message"]


async def test_a_row_as_of_a_time(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Rent", priority=1)
    await admin.editor.change("tasks", task["id"], {"title": "Pay the rent", "priority": 2})
    events = await sql.fetch("SELECT at FROM audit_events WHERE subject_id = $1 ORDER BY id", UUID(task["id"]))
    added, changed = (event["at"] for event in events)

    then = await admin.history.as_of("tasks", task["id"], added)
    assert (then.existed, then.values["title"], then.values["priority"]) == (True, "Rent", 1)
    assert {one.field: (one.before, one.after) for one in then.changed}["title"] == ("Rent", "Pay the rent")
    now = await admin.history.as_of("tasks", task["id"], changed)
    assert (now.values["title"], now.changed) == ("Pay the rent", [])
    assert not (await admin.history.as_of("tasks", task["id"], added - timedelta(hours=1))).existed


async def test_a_row_as_of_a_time_over_rest(boss: Any, world: Any, ada: Person) -> None:
    task = await ada.add("Rent")
    person = await world.person("root", "superuser", timezone="UTC")
    path = f"/api/admin/tasks/{task['id']}/as-of"

    answer = await person.http.get(path, params={"at": datetime.now(UTC).isoformat()})

    assert (answer.status_code, answer.json()["values"]["title"]) == (200, "Rent")
    assert (await person.http.get(path, params={"at": "yesterday"})).status_code == 422
    assert (await person.http.get(path)).status_code == 422
