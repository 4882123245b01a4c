"""Files imported in the background: no row is lost or doubled, and what is refused can be corrected."""

import asyncio
import csv
import io
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.factories import OPERATOR, Person, World, job_context, origin_for

from todo.access import Actor, worker_origin
from todo.admin import import_steps, imports
from todo.admin.fields import Field
from todo.admin.import_columns import guess
from todo.admin.import_rows import TWICE
from todo.admin.registry import Registry
from todo.admin.runs import carry_out
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Conflict, Forbidden, Invalid, NotFound
from todo.modules import REGISTRY, continue_runs, delete_old_runs

PLAIN = {"title": "title", "owner": "owner_id"}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_steps, "BATCH", 3)
    monkeypatch.setattr(imports, "KEPT", 4)


def titles(count: int, owner: Person, bad: Iterable[int] = ()) -> list[dict[str, Any]]:
    return [{"title": "" if n in bad else f"Row {n}", "owner": owner.email} for n in range(1, count + 1)]


async def uploaded(admin: AdminService, rows: Iterable[dict[str, Any]], **options: Any) -> UUID:
    return await admin.imports.upload("tasks", "tasks.csv", rows, lax=True, **options)


async def begun(admin: AdminService, rows: Iterable[dict[str, Any]], mapping: dict[str, str] = PLAIN) -> UUID:
    run = await uploaded(admin, rows)
    await admin.imports.start("tasks", run, mapping)
    return run


async def work(database: Database, run: UUID) -> None:
    await carry_out(REGISTRY, database, actor_of, run, worker_origin())


async def rest(admin: AdminService, run: UUID) -> list[dict[str, str]]:
    data = b"".join([part async for part in await admin.imports.rest("tasks", run)])
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


async def test_a_file_is_imported_in_batches(admin: AdminService, database: Database, ada: Person, sql: Any) -> None:
    run = await begun(admin, titles(8, ada, bad=[2, 7]))
    assert (await admin.queries.get("runs", run)).status == "waiting"

    await work(database, run)

    found = await admin.queries.get("runs", run)
    assert (found.status, found.done, found.failed, found.total) == ("done", 6, 2, 8)
    assert [one["id"] for one in found.failures] == ["2", "7"]
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE owner_id = $1", ada.id) == 6
    (after,) = [row[0] for row in await sql.fetch("SELECT after FROM audit_events WHERE action = 'tasks.import'")]
    assert '"added": 6' in after and '"refused": 2' in after
    assert await sql.fetchval("SELECT count(*) FROM admin_import_rows") == 2


async def test_a_small_file_is_imported_at_once(admin: AdminService, ada: Person) -> None:
    run = await begun(admin, titles(2, ada))

    found = await admin.queries.get("runs", run)

    assert (found.status, found.done) == ("done", 2)


async def test_what_was_refused_is_downloaded_corrected_and_imported(
    admin: AdminService, database: Database, ada: Person, sql: Any
) -> None:
    run = await begun(admin, titles(5, ada, bad=[2]))
    await work(database, run)

    (left,) = await rest(admin, run)

    assert left == {
        "title": "",
        "owner": ada.email,
        "rejected_because": "title: This field is required.",
    }
    again = await uploaded(admin, [left | {"title": "Row 2"}], after=run)
    draft = await admin.imports.draft("tasks", again)
    assert (draft.mapping, [one.name for one in draft.columns]) == (PLAIN, ["title", "owner"])
    await admin.imports.start("tasks", again, draft.mapping)
    assert await sql.fetchval("SELECT count(DISTINCT title) FROM tasks") == 5


async def test_a_name_that_several_rows_have_is_said_to_be_ambiguous(
    admin: AdminService, database: Database, ada: Person
) -> None:
    for _ in range(2):
        (await ada.http.post("/api/projects", json={"name": "House"})).raise_for_status()
    rows = [{"title": title, "owner": ada.email, "in": name} for title, name in (("A", "House"), ("", "Nowhere"))]
    run = await begun(admin, rows, PLAIN | {"in": "project_id"})
    await work(database, run)

    found = await rest(admin, run)

    assert [row["rejected_because"] for row in found] == [
        "project_id: 2 rows are called House: write the id of one.",
        "project_id: No row is called Nowhere. title: This field is required.",
    ]


