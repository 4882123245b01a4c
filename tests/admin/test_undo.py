"""A background action undone as a whole, and a row as of a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from support.factories import Person, job_context

from todo.admin import import_steps, runs
from todo.admin.actions import AT_ONCE
from todo.admin.models import Run
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.admin.undo import undo_run
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

    title = await sql.fetchval("SELECT title FROM tasks WHERE id = $1", tasks[0])
    assert message.startswith(f"{len(tasks) - 1} restored. Not restored: {title}: It has changed since.")
    after = dict(await sql.fetch("SELECT id, priority FROM tasks"))
    assert after == before | {tasks[0]: 3}


async def test_a_second_undo_leaves_what_was_changed_since(
    admin: AdminService, database: Database, tasks: list[UUID], sql: Any
) -> None:
    """Even to the value that the job had given it; a change of another field is nothing to it."""
    run = await carried_out(admin, database, "tasks", "change", form={"priority": 4})
    await admin.editor.change("tasks", tasks[1], {"notes": "Mine"})
    assert await undone(admin, database, run) == f"{len(tasks)} restored."
    await admin.editor.change("tasks", tasks[0], {"priority": 4})

    message = await undone(admin, database, run)

    assert message.startswith("0 restored. Not restored: ") and message.count("It has changed since.") == 20
    assert await sql.fetchval("SELECT priority FROM tasks WHERE id = $1", tasks[0]) == 4


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
    assert "Only imports, changes" in again.failures[0]["message"]


async def test_an_import_is_undone_but_for_rows_changed_since(
    admin: AdminService, database: Database, ada: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_steps, "BATCH", 2)
    monkeypatch.setattr(runs, "PART", 2)  # rows of a transaction
    there = await ada.add("There", priority=1)
    rows: list[dict[str, Any]] = [{"title": f"New {n}", "owner": ada.email} for n in range(4)]
    run = await admin.imports.upload("tasks", "a.csv", [*rows, {"id": there["id"], "title": "Other"}], lax=True)
    await admin.imports.start("tasks", run, {"id": "id", "title": "title", "owner": "owner_id"})
    await run_admin_action(job_context(database), run_id=str(run))
    assert admin.may("runs", "undo", await admin.queries.get("runs", run))
    ids = dict(await sql.fetch("SELECT title, id FROM tasks"))
    await admin.editor.change("tasks", ids["New 1"], {"priority": 3})
    await admin.editor.add("tasks", {"title": "Below", "owner_id": str(ada.id), "parent_id": str(ids["New 2"])})

    message = await undone(admin, database, await admin.queries.get("runs", run))

    assert message == (
        "2 removed. 1 restored. Not restored: New 2: Other rows depend on it.; New 1: It has changed since."
    )
    left = await sql.fetch("SELECT title FROM tasks WHERE deleted_at IS NULL ORDER BY title")
    assert [row["title"] for row in left] == ["Below", "New 1", "New 2", "There"]
    assert '"removed": 2' in await sql.fetchval("SELECT after FROM audit_events WHERE action = 'runs.undo'")
    again = await undone(admin, database, await admin.queries.get("runs", run))
    assert again.startswith("0 removed. Not restored:")


async def test_the_undo_of_an_import_takes_subtasks_and_series_along(
    admin: AdminService, database: Database, ada: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_steps, "BATCH", 1)  # so that a row can refer to one before it
    rows = [
        {"title": "Weekly", "owner_id": str(ada.id), "recurrence": "FREQ=WEEKLY", "due": "2031-01-01"},
        {"title": "Top", "owner_id": str(ada.id)},
        {"title": "Below", "owner_id": str(ada.id), "parent_id": "Top"},
    ]
    run = await admin.imports.upload("tasks", "a.csv", rows, lax=True)
    await admin.imports.start("tasks", run, {name: name for row in rows for name in row})
    await run_admin_action(job_context(database), run_id=str(run))
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 3

    assert await undone(admin, database, await admin.queries.get("runs", run)) == "3 removed."

    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 0
    assert await sql.fetchval("SELECT count(*) FROM series WHERE status = 'active'") == 0


async def test_rows_added_by_another_request_of_the_same_name_stay(
    admin: AdminService, database: Database, ada: Person, boss: Any, sql: Any
) -> None:
    """A client may give all its requests the same id."""
    origin = replace(admin.context.origin, request_id="script")
    same = AdminService(admin.registry, database, origin)
    run = await same.imports.upload("tasks", "a.csv", [{"title": "Row", "owner": ada.email}], lax=True)
    await same.editor.add("tasks", {"title": "Typed", "owner_id": str(ada.id)})
    await same.imports.start("tasks", run, {"title": "title", "owner": "owner_id"})

    assert await undone(admin, database, await admin.queries.get("runs", run)) == "1 removed."

    assert await sql.fetchval("SELECT array_agg(title) FROM tasks WHERE deleted_at IS NULL") == ["Typed"]


async def test_the_undo_of_an_import_needs_the_permission_to_delete(
    admin: AdminService, database: Database, ada: Person, sql: Any
) -> None:
    run = await admin.imports.upload("tasks", "a.csv", [{"title": "Row", "owner": ada.email}], lax=True)
    await admin.imports.start("tasks", run, {"title": "title", "owner": "owner_id"})
    allowed = frozenset({"admin.enter", "runs.view", "runs.undo", "runs.all", "tasks.view", "tasks.all"})
    other = AdminService(
        admin.registry, database, replace(admin.context.origin, actor=replace(admin.actor, permissions=allowed))
    )
    async with database.session(other.context.origin) as session:
        row = await session.get(Run, run)
        assert row is not None
        message = await undo_run(other, session, row)

    assert "tasks.delete" in message
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 1


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
    for wrong in ("yesterday", "0.5", "1790000000", "2026-11-30T12:00:00"):  # without an offset it is no instant
        assert (await person.http.get(path, params={"at": wrong})).json()["errors"][0]["field"] == "query.at"
    assert (await person.http.get(path)).status_code == 422
