"""Role by resource by verb by face, from the registry: each answers as the permissions say, and all three alike."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support.admin_interfaces import FACES, LET_THROUGH, Ask, Stage
from support.admin_rows import Rows, values_for
from support.admin_table import permissions_of
from support.factories import Person, World
from uuid_utils.compat import uuid7

from todo.access import Actor
from todo.admin.declaration import ENTER, VERBS, ModelAdmin, Resource
from todo.database import Database
from todo.domain.accounts.rules import GRANTS
from todo.modules import REGISTRY

EVERY = REGISTRY.permissions
LIFTING = frozenset({one.every_row for one in REGISTRY})
# Beside the roles of an installation, those that tell permissions apart.
ROLES: dict[str, frozenset[str]] = GRANTS | {
    "visitor": frozenset({ENTER}),
    "reader": permissions_of(REGISTRY, "view"),
    "exporter": permissions_of(REGISTRY, "view", "export"),
    "writer": permissions_of(REGISTRY, "view", "add", "change", "delete", "import"),
    "without a view": EVERY - {f"{one.name}.view" for one in REGISTRY},
    "owner of what is theirs": EVERY - LIFTING,
    "outsider": EVERY - {ENTER},
}
RESOURCES = {"ids": lambda value: getattr(value, "name", str(value))}


@pytest.fixture
async def somebody(world: World, sql: Any) -> AsyncIterator[Callable[[str], Any]]:
    """Makes somebody who holds a role of ours."""
    for name in ROLES.keys() - GRANTS.keys():
        await sql.execute(
            "INSERT INTO roles (id, created_at, updated_at, version, name, permissions)"
            " VALUES ($1, now(), now(), 1, $2, $3)",
            uuid7(), name, sorted(ROLES[name]),
        )  # fmt: skip

    async def make(role: str) -> Person:
        return await world.person("frank", role, timezone="UTC")

    yield make
    await sql.execute("DELETE FROM user_roles")
    await sql.execute("DELETE FROM roles WHERE name <> ALL($1)", list(GRANTS))


def harmless(resource: Resource) -> list[tuple[str, Ask, int]]:
    """For each permission what to ask for, and the answer to somebody who is let through; nothing is changed by it."""
    nonsense = {"nonsense": "1"}
    found = [
        ("view", Ask("view", resource.name), 200), ("view", Ask("get", resource.name), 404),
        ("export", Ask("export", resource.name), 200), ("add", Ask("add", resource.name, values=nonsense), 422),
        ("change", Ask("change", resource.name, values=nonsense), 422), ("delete", Ask("delete", resource.name), 404),
        ("import", Ask("import", resource.name, values=nonsense), 422),
    ]  # fmt: skip
    if isinstance(resource, ModelAdmin):
        found += [("view", Ask("history", resource.name), 404), ("explain", Ask("explain", resource.name), 404)]
    for one in resource.actions.values():
        if one.on == "row":
            expected = 404 if one.form is None else 422
            values = {} if one.form is None else nonsense
            found.append((one.name, Ask("act on one", resource.name, action=one.name, values=values), expected))
        else:
            found.append((one.name, Ask("act", resource.name, action=one.name, values=nonsense), 422))
    return found


def expected(resource: Resource, verb: str, held: frozenset[str], let_through: int) -> int:
    if verb in VERBS and verb not in resource.verbs:
        return 403
    needed = {ENTER, f"{resource.name}.{verb}"}
    if verb in {"export", "explain"} or (let_through == 404 and not isinstance(resource, ModelAdmin)):
        needed.add(f"{resource.name}.view")  # what is read on the way
    return let_through if "*" in held or needed <= held else 403


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("resource", [*REGISTRY], **RESOURCES)
async def test_every_verb_is_answered_as_the_permissions_say_on_every_interface(
    somebody: Callable[[str], Any], database: Database, role: str, resource: Resource
) -> None:
    stage = Stage(REGISTRY, database, await somebody(role))
    sent, due = {}, {}
    for verb, ask, let_through in harmless(resource):
        for name, face in FACES.items():
            key = f"{ask.verb} {ask.action} {name}"
            due[key] = expected(resource, verb, ROLES[role], let_through)
            sent[key] = _known((await face(stage, ask)).status, verb in resource.verbs or verb in resource.actions)

    assert sent == due


def _known(status: int, declared: bool) -> int:
    """A verb that is not declared has no route: no such path, method, or parameter of what has that path."""
    return 403 if not declared and status in {404, 405, 422} else status


TABLES = [one for one in REGISTRY if isinstance(one, ModelAdmin)]


@pytest.mark.parametrize("resource", TABLES, **RESOURCES)
async def test_all_faces_read_the_same(
    somebody: Callable[[str], Any], database: Database, resource: ModelAdmin[Any]
) -> None:
    stage = Stage(REGISTRY, database, await somebody("superuser"))
    row_id = str(await Rows(REGISTRY, database, stage.person.id).of(resource))
    asks = [
        Ask("view", resource.name), Ask("view", resource.name, q=row_id), Ask("get", resource.name, row_id),
        Ask("history", resource.name, row_id),
    ]  # fmt: skip
    asks += [Ask("view", resource.name, sort=f"-{name}") for name in resource.sortable]

    for ask in asks:
        answers = {name: await face(stage, ask) for name, face in FACES.items()}
        assert answers["service"].status == LET_THROUGH
        assert answers["service"].body == answers["rest"].body == answers["cli"].body, ask
        assert answers["service"].body


@pytest.mark.parametrize("resource", [one for one in TABLES if "export" in one.verbs], **RESOURCES)
async def test_all_faces_export_the_same(
    somebody: Callable[[str], Any], database: Database, resource: ModelAdmin[Any]
) -> None:
    stage = Stage(REGISTRY, database, await somebody("superuser"))
    row_id = str(await Rows(REGISTRY, database, stage.person.id).of(resource))

    answers = [await face(stage, Ask("export", resource.name, q=row_id)) for face in FACES.values()]

    assert [row["id"] for row in answers[0].body] == [row_id]
    assert answers[0] == answers[1] == answers[2]


STRANGER = Actor(id=None, name="", permissions=EVERY - LIFTING)
SCOPED = [one for one in TABLES if one.scope(STRANGER) is not None]


def on_a_row(resource: ModelAdmin[Any], row_id: str) -> list[Ask]:
    """All that can be asked of one row."""
    values = {
        one.name: value for one in resource.fields.values() if one.on_change for value in [*values_for(one, 1)][:1]
    }
    asks = [Ask(verb, resource.name, row_id) for verb in ("get", "history")]
    asks += [Ask("delete", resource.name, row_id)] if "delete" in resource.verbs else []
    asks += [Ask("change", resource.name, row_id, values=values)] if "change" in resource.verbs else []
    asks += [
        Ask("act on one", resource.name, row_id, action=one.name)
        for one in resource.actions.values()
        if one.on == "row" and one.form is None
    ]
    return asks


@pytest.mark.parametrize("resource", SCOPED, **RESOURCES)
async def test_what_is_out_of_scope_is_not_there_on_any_interface(
    somebody: Callable[[str], Any], database: Database, ada: Person, sql: Any, resource: ModelAdmin[Any]
) -> None:
    row_id = str(await Rows(REGISTRY, database, ada.id).of(resource))
    stage = Stage(REGISTRY, database, await somebody("owner of what is theirs"))
    inboxes = 1 if resource.name == "projects" else 0  # everybody has one
    table = resource.model.__tablename__
    before = await sql.fetch(f'SELECT * FROM "{table}"')

    for face in FACES.values():
        for ask, theirs in ((Ask("view", resource.name), inboxes), (Ask("view", resource.name, q=row_id), 0)):
            found = (await face(stage, ask)).body
            assert (len(found["items"]), found["total"]) == (theirs, theirs)
            assert row_id not in {item["id"] for item in found["items"]}
            assert {value["count"] or 0 for facet in found["facets"] for value in facet["values"]} <= {0, theirs}
        assert {(await face(stage, ask)).status for ask in on_a_row(resource, row_id)} == {404}
        if "export" in resource.verbs:
            assert len((await face(stage, Ask("export", resource.name))).body) == inboxes
    assert await sql.fetch(f'SELECT * FROM "{table}"') == before


@pytest.mark.parametrize("resource", [one for one in SCOPED if "change" in one.verbs], **RESOURCES)
async def test_an_event_of_a_row_out_of_scope_is_answered_like_one_that_never_was(
    somebody: Callable[[str], Any], database: Database, ada: Person, sql: Any, resource: ModelAdmin[Any]
) -> None:
    row_id, event_id = await Rows(REGISTRY, database, ada.id).of(resource), uuid7()
    await sql.execute(
        "INSERT INTO audit_events (id, at, actor, actor_kind, action, subject, subject_id, before, after, request_id,"
        " address, source) VALUES ($1, now(), 'x', 'user', 'x', $2, $3, '{}', '{}', '', '', 'api')",
        event_id, resource.model.__tablename__, row_id,
    )  # fmt: skip
    person = await somebody("owner of what is theirs")

    paths = [f"/api/admin/{resource.name}/{row_id}/history/{event}/revert" for event in (event_id, uuid7())]

    assert [(await person.http.post(path)).status_code for path in paths] == [404, 404]


def test_there_are_scopes_to_look_through() -> None:
    assert {one.name for one in SCOPED} >= {"tasks", "occurrences", "saved_views", "runs"}
