"""Every write on every interface leaves its trail: who, by which face, what it was before and what it is now."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from admin.prepared import Scene, target_of
from support.admin_interfaces import FACES, LET_THROUGH, Answer, Ask, Face, Stage, by_cli, by_rest
from support.admin_rows import Rows, values_for
from support.factories import World
from support.pages import Visitor

from todo.access import worker_origin
from todo.admin.declaration import Action, ModelAdmin, Resource
from todo.admin.runs import carry_out
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.modules import REGISTRY

TABLES = [one for one in REGISTRY if isinstance(one, ModelAdmin)]
IDS = {"ids": lambda value: getattr(value, "name", str(value))}
ACTIONS = [(one, action) for one in REGISTRY for action in one.actions.values()]


def having(verb: str) -> list[ModelAdmin[Any]]:
    return [one for one in TABLES if verb in one.verbs]


@pytest.fixture
async def stage(world: World, database: Database) -> Stage:
    return Stage(REGISTRY, database, await world.person("root", "superuser", timezone="UTC"))


@pytest.fixture
def rows(stage: Stage) -> Rows:
    return Rows(REGISTRY, stage.database, stage.person.id)


async def events(sql: Any, resource: ModelAdmin[Any], row_id: Any) -> list[dict[str, Any]]:
    """What was written of a row, newest first."""
    found = await sql.fetch(
        "SELECT * FROM audit_events WHERE subject = $1 AND subject_id = $2::text::uuid ORDER BY id DESC",
        resource.model.__tablename__, str(row_id),
    )  # fmt: skip
    return [dict(row) | {side: json.loads(row[side] or "null") for side in ("before", "after")} for row in found]


EVENTS = {"complete_all": "complete"}  # of each task that is completed
SOURCE = {"service": "admin", "pages": "admin", "rest": "api", "cli": "cli"}


def sent(stage: Stage, face: str, entry: dict[str, Any]) -> None:
    """The entry names who acted, and by which face."""
    by, as_whom = ("cli:tester", stage.person.id) if face == "cli" else (stage.person.email, None)
    assert (entry["actor"], entry["on_behalf_of"], entry["source"]) == (by, as_whom, SOURCE[face])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("resource", having("change"), **IDS)
async def test_a_change_leaves_before_and_after(
    stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any], face: str
) -> None:
    row_id = str(await rows.of(resource))
    before = (await FACES["service"](stage, Ask("get", resource.name, row_id))).body
    changed = {}
    for values in _changes(resource, before):
        answer = await FACES[face](stage, Ask("change", resource.name, row_id, values=values))
        if answer.status == LET_THROUGH:
            changed = values
            break

    ((name, value),) = changed.items()
    entry, *more = await events(sql, resource, row_id)
    sent(stage, face, entry)
    assert (entry["before"][name], entry["after"][name]) == (before[name], value)
    assert more == []


def _changes(resource: ModelAdmin[Any], before: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Changes of one field each, the first of which the room takes will do."""
    for number, field in enumerate(resource.fields.values()):
        if field.on_change:
            yield from ({field.name: value} for value in values_for(field, number) if value != before[field.name])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("resource", having("add"), **IDS)
async def test_what_is_added_leaves_all_it_holds(
    stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any], face: str
) -> None:
    answer = await _added(stage, rows, FACES[face], resource)

    assert answer.status == LET_THROUGH
    (entry,) = await events(sql, resource, answer.body["id"])
    sent(stage, face, entry)
    assert entry["before"] is None
    assert entry["after"]["id"] == answer.body["id"]


