"""What is not declared is refused on every interface and changes nothing; what is secret is shown by none."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import ARRAY, Integer, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from support.admin_interfaces import FACES, Ask, Stage
from support.admin_rows import Rows
from support.factories import World, origin_for
from uuid_utils.compat import uuid7

from todo.access import Actor
from todo.admin.declaration import ENTER, ModelAdmin
from todo.admin.service import AdminService
from todo.database import Database, columns
from todo.errors import NotFound
from todo.modules import REGISTRY

TABLES = [one for one in REGISTRY if isinstance(one, ModelAdmin)]
IDS = {"ids": lambda value: getattr(value, "name", str(value))}
MARK = "known-to-nobody-7f3a"


@pytest.fixture
async def stage(world: World, database: Database) -> Stage:
    """Somebody who may do everything that is declared."""
    return Stage(REGISTRY, database, await world.person("root", "superuser", timezone="UTC"))


@pytest.fixture
def rows(stage: Stage) -> Rows:
    return Rows(REGISTRY, stage.database, stage.person.id)


async def refused(stage: Stage, *asks: Ask) -> Mapping[str, set[int]]:
    """The statuses of each face."""
    return {name: {(await face(stage, ask)).status for ask in asks} for name, face in FACES.items()}


def everywhere(status: int) -> Mapping[str, set[int]]:
    return dict.fromkeys(FACES, {status})


@pytest.mark.parametrize("resource", [*REGISTRY], **IDS)
async def test_no_list_is_filtered_by_what_is_not_declared(stage: Stage, resource: Any) -> None:
    every = {*resource.fields, "nonsense", "owner_id.email", "id; DROP TABLE users"}
    every |= {column.name for column in columns(resource.model)} if isinstance(resource, ModelAdmin) else set()
    undeclared = every - {*resource.filter_names}

    found = await refused(stage, *(Ask("view", resource.name, filters={name: ["x"]}) for name in undeclared))

    assert found == everywhere(422)


@pytest.mark.parametrize("resource", [*REGISTRY], **IDS)
async def test_no_list_is_sorted_by_what_is_not_declared(stage: Stage, resource: Any) -> None:
    every = {*resource.fields, "nonsense", "id; DROP TABLE users", "1"}
    every |= {column.name for column in columns(resource.model)} if isinstance(resource, ModelAdmin) else set()
    undeclared = every - {"id", *resource.sortable}

    found = await refused(stage, *(Ask("view", resource.name, sort=name) for name in undeclared))

    assert found == everywhere(422)


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_no_field_is_written_that_is_not_declared(
    stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any]
) -> None:
    row_id = str(await rows.of(resource))
    before = await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"')
    every = {*resource.fields, *(column.name for column in columns(resource.model)), "nonsense", "display", "displays"}
    fields = resource.fields
    closed = {"change": every - {name for name in fields if fields[name].on_change}}
    closed["add"] = every - {name for name in fields if fields[name].on_add}

    for verb, names in closed.items():
        if verb in resource.verbs:
            asks = [Ask(verb, resource.name, row_id, values={name: "x"}) for name in names]
            assert await refused(stage, *asks) == everywhere(422)
    assert await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"') == before


@pytest.mark.parametrize("resource", [*REGISTRY], **IDS)
async def test_no_action_of_another_resource_is_carried_out(stage: Stage, resource: Any) -> None:
    others = {name for one in REGISTRY for name in one.actions} - {*resource.actions}

    asks = [Ask("act on one", resource.name, action=name) for name in (*others, "nonsense", "view", "__init__")]

    assert await refused(stage, *asks) == everywhere(404)


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_an_id_of_another_resource_leads_nowhere(stage: Stage, rows: Rows, resource: ModelAdmin[Any]) -> None:
    other = next(one for one in reversed(TABLES) if one is not resource)
    row_id = str(await rows.of(other))
    verbs = ["get", "history", *({"delete"} & {*resource.verbs})]

    assert await refused(stage, *(Ask(verb, resource.name, row_id) for verb in verbs)) == everywhere(404)


@pytest.mark.parametrize("resource", [one for one in TABLES if "change" in one.verbs], **IDS)
async def test_an_event_of_another_row_is_not_undone_here(
    stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any]
) -> None:
    row_id, other_id = await rows.of(resource), await rows.of(resource)
    event_id = uuid7()
    await sql.execute(
        "INSERT INTO audit_events (id, at, actor, actor_kind, action, subject, subject_id, before, after, request_id,"
        " address, source) VALUES ($1, now(), 'x', 'user', 'x', $2, $3, '{}', '{}', '', '', 'api')",
        event_id, resource.model.__tablename__, other_id,
    )  # fmt: skip
    admin = AdminService(REGISTRY, stage.database, origin_for(await stage.actor()))

    answer = await stage.person.http.post(f"/api/admin/{resource.name}/{row_id}/history/{event_id}/revert")

    assert answer.status_code == 404
    with pytest.raises(NotFound):
        await admin.history.revert(resource.name, row_id, event_id)


def secrets_of(resource: ModelAdmin[Any]) -> set[str]:
    """Columns whose values nobody may see: declared secret, hidden, or bytes."""
    binary = {column.name for column in columns(resource.model) if isinstance(column.type, LargeBinary)}
    return {*getattr(resource.model, "SECRET", frozenset()), *resource.hidden, *binary}


@pytest.mark.parametrize("resource", [one for one in TABLES if secrets_of(one)], **IDS)
async def test_no_interface_shows_a_secret(stage: Stage, rows: Rows, sql: Any, resource: ModelAdmin[Any]) -> None:
    row_id = str(await rows.of(resource))
    for column in columns(resource.model):
        if column.name in secrets_of(resource) and column.computed is None:
            kinds: dict[type, Any] = {
                LargeBinary: MARK.encode(), JSONB: json.dumps(MARK), ARRAY: [MARK], Uuid: uuid7(), Integer: 7,
            }  # fmt: skip
            value = next((made for kind, made in kinds.items() if isinstance(column.type, kind)), MARK)
            await sql.execute(
                f'UPDATE "{resource.model.__tablename__}" SET "{column.name}" = $1 WHERE id = $2::text::uuid',
                value, row_id,
            )  # fmt: skip
    verbs = ["view", "get", "history", *({"export"} & {*resource.verbs})]

    for face in FACES.values():
        sent = json.dumps([(await face(stage, Ask(verb, resource.name, row_id))).body for verb in verbs])
        assert MARK not in sent
        assert row_id in sent


GUARDED = [one for one in TABLES if one.field_permissions]


@pytest.mark.parametrize("resource", GUARDED or [None], **IDS)
async def test_a_field_with_a_permission_of_its_own_is_not_there_for_others(
    database: Database, rows: Rows, resource: ModelAdmin[Any] | None
) -> None:
    if resource is None:
        pytest.skip("no field has a permission of its own")
    row_id = await rows.of(resource)
    permissions = REGISTRY.permissions - {*resource.field_permissions.values()} | {ENTER}
    admin = AdminService(REGISTRY, database, origin_for(Actor(id=None, name="x", permissions=permissions)))

    row = json.dumps(await admin.queries.get(resource.name, row_id), default=str)

    assert [name for name in resource.field_permissions if f'"{name}"' in row] == []
    assert {field.name for field in admin.editor.writable(resource.name, adding=False)} & {
        *resource.field_permissions
    } == set()