async def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    admin: AdminService, database: Database, ada: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await begun(admin, titles(9, ada, bad=[4]))
    settle, steps = import_steps.settle, iter(range(10))

    async def killed(*arguments: Any) -> None:
        await settle(*arguments)
        if next(steps) == 1:  # in the second batch, after its rows are imported
            raise asyncio.CancelledError

    monkeypatch.setattr(import_steps, "settle", killed)
    with pytest.raises(asyncio.CancelledError):
        await work(database, run)
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 3

    await work(database, run)

    found = await admin.queries.get("runs", run)
    assert (found.status, found.done, found.failed) == ("done", 8, 1)
    assert await sql.fetchval("SELECT array_agg(title ORDER BY title) FROM tasks") == [
        f"Row {n}" for n in range(1, 10) if n != 4
    ]


async def test_two_workers_import_each_row_once(admin: AdminService, database: Database, ada: Person, sql: Any) -> None:
    run = await begun(admin, titles(12, ada))

    await asyncio.gather(work(database, run), work(database, run))

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 12


async def test_a_cancelled_import_keeps_what_is_left(
    admin: AdminService, database: Database, ada: Person, sql: Any
) -> None:
    run = await begun(admin, titles(4, ada))

    await admin.actions.act_on_one("runs", "cancel", run)
    await work(database, run)

    assert (await admin.queries.get("runs", run)).status == "cancelled"
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0
    assert [row["title"] for row in await rest(admin, run)] == ["Row 1", "Row 2", "Row 3", "Row 4"]
    with pytest.raises(Forbidden):
        await admin.actions.act_on_one("runs", "cancel", run)


async def test_of_rows_with_the_same_id_the_first_counts(
    admin: AdminService, database: Database, ada: Person, sql: Any
) -> None:
    task = await ada.add("Water")
    rows = [{"Number": task["id"], "title": f"Title {n}"} for n in range(1, 6)]

    run = await begun(admin, rows, {"Number": "id", "title": "title"})
    await work(database, run)

    assert await sql.fetchval("SELECT title FROM tasks") == "Title 1"
    assert {row["rejected_because"] for row in await rest(admin, run)} == {TWICE}


async def test_the_preview_keeps_nothing(admin: AdminService, ada: Person, sql: Any) -> None:
    run = await uploaded(admin, titles(3, ada, bad=[3]))

    report = await admin.imports.preview("tasks", run, PLAIN)

    assert [row.action for row in report.rows] == ["add", "add", "refused"]
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0
    columns = (await admin.imports.draft("tasks", run)).columns
    assert {one.name: one.example for one in columns} == {"title": "Row 1", "owner": ada.email}


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({}, "at least one"), ({"title": "version"}, "no field version"),
        ({"title": "title", "owner": "title"}, "Two columns"),
    ],
    ids=["none", "unknown", "twice"],
)  # fmt: skip
async def test_columns_that_cannot_be_meant_are_refused(
    admin: AdminService, ada: Person, mapping: dict[str, str], words: str
) -> None:
    run = await uploaded(admin, titles(1, ada))

    with pytest.raises(Invalid) as refused:
        await admin.imports.start("tasks", run, mapping)
    assert words in refused.value.errors[0].message

    await admin.imports.start("tasks", run, PLAIN)
    with pytest.raises(Conflict):
        await admin.imports.start("tasks", run, PLAIN)