async def _added(stage: Stage, rows: Rows, face: Face, resource: ModelAdmin[Any]) -> Answer:
    """Add with what is needed; the first likely value of each."""
    values: dict[str, Any] = {}
    for number, field in enumerate(resource.fields.values()):
        if field.on_add and field.required:
            there = REGISTRY.table(field.reference) if field.reference else None
            if there is None:
                values[field.name] = next(values_for(field, number))
            else:
                own = there.name == "users" and resource.name != "project_members"  # the owner is none
                values[field.name] = str(stage.person.id if own else await rows.of(there))
    if resource.name == "saved_views":  # of a list that there is
        values["resource"] = "tasks"
    answer = await face(stage, Ask("add", resource.name, values=values))
    candidates = values_for(resource.fields[next(iter(values))], 0) if values else iter(())
    for value in candidates:
        if answer.status == LET_THROUGH:
            break
        answer = await face(stage, Ask("add", resource.name, values=values | {next(iter(values)): value}))
    return answer


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("resource", having("delete"), **IDS)
async def test_what_is_deleted_leaves_all_it_held(
    stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any], face: str
) -> None:
    row_id = str(await rows.of(resource))

    answers = [await FACES[face](stage, Ask("delete", resource.name, row_id))]
    answers += [await FACES[face](stage, Ask("delete", resource.name, row_id))] if "purge" in resource.verbs else []

    assert {answer.status for answer in answers} == {LET_THROUGH}
    entry, *_ = await events(sql, resource, row_id)
    sent(stage, face, entry)
    if not resource.trash or "purge" in resource.verbs:
        assert entry["before"]
        assert entry["after"] is None
        assert (await FACES[face](stage, Ask("get", resource.name, row_id))).status == 404


async def by_pages(stage: Stage, ask: Ask) -> Answer:
    """The form of a page, as it is sent after its question was answered."""
    app = stage.person.app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        visitor = await Visitor.enter(app, http, stage.person)
        ids = {"id": ask.row_id} if ask.row_id else {}
        sent = await visitor.send(f"/admin/{ask.resource}/act", action=ask.action, confirmed="1", **ids, **ask.values)
    return Answer(LET_THROUGH if sent.status_code == 303 else sent.status_code, sent.text)


INTERFACES: dict[str, Face] = {"pages": by_pages, "rest": by_rest, "cli": by_cli}


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize(("resource", "action"), ACTIONS, **IDS)
async def test_every_action_succeeds_and_leaves_the_event_of_its_name(
    stage: Stage, rows: Rows, sql: Any, resource: Resource, action: Action, interface: str
) -> None:
    target = await target_of(Scene(REGISTRY, stage.database, stage.person, rows, sql), resource, action)
    before = {row["id"] for row in await sql.fetch("SELECT id FROM audit_events")}
    verb = "act on one" if target.row_id else "act on resource"

    answer = await INTERFACES[interface](
        stage, Ask(verb, resource.name, target.row_id, values=target.form, action=action.name)
    )

    assert answer.status == 200, answer.body
    for run in await sql.fetch("SELECT id FROM admin_runs WHERE status = 'waiting'"):
        await carry_out(REGISTRY, stage.database, actor_of, run["id"], worker_origin())
    events = [dict(row) for row in await sql.fetch("SELECT * FROM audit_events") if row["id"] not in before]
    events = [one for one in events if not one["action"].startswith(("sessions.begin", "accounts.login"))]
    name = f"{resource.name}.{EVENTS.get(action.name, action.name)}"
    subject = target.row_id if isinstance(resource, ModelAdmin) else ""
    assert [one for one in events if one["action"] == name and subject in {"", str(one["subject_id"])}]
    for event in events:
        if event["source"] != "worker" or not action.background:
            sent(stage, interface, event)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("resource", having("import"), **IDS)
async def test_a_row_that_an_import_refuses_is_reported_and_nothing_is_kept(
    stage: Stage, sql: Any, resource: ModelAdmin[Any], face: str
) -> None:
    before = await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"')
    values = {"id": "0190f5f0-7c1d-7000-8000-000000000000"}

    answer = await FACES[face](stage, Ask("import", resource.name, values=values))

    assert (answer.status, answer.body["applied"], answer.body["refused"]) == (LET_THROUGH, False, 1)
    assert answer.body["rows"][0]["errors"] == ["id: There is no row with this id."]
    assert await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"') == before


def test_nothing_of_this_is_empty() -> None:
    assert all(map(having, ("add", "change", "delete", "import")))
    assert {action.name for _, action in ACTIONS} >= {"complete", "reopen"}
