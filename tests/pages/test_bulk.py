"""Many rows at once, from every interface: what was typed or sent is what each row holds, whoever writes it."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from support.admin_interfaces import Ask, Stage, by_service, plain
from support.admin_rows import Rows, many, values_for
from support.factories import Person, origin_for
from support.pages import Visitor

from todo.access import Actor, worker_origin
from todo.admin import actions
from todo.admin.cli.writing import act
from todo.admin.declaration import ModelAdmin
from todo.admin.fields import Field, write_text
from todo.admin.pages.forms import text_of
from todo.admin.runs import carry_out
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Invalid, NotFound
from todo.loops import run_once
from todo.modules import JOBS, REGISTRY
from todo.saq_queue import new_worker, relay

CHANGED = [one for one in REGISTRY if isinstance(one, ModelAdmin) and "change" in one.verbs]
EDITABLE = [(one, field) for one in CHANGED for field in one.fields.values() if field.on_change]
IDS = {"ids": lambda value: getattr(value, "name", str(value))}
OPERATOR = Actor(id=None, name="cli:tester", kind="operator", permissions=frozenset({"*"}))


@pytest.fixture
def stage(database: Database, boss: Person) -> Stage:
    return Stage(REGISTRY, database, boss)


@pytest.fixture
def rows(stage: Stage) -> Rows:
    return Rows(REGISTRY, stage.database, stage.person.id)


def typed(field: Field, value: Any) -> str:
    """A value as people type it."""
    return text_of(field, value, "UTC") if field.text_format else write_text(value)


async def by_pages(visitor: Visitor, resource: str, ids: list[str], field: Field, value: Any) -> UUID | None:
    """Edit fields on the pages; the run that goes on in the background, None when it was refused."""
    sent = {"action": "change", "confirmed": "1", "id": ids, "_set": field.name, field.name: typed(field, value)}
    answer = await visitor.send(f"/admin/{resource}/act", **sent)
    return UUID(answer.headers["location"].rpartition("/")[2]) if answer.status_code == 303 else None


async def by_rest(boss: Person, resource: str, ids: list[str], field: Field, value: Any) -> UUID | None:
    body = {"ids": ids, "form": {field.name: value}}
    answer = await boss.http.post(f"/api/admin/{resource}/actions/change", json=body)
    return UUID(answer.json()["run"]) if answer.is_success else None


@pytest.mark.parametrize("interface", ["pages", "rest", "cli"])
@pytest.mark.parametrize(("resource", "field"), EDITABLE, **IDS)
async def test_every_field_is_set_on_many_rows(
    visitor: Visitor, stage: Stage, rows: Rows, resource: ModelAdmin[Any], field: Field, interface: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(actions, "AT_ONCE", 1)
    # A person has one label of a name.
    owners = [
        {"user_id": await rows.of(REGISTRY.table("users"))} if resource.name == "labels" else {} for _ in range(2)
    ]
    ids = [str(await rows.of(resource, **owner)) for owner in owners]
    reference = [str(await rows.of(REGISTRY.table(field.reference)))] if field.kind == "reference" else []

    for value in [*reference, *reversed(list(values_for(field, 0)))]:
        if interface == "cli":
            done = await _by_cli(stage, resource.name, ids, f"{field.name}={typed(field, value)}")
        else:
            run = await (
                by_pages(visitor, resource.name, ids, field, value)
                if interface == "pages"
                else by_rest(stage.person, resource.name, ids, field, value)
            )
            done = run is not None and await _carried_out(stage, run)
        if done:
            break

    assert done
    found = [(await by_service(stage, Ask("get", resource.name, row_id))).body[field.name] for row_id in ids]
    assert found == [value, value]


async def _carried_out(stage: Stage, run: UUID) -> bool:
    await carry_out(REGISTRY, stage.database, actor_of, run, worker_origin())
    found = plain(
        await AdminService(REGISTRY, stage.database, origin_for(await stage.actor())).queries.get("runs", run)
    )
    return (found["status"], found["done"]) == ("done", 2)


async def _by_cli(stage: Stage, resource: str, ids: list[str], value: str) -> bool:
    options = {"resource": resource, "action": "change", "ids": ids, "values": [value], "yes": True, "as_json": True}
    matching = {"everything": False, "filters": [], "q": "", "trash": False}
    actor = replace(await stage.actor(), by=OPERATOR)  # `--as`: saved views are changed by their owner alone
    admin = AdminService(REGISTRY, stage.database, origin_for(actor, "cli"))
    try:
        return await act.body(admin, **options, **matching) == 0
    except (Invalid, NotFound):
        return False


def test_there_are_fields_of_many_kinds() -> None:
    kinds = {field.kind for _, field in EDITABLE}
    assert kinds >= {"text", "long_text", "integer", "boolean", "day", "choice", "list", "json", "reference"}


async def test_a_worker_sets_a_date_typed_on_the_pages(
    visitor: Visitor, database: Database, boss: Person, sql: Any
) -> None:
    await many(sql, boss, 120)
    sent = {"action": "change", "confirmed": "1", "matching": "1", "_set": ["due", "priority"]}

    answer = await visitor.send("/admin/tasks/act", due="2031-01-31", priority="4", **sent)
    worker = new_worker(database.settings, database, [], JOBS.functions, burst=True)
    await worker.queue.connect()
    await run_once(database, [relay(worker.queue)])
    await worker.start()
    await worker.queue.disconnect()

    run = plain(await _run_of(answer.headers["location"], database, boss))
    assert (run["status"], run["total"], run["done"], run["failures"]) == ("done", 120, 120, [])
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE priority = 4 AND due->>'date' = '2031-01-31'") == 120


async def _run_of(location: str, database: Database, boss: Person) -> Any:
    actor = await Stage(REGISTRY, database, boss).actor()
    return await AdminService(REGISTRY, database, origin_for(actor)).queries.get("runs", location.rpartition("/")[2])


async def test_the_form_of_an_action_reaches_the_worker_from_the_pages(
    visitor: Visitor, stage: Stage, boss: Person, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "AT_ONCE", 1)
    due = {"kind": "day", "date": "2031-01-31"}
    for title in ("A", "B"):
        await boss.add(title, due=due, recurrence={"rrule": "FREQ=MONTHLY"})
    sent = {"action": "end", "confirmed": "1", "matching": "1", "open": "cancel"}

    answer = await visitor.send("/admin/series/act", **sent)

    assert await _carried_out(stage, UUID(answer.headers["location"].rpartition("/")[2]))
    assert await sql.fetchval("SELECT count(*) FROM series WHERE status = 'ended'") == 2
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 0