@pytest.mark.parametrize("rows", [0, 7], ids=["none", "too_many"])
async def test_the_number_of_rows_is_bounded(
    admin: AdminService, ada: Person, sql: Any, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_ROWS", 6)

    with pytest.raises(Invalid, match="rows"):
        await uploaded(admin, titles(rows, ada))

    assert await sql.fetchval("SELECT count(*) FROM admin_runs") == 0


@pytest.mark.parametrize("header", [[f"c{n}" for n in range(201)], ["title"]], ids=["one_row", "each_row_another"])
async def test_the_number_of_columns_is_bounded(admin: AdminService, sql: Any, header: list[str]) -> None:
    """The page that assigns them has a choice of all fields for each."""
    rows = [dict.fromkeys(header, "x")] if len(header) > 1 else [{f"c{n}": "x"} for n in range(201)]

    with pytest.raises(Invalid, match="at most 200 columns"):
        await uploaded(admin, rows)

    assert await sql.fetchval("SELECT count(*) FROM admin_runs") == 0


async def test_an_import_belongs_to_its_person(
    admin: AdminService, registry: Registry, database: Database, world: World, ada: Person
) -> None:
    run = await begun(admin, titles(1, ada, bad=[1]))
    other = await world.person("eve", "superuser")
    eve = AdminService(registry, database, origin_for(Actor(other.id, other.email, permissions=frozenset({"*"}))))

    for read in (eve.imports.draft, eve.imports.rest):
        with pytest.raises(NotFound):
            await read("tasks", run)
    with pytest.raises(NotFound):
        await admin.imports.rest("labels" if "import" in registry["labels"].verbs else "tasks", uuid4())


async def test_it_needs_the_permission(registry: Registry, database: Database, ada: Person) -> None:
    actor = Actor(ada.id, ada.email, permissions=frozenset({"admin.enter", "tasks.view", "tasks.add"}))

    with pytest.raises(Forbidden):
        await uploaded(AdminService(registry, database, origin_for(actor)), titles(1, ada))


async def test_a_draft_is_kept_for_a_day(admin: AdminService, database: Database, ada: Person, sql: Any) -> None:
    await uploaded(admin, titles(1, ada))
    await begun(admin, titles(1, ada, bad=[1]))
    await sql.execute("UPDATE admin_runs SET updated_at = now() - interval '2 days'")

    await delete_old_runs(job_context(database))

    assert await sql.fetchval("SELECT array_agg(status) FROM admin_runs") == ["done"]


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("title", "title"), ("Title", "title"), ("OWNER", "owner_id"), ("owner_id", "owner_id"), ("Titel", "title"),
        ("due at", "due_at"), ("rubbish", ""),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_name(column: str, field: str) -> None:
    named = {"Title": "Titel"}
    fields: list[Field] = [REGISTRY["tasks"].fields[name] for name in ("title", "owner_id", "due_at")]
    translate: Callable[[str], str] = lambda text: named.get(text, text)  # noqa: E731

    assert guess([column], fields, translate) == ({column: field} if field else {})


async def test_a_worker_continues_an_import_at_the_command_line_that_was_interrupted(
    registry: Registry, database: Database, ada: Person, sql: Any
) -> None:
    admin = AdminService(registry, database, origin_for(OPERATOR, source="cli"))
    run = await admin.imports.upload("tasks", "tasks.csv", titles(8, ada, bad=[7]), lax=True, digest="5f")
    await admin.imports.start("tasks", run, PLAIN)
    with pytest.raises(KeyboardInterrupt):
        await admin.imports.finish("tasks", run, interrupt)

    for minutes, queued in ((1, 0), (3, 1)):  # first it may still be running
        await sql.execute("UPDATE admin_runs SET updated_at = now() - make_interval(mins => $1)", minutes)
        for _ in range(2):  # queued once
            await continue_runs(job_context(database))
        assert await sql.fetchval("SELECT count(*) FROM waiting_jobs WHERE function = 'run_admin_action'") == queued
    await work(database, run)

    found = await admin.imports.interrupted("tasks", "5f")
    assert found is not None and (found.id, found.status, found.added, found.failed) == (run, "done", 7, 1)
    assert await sql.fetchval("SELECT count(DISTINCT title) FROM tasks") == 7
    who = await sql.fetch("SELECT actor, actor_kind, source FROM audit_events WHERE action = 'tasks.add' ORDER BY id")
    assert {tuple(row) for row in who} == {(OPERATOR.name, "operator", "cli"), (OPERATOR.name, "operator", "worker")}
    await admin.imports.note_reported("tasks", run)
    assert await admin.imports.interrupted("tasks", "5f") is None


def interrupt(done: int, _: int) -> None:
    """End a process after its first batch."""
    raise KeyboardInterrupt
