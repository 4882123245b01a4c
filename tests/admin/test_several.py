"""Many rows in the background: few round trips, and everything that one row by itself has."""

from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import UUID

import pytest
from conftest import settings_for
from support.factories import OPERATOR, Person, World, origin_for
from support.wire import Wire, tapped

from todo.access import Actor, worker_origin
from todo.admin.declaration import ActionContext
from todo.admin.runs import carry_out
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.accounts.schemas.usage import QuotaIn
from todo.domain.accounts.services.authentication import actor_of
from todo.domain.accounts.services.quotas import set_quota
from todo.domain.tasks.admin.tasks import TaskAdmin
from todo.errors import Conflict, QuotaReached
from todo.modules import REGISTRY

ALL = Selection(matching=ListQuery())
ROWS = 110  # more than are processed at once
EVENTS = "SELECT count(*) FROM audit_events WHERE action = $1 AND subject_id IS NOT NULL"


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


@pytest.fixture
async def far(wire: Wire, world: World, boss: Actor) -> AsyncIterator[Database]:
    """A database whose round trips are counted."""
    database = await Database(settings_for(wire.url, database_pool=4, database_overflow=0)).open()
    yield database
    await database.close()


async def work(database: Database, run: UUID | None) -> None:
    assert run is not None
    await carry_out(REGISTRY, database, actor_of, run, worker_origin())


async def imported(admin: AdminService, database: Database, rows: Iterable[dict[str, Any]]) -> Any:
    run = await admin.imports.upload("tasks", "tasks.csv", rows, lax=True)
    await admin.imports.start("tasks", run)
    await work(database, run)
    return await admin.queries.get("runs", run)


