"""Actions: on one row, on many, in the background."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType
from support.admin_rows import many
from support.factories import Person, World, origin_for

from todo.access import Actor, worker_origin
from todo.admin import runs
from todo.admin.declaration import ActionContext, action
from todo.admin.registry import Registry
from todo.admin.runs import carry_out
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.domain.tasks.admin import TaskAdmin
from todo.domain.tasks.models import Task
from todo.domain.tasks.schemas import Moment
from todo.errors import Conflict, Forbidden, Invalid, NotFound
from todo.loops import run_once
from todo.modules import JOBS
from todo.saq_queue import new_worker, relay
from todo.schema import Instant, Line


@asynccontextmanager
async def working(database: Database) -> AsyncIterator[None]:
    """A real worker for the time of the block."""
    worker = new_worker(database.settings, database, [], JOBS.functions)
    await worker.queue.connect()
    await run_once(database, [relay(worker.queue)])
    life = asyncio.create_task(worker.start())
    try:
        yield
    finally:
        await worker.stop()
        await life
        await worker.queue.disconnect()


async def test_an_action_is_the_verb_of_the_room(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Again", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=MONTHLY"})

    await admin.actions.act_on_one("tasks", "complete", task["id"])

    rows = await sql.fetch("SELECT status, occurrence FROM tasks ORDER BY id")
    assert [tuple(row) for row in rows] == [("done", "2031-01-31"), ("open", "2031-02-28")]


async def test_what_does_not_fit_a_row_is_refused(admin: AdminService, ada: Person) -> None:
    task = await ada.add()

    with pytest.raises(Forbidden, match="This task is open: only closed tasks can be reopened."):
        await admin.actions.act_on_one("tasks", "reopen", task["id"])


async def test_rows_of_a_selection_that_refuse_are_reported_and_the_others_done(
    admin: AdminService, ada: Person
) -> None:
    first, second, third = [await ada.add(name) for name in "ABC"]
    await admin.actions.act_on_one("tasks", "complete", second["id"])
    ids = [first["id"], second["id"], third["id"], str(uuid4())]

    outcome = await admin.actions.act("tasks", "complete", Selection(ids=ids))

    assert outcome.done == 2
    assert {failure.id: failure.message for failure in outcome.failed} == {
        second["id"]: "This task is closed: reopen it first.", ids[3]: "Not found.",
    }  # fmt: skip


async def test_a_row_of_a_selection_that_refuses_a_field_names_it(admin: AdminService, ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=DAILY"})

    outcome = await admin.actions.act("tasks", "change", Selection(ids=[task["id"]]), {"due": None})

    assert [failure.message for failure in outcome.failed] == [
        "due: An occurrence of this series has a due: move it, skip it, or end the series."
    ]


async def test_fields_are_set_on_a_selection(admin: AdminService, ada: Person, sql: Any) -> None:
    tasks = [await ada.add(name) for name in "ABC"]

    outcome = await admin.actions.act(
        "tasks", "change", Selection(ids=[task["id"] for task in tasks[:2]]), {"priority": 3}
    )

    assert outcome.done == 2
    assert [row[0] for row in await sql.fetch("SELECT priority FROM tasks ORDER BY id")] == [3, 3, 0]
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'tasks.change'") == 2


async def test_an_action_on_all_that_match_leaves_the_others(admin: AdminService, ada: Person, sql: Any) -> None:
    await many(sql, ada, 10)

    outcome = await admin.actions.act("tasks", "delete", Selection(matching=ListQuery(filters={"priority": ["3..4"]})))

    assert outcome.done == 4
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 6


async def test_many_rows_go_on_in_the_background(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any
) -> None:
    await many(sql, ada, 250)

    outcome = await admin.actions.act("tasks", "complete", Selection(matching=ListQuery(filters={"status": ["open"]})))
    assert outcome.run is not None
    assert await sql.fetchval("SELECT count(*) FROM waiting_jobs WHERE function = 'run_admin_action'") == 1
    await carry_out(registry, database, actor_of, outcome.run, worker_origin())

    run = await admin.queries.get("runs", outcome.run)
    assert (run.status, run.total, run.done, run.failed) == ("done", 250, 250, 0)
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE status = 'done'") == 250
    assert await sql.fetchval("SELECT count(DISTINCT actor) FROM audit_events WHERE action = 'tasks.complete'") == 1


async def test_a_worker_carries_it_out_and_the_result_is_message(
    world: World, database: Database, ada: Person, sql: Any
) -> None:
    boss = await world.person("boss", "superuser")
    await many(sql, ada, 250)
    body = {"matching": {"filters": {"priority": ["0..2"]}}, "form": {"status": "waiting"}}

    answer = await boss.http.post("/api/admin/tasks/actions/change?reason=Ticket+17", json=body)
    run: dict[str, Any] = {"status": "waiting"}
    async with working(database):
        for _ in range(400):
            await asyncio.sleep(0.05)
            run = (await boss.http.get(f"/api/admin/runs/{answer.json()['run']}")).json()
            if run["status"] in {"done", "failed"}:
                break

    assert answer.json()["done"] == 0
    assert (run["status"], run["total"], run["done"], run["failed"]) == ("done", 150, 150, 0)
    found = await sql.fetch("SELECT DISTINCT actor, source, reason FROM audit_events WHERE action = 'tasks.change'")
    assert [tuple(row) for row in found] == [(boss.email, "worker", "Ticket 17")]


async def test_a_long_run_hands_over_to_another_job(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(sql, ada, 150)
    outcome = await admin.actions.act("tasks", "complete", Selection(matching=ListQuery()))
    assert outcome.run is not None
    monkeypatch.setattr(runs, "STINT", -1)

    await carry_out(registry, database, actor_of, outcome.run, worker_origin())

    assert await sql.fetchval("SELECT count(*) FROM waiting_jobs WHERE function = 'run_admin_action'") == 2
    assert (await admin.queries.get("runs", outcome.run)).done == 100
    await carry_out(registry, database, actor_of, outcome.run, worker_origin())
    await carry_out(registry, database, actor_of, outcome.run, worker_origin())
    assert (await admin.queries.get("runs", outcome.run)).status == "done"


class SlowTaskAdmin(TaskAdmin):
    """With an action that always goes on in the background."""

    @action("Count", background=True)
    async def count(self, do: ActionContext, row: Task) -> str:
        """Say how long the title is."""
        return f"{len(row.title)} characters"


async def test_an_action_declared_so_goes_on_in_the_background_even_for_one_row(
    admin: AdminService, registry: Registry, database: Database, ada: Person
) -> None:
    slow = Registry([SlowTaskAdmin if isinstance(one, TaskAdmin) else partial(copy, one) for one in registry])
    task = await ada.add("Water")

    outcome = await AdminService(slow, database, origin_for(admin.actor)).actions.act_on_one(
        "tasks", "count", task["id"]
    )
    assert outcome.run is not None
    await carry_out(slow, database, actor_of, outcome.run, worker_origin())

    run = await admin.queries.get("runs", outcome.run)
    assert (run.status, run.done, run.messages) == ("done", 1, ["5 characters"])


class Everything(Struct, forbid_unknown_fields=True):
    """A value of every kind that a form can ask for."""

    word: Line
    number: Annotated[int, Meta(ge=0, le=9)]
    share: float
    sure: bool
    at: Instant
    here: Annotated[datetime, Meta(tz=False)]
    day: date
    choice: Literal["one", "two"]
    names: list[Line]
    due: Moment
    other: UUID
    maybe: int | None = None
    absent: int | UnsetType = UNSET


SENT = {
    "word": "word", "number": 4, "share": 0.5, "sure": True, "at": "2031-01-31T08:00:00Z",
    "here": "2031-01-31T09:00:00", "day": "2031-01-31", "choice": "two", "names": ["a", "b"],
    "due": {"kind": "day", "date": "2031-01-31"}, "other": "0190f5f0-7c1d-7000-8000-000000000000", "maybe": None,
}  # fmt: skip
TYPED = SENT | {
    "number": "4", "share": "0.5", "sure": "true", "names": "a, b", "due": '{"kind": "day", "date": "2031-01-31"}',
    "maybe": "",
}  # fmt: skip


class AskingTaskAdmin(TaskAdmin):
    """With an action that asks for a value of every kind."""

    @action("Ask", form=Everything)
    async def ask(self, do: ActionContext, row: Task, form: Everything) -> str:
        """Say what was asked for."""
        return msgspec.json.encode(form).decode()


@pytest.mark.parametrize(("form", "lax"), [(SENT, False), (TYPED, True)], ids=["sent", "typed"])
@pytest.mark.parametrize("number", [1, 101])
async def test_a_form_means_the_same_at_once_and_in_the_background(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any, form: dict[str, Any],
    lax: bool, number: int,
) -> None:  # fmt: skip
    asking = Registry([AskingTaskAdmin if isinstance(one, TaskAdmin) else partial(copy, one) for one in registry])
    service = AdminService(asking, database, origin_for(admin.actor))
    await many(sql, ada, number)

    outcome = await service.actions.act("tasks", "ask", Selection(matching=ListQuery()), form, lax=lax)
    messages = outcome.messages
    if outcome.run is not None:
        await carry_out(asking, database, actor_of, outcome.run, worker_origin())
        messages = (await service.queries.get("runs", outcome.run)).messages

    assert (outcome.run is None) == (number == 1)
    assert {message: json.loads(message) for message in messages} == {messages[0]: SENT}


async def test_every_field_of_a_form_that_is_wrong_is_named(
    admin: AdminService, registry: Registry, database: Database, ada: Person
) -> None:
    asking = Registry([AskingTaskAdmin if isinstance(one, TaskAdmin) else partial(copy, one) for one in registry])
    task = await ada.add()
    wrong = {name: value for name, value in TYPED.items() if name != "word"} | {"number": "99", "what": "?"}

    with pytest.raises(Invalid) as refused:
        await AdminService(asking, database, origin_for(admin.actor)).actions.act_on_one(
            "tasks", "ask", task["id"], wrong, lax=True
        )

    assert {(error.field, error.message) for error in refused.value.errors} == {
        ("body.word", "This field is required."),
        ("body.number", "Must be a whole number from 0 to 9."),
        ("body.what", "The field does not exist or is read-only."),
    }


async def test_a_run_of_somebody_acting_as_another_names_both(
    admin: AdminService, registry: Registry, database: Database, world: World, ada: Person, sql: Any
) -> None:
    await many(sql, ada, 101)
    root = await world.person("root", "superuser")
    acting = replace(admin.actor, by=Actor(root.id, root.email))

    outcome = await AdminService(registry, database, origin_for(acting)).actions.act(
        "tasks", "complete", Selection(matching=ListQuery())
    )
    assert outcome.run is not None
    await carry_out(registry, database, actor_of, outcome.run, worker_origin())

    found = await sql.fetch("SELECT DISTINCT actor_id, on_behalf_of FROM audit_events WHERE action = 'tasks.complete'")
    assert [tuple(row) for row in found] == [(root.id, admin.actor.id)]


async def test_a_run_uses_the_rights_its_actor_has_by_then(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any
) -> None:
    await many(sql, ada, 101)
    outcome = await admin.actions.act("tasks", "complete", Selection(matching=ListQuery()))
    assert outcome.run is not None
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", admin.actor.id)

    await carry_out(registry, database, actor_of, outcome.run, worker_origin())

    status, failures = await sql.fetchrow("SELECT status, failures FROM admin_runs")
    assert status == "failed"
    assert json.loads(failures)[0]["message"] == "This needs the permission admin.enter."
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE status = 'done'") == 0


async def test_a_token_in_the_background_does_no_more_than_its_scopes(
    admin: AdminService, registry: Registry, database: Database, ada: Person, sql: Any
) -> None:
    await many(sql, ada, 101)
    scoped = replace(admin.actor, scopes=frozenset({"admin.enter", "tasks.complete", "tasks.view"}))

    outcome = await AdminService(registry, database, origin_for(scoped)).actions.act(
        "tasks", "complete", Selection(matching=ListQuery())
    )
    assert outcome.run is None or await carry_out(registry, database, actor_of, outcome.run, worker_origin()) is None

    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE status = 'done'") == 0


@pytest.mark.parametrize(("name", "error"), [("nonsense", NotFound), ("disable", NotFound), ("add", NotFound)])
async def test_an_action_that_is_not_declared_is_not_found(
    admin: AdminService, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await admin.actions.act("tasks", name, Selection(ids=[uuid4()]))


async def test_an_action_needs_its_permission(registry: Registry, database: Database, ada: Person) -> None:
    permissions = frozenset({"admin.enter", "tasks.view", "tasks.change", "tasks.all"})
    admin = AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))

    with pytest.raises(Forbidden):
        await admin.actions.act("tasks", "complete", Selection(ids=[(await ada.add())["id"]]))


async def test_an_action_without_a_form_takes_none(admin: AdminService, ada: Person) -> None:
    with pytest.raises(Invalid):
        await admin.actions.act_on_one("tasks", "complete", (await ada.add())["id"], {"note": "x"})


async def test_history_shows_who_changed_what_on_every_interface(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water")
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Water all"})
    await admin.editor.change("tasks", task["id"], {"priority": 2})

    history = await admin.history.of_row("tasks", task["id"])

    sent = [
        (entry.actor, entry.action, [(one.field, one.before, one.after) for one in entry.changes])
        for entry in history.items
    ]
    assert sent[0] == ("boss@example.com", "tasks.change", [("priority", 0, 2)])
    assert sent[1] == (ada.email, "tasks.change", [("title", "Water", "Water all")])
    assert sent[2][:2] == (ada.email, "tasks.add")


async def test_a_change_can_be_undone(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water", due={"kind": "day", "date": "2031-01-31"})
    await admin.editor.change("tasks", task["id"], {"title": "Fire", "due": None})
    entry = (await admin.history.of_row("tasks", task["id"])).items[0]

    row = await admin.history.revert("tasks", task["id"], entry.id)

    assert (row.title, row.due, row.due_at is None) == ("Water", {"kind": "day", "date": "2031-01-31"}, False)


async def test_what_changed_again_since_is_not_undone(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water")
    await admin.editor.change("tasks", task["id"], {"title": "Fire"})
    entry = (await admin.history.of_row("tasks", task["id"])).items[0]
    await admin.editor.change("tasks", task["id"], {"title": "Earth"})

    with pytest.raises(Conflict, match="Title"):
        await admin.history.revert("tasks", task["id"], entry.id)


async def test_an_event_of_another_row_is_not_found(admin: AdminService, ada: Person) -> None:
    first, second = await ada.add(), await ada.add()
    await admin.editor.change("tasks", first["id"], {"title": "Fire"})
    entry = (await admin.history.of_row("tasks", first["id"])).items[0]

    with pytest.raises(NotFound):
        await admin.history.revert("tasks", second["id"], entry.id)


async def test_the_search_finds_rows_of_every_resource(admin: AdminService, ada: Person) -> None:
    await ada.add("Call ada")

    found = await admin.queries.search("ada")

    assert {(hit.resource, hit.display) for hit in found} >= {("tasks", "Call ada"), ("users", ada.email)}


async def test_the_search_begins_with_what_is_called_so_and_ends_with_the_log(admin: AdminService, ada: Person) -> None:
    task = await ada.add("ada")
    await admin.editor.change("tasks", task["id"], {"title": ada.email})
    await admin.editor.change("tasks", task["id"], {"title": "ada"})

    by_address, by_title = [await admin.queries.search(q) for q in (ada.email, "ada")]

    assert (by_address[0].resource, by_title[0].resource) == ("users", "tasks")
    assert (by_address[-1].resource, by_title[-1].resource) == ("audit", "audit")


async def test_recent_are_the_rows_one_changed_oneself(admin: AdminService, ada: Person) -> None:
    first, second = await ada.add("A"), await ada.add("B")
    for task in (first, second, first):
        await admin.editor.change("tasks", task["id"], {"notes": str(uuid4())})

    assert [hit.display for hit in await admin.history.recent()] == ["A", "B"]


async def test_shared_views_are_found_by_others_and_changed_by_their_owner_alone(
    admin: AdminService, registry: Registry, database: Database, ada: Person
) -> None:
    shared = await admin.views.save("tasks", "Late", "due_at=..today", shared=True)
    await admin.views.save("tasks", "Mine", "status=open")
    permissions = frozenset(
        {"admin.enter", "tasks.view", *(f"saved_views.{verb}" for verb in ("view", "change", "delete"))}
    )
    other = AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))

    assert {view.name for view in await admin.views.of_list("tasks")} == {"Late", "Mine"}
    assert [view.name for view in await other.views.of_list("tasks")] == ["Late"]
    with pytest.raises(Forbidden):
        await other.views.delete(shared.id)


async def test_the_date_hierarchy_goes_from_years_to_days(admin: AdminService, ada: Person, sql: Any) -> None:
    for moment in ("2024-03-01T00:30:00Z", "2024-03-01T12:00:00Z", "2024-04-30T23:59:59Z", "2025-01-01T00:00:00Z"):
        task = await ada.add(moment)
        await sql.execute(
            "UPDATE tasks SET created_at = $1::text::timestamptz WHERE id = $2::text::uuid", moment, task["id"]
        )

    def sent(found: Any) -> list[tuple[str, int]]:
        return [(step.value, step.count) for step in found]

    assert sent(await admin.queries.periods("tasks")) == [("2024", 3), ("2025", 1)]
    assert sent(await admin.queries.periods("tasks", ListQuery(filters={"created_at": ["2024"]}))) == [
        ("2024-03", 2),
        ("2024-04", 1),
    ]
    for wrong in ("0000", "0000-01", "9999-12"):  # not of the calendar
        with pytest.raises(Invalid):
            await admin.queries.periods("tasks", ListQuery(filters={"created_at": [wrong]}))
    assert sent(await admin.queries.periods("tasks", ListQuery(filters={"created_at": ["2024-03"]}))) == [
        ("2024-03-01", 2)
    ]