async def test_a_row_of_many_costs_less_than_one_round_trip(
    wire: Wire, far: Database, admin: AdminService, ada: Person, sql: Any
) -> None:
    """Sent to import, change, complete and undo them; every row is checked, versioned and recorded by itself."""
    trips = {}
    wire.trips = 0
    rows = [{"title": f"Row {n}", "owner_id": ada.email, "priority": "high", "due": "2031-05-01"} for n in range(ROWS)]
    first = await imported(admin, far, rows)
    trips["import"], wire.trips = wire.trips, 0
    change = await admin.actions.act("tasks", "change", ALL, {"title": "Same", "due": "2031-05-02"}, lax=True)
    await work(far, change.run)
    trips["change"], wire.trips = wire.trips, 0
    back = await admin.actions.act("runs", "undo", Selection(ids=[change.run or first.id]))
    await work(far, back.run)
    trips["back"], wire.trips = wire.trips, 0
    assert await sql.fetchval("SELECT array_agg(DISTINCT version) FROM tasks") == [3]
    assert await sql.fetchval("SELECT count(DISTINCT title) FROM tasks WHERE due->>'date' = '2031-05-01'") == ROWS
    complete = await admin.actions.act("tasks", "complete", ALL)
    await work(far, complete.run)
    trips["complete"], wire.trips = wire.trips, 0
    again = await imported(admin, far, [{"title": f"More {n}", "owner_id": ada.email} for n in range(ROWS)])
    wire.trips = 0
    gone = await admin.actions.act("runs", "undo", Selection(ids=[again.id]))
    await work(far, gone.run)
    trips["undo"] = wire.trips

    assert {name: count for name, count in trips.items() if count >= ROWS} == {}
    assert (again.done, await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL")) == (ROWS, ROWS)
    numbers = {"add": 2 * ROWS, "change": 2 * ROWS, "complete": ROWS, "delete": ROWS}
    assert {name: await sql.fetchval(EVENTS, f"tasks.{name}") for name in numbers} == numbers
    found = await sql.fetchrow("SELECT before, after, source FROM audit_events WHERE action = 'tasks.complete' LIMIT 1")
    assert ('"open"' in found["before"], '"done"' in found["after"], found["source"]) == (True, True, "worker")
    assert len((await admin.queries.page("tasks", ListQuery(q="same"))).items) == 0
    assert len((await admin.queries.page("tasks", ListQuery(q="Row 77"))).items) == 1


async def test_rows_that_are_refused_after_they_were_written_take_no_others_along(
    admin: AdminService, database: Database, ada: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = TaskAdmin.add_row

    async def refuse_some(self: TaskAdmin, do: ActionContext, values: dict[str, Any]) -> Any:
        added = await add(self, do, values)
        if added.title.endswith("7"):
            raise Conflict("No sevens.")
        return added

    monkeypatch.setattr(TaskAdmin, "add_row", refuse_some)
    rows = [{"title": f"Row {n}" if n % 9 else "", "owner_id": ada.email} for n in range(1, ROWS + 1)]

    run = await imported(admin, database, rows)

    refused = {n: "title: This field is required." for n in range(9, ROWS + 1, 9)}
    refused = {n: "No sevens." for n in range(7, ROWS + 1, 10)} | refused
    assert {int(one["id"]): one["message"] for one in run.failures} == refused
    assert (run.done, run.failed) == (ROWS - len(refused), len(refused))
    kept = [int(row[0].removeprefix("Row ")) for row in await sql.fetch("SELECT title FROM tasks ORDER BY id")]
    assert kept == [n for n in range(1, ROWS + 1) if n not in refused]
    assert await sql.fetchval(EVENTS, "tasks.add") == run.done


QUOTA_REACHED = "The quota of tasks is reached: 37."


@pytest.fixture
async def limited(database: Database, ada: Person) -> Person:
    """Ada may have 37 tasks."""
    async with database.session(origin_for(OPERATOR)) as session:
        await set_quota(session, OPERATOR, ada.id, QuotaIn("tasks", 37))
    return ada


@pytest.mark.parametrize("rows", [90, 2 * ROWS])  # at once, in the background
async def test_rows_of_an_import_beyond_a_quota_are_refused_one_by_one(
    admin: AdminService, database: Database, limited: Person, bob: Person, sql: Any, rows: int
) -> None:
    """The quota of one person does not stop rows of another."""
    people = [limited.email, bob.email]
    run = await imported(admin, database, [{"title": f"Row {n}", "owner_id": people[n % 2]} for n in range(rows)])

    assert (run.status, run.done, run.failed) == ("done", rows // 2 + 37, rows // 2 - 37)
    assert all(one["message"].startswith(QUOTA_REACHED) for one in run.failures)
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE owner_id = $1", limited.id) == 37
    assert await sql.fetchval(EVENTS, "tasks.add") == run.done


async def test_a_file_as_a_whole_beyond_a_quota_is_refused_on_trial_too(
    admin: AdminService, limited: Person, sql: Any
) -> None:
    file = "\n".join(["title,owner_id", *(f"Row {n},{limited.email}" for n in range(40))]).encode()
    for apply in (False, True):
        with pytest.raises(QuotaReached):
            await admin.imports.import_rows("tasks", file, apply=apply)
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0


async def test_rows_that_depend_on_each_other_are_written_in_their_order(
    admin: AdminService, database: Database, ada: Person, sql: Any
) -> None:
    first, second, third = [UUID((await ada.add(f"Task {n}"))["id"]) for n in range(3)]
    rows = [{"id": str(first), "parent_id": str(second)}, {"id": str(second), "parent_id": str(first)}]

    run = await imported(admin, database, [*rows, {"id": str(third), "title": "", "parent_id": ""}])

    assert [one["message"] for one in run.failures] == [
        "parent_id: A task cannot be below itself.", "title: This must be text on one line of 1 to 500 characters.",
    ]  # fmt: skip
    assert await sql.fetchval("SELECT parent_id FROM tasks WHERE id = $1", first) == second
    outcome = await admin.actions.act("tasks", "delete", Selection(ids=[first, second, third]))
    assert (outcome.done, outcome.failed) == (3, [])
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'tasks.delete'") == 3
    restored = await admin.actions.act("tasks", "restore", Selection(ids=[third, second, first]))
    assert (restored.done, restored.failed) == (3, [])
    assert await sql.fetchval("SELECT array_agg(version ORDER BY id) FROM tasks") == [4, 3, 3]


async def test_who_does_not_own_a_task_needs_a_role_for_it(
    admin: AdminService, database: Database, world: World, ada: Person, sql: Any
) -> None:
    """Of those without `tasks.all`, a batch locks only their own."""
    bob = await world.person("bob", timezone="UTC")
    mine, other = UUID((await bob.add("Mine"))["id"]), UUID((await ada.add("Other"))["id"])
    actor = Actor(bob.id, "bob", permissions=frozenset({"admin.enter", "tasks.view", "tasks.change"}))
    service = AdminService(REGISTRY, database, origin_for(actor))

    outcome = await service.actions.act("tasks", "change", Selection(ids=[mine, other]), {"priority": 4})

    assert (outcome.done, [one.id for one in outcome.failed]) == (1, [str(other)])
    assert await sql.fetchval("SELECT array_agg(priority ORDER BY id) FROM tasks") == [4, 0]
