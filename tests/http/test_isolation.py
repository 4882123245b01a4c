"""What is somebody else's does not exist, on every route there is; these tests walk the routes themselves."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from support.factories import Person, World
from support.sharing import share

from todo.app import create_app
from todo.domain.accounts.rules import GRANTS, MEMBER
from todo.http.document.operations import permissions_of
from todo.settings import load_settings

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Rows: TypeAlias = dict[str, list[str]]

# A route with a body needs one that is acceptable here: what is refused as invalid shows nothing about isolation.
BODIES: dict[str, Any] = {
    "add_task": {"title": "Stolen"},
    "change_task": {"title": "Stolen"},
    "move_task": {"due": {"kind": "day", "date": "2031-01-01"}},
    "change_series": {"title": "Stolen", "rrule": "FREQ=DAILY"},
    "pause_series": {"from": "2031-01-01", "until": "2031-02-01"},
    "end_series": {"open": "cancel"},
    "add_reminder": {"timing": {"kind": "relative"}},
    "change_reminder": {"urgent": True},
    "snooze_reminder": {"minutes": 5},
    "change_notification_preferences": {"email": False},
    "begin_vacation": {"until": "2031-01-01"},
    "add_project": {"name": "Stolen"},
    "change_project": {"name": "Stolen"},
    "change_member": {"role": "viewer"},
    "add_project_invitation": {"email": "eve@example.com", "role": "viewer"},
    "add_project_link": {"name": "Stolen"},
    "order_task": {"after_id": None},
    "add_dependency": {"blocker_id": str(uuid4())},
    "add_section": {"name": "Stolen"},
    "change_section": {"name": "Stolen"},
    "add_comment": {"text": "Stolen"},
    "change_comment": {"text": "Stolen"},
    "write_private_note": {"text": "Stolen"},
    "add_label": {"name": "Stolen"},
    "change_label": {"name": "Stolen"},
    "add_view": {"name": "Stolen"},
    "change_view": {"name": "Stolen"},
    "transfer_project": {"user_id": str(uuid4())},
}


class Operation(NamedTuple):
    name: str
    method: str
    path: str
    permissions: tuple[str, ...]

    @property
    def guarded(self) -> bool:
        return self.permissions != ()

    def at(self, some_id: object) -> str:
        return re.sub(r"\{\w+\}", str(some_id), self.path)


def operations_of(app: Litestar) -> Iterator[Operation]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if handler.operation_id:
                    name = str(handler.operation_id)
                    yield Operation(name, method, route.path_format, tuple(permissions_of(handler)))


UNOPENED = create_app(load_settings(_env_file=None, database_url="postgresql://nowhere/todo", secret_key="x" * 32))
# Pages are for browsers and their cookies; their tests are in tests/browser.
API = [operation for operation in operations_of(UNOPENED) if not operation.path.startswith("/admin")]
GUARDED = sorted(operation for operation in API if operation.guarded)
# What no member may do is refused before anything is looked up; see the tests of those routes.
WITH_ID = [operation for operation in GUARDED if "{" in operation.path and {*operation.permissions} <= GRANTS[MEMBER]]
BY_NAME = {"ids": lambda operation: operation.name}


async def call(http: httpx.AsyncClient, operation: Operation, some_id: object) -> httpx.Response:
    body = BODIES.get(operation.name)
    options = {"json": body} if body else {}
    return await http.request(operation.method, operation.at(some_id), **options)


async def rows(sql: Sql) -> Rows:
    """Everything that is stored, row by row."""
    tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {name: sorted(row[0] for row in await sql.fetch(f'SELECT t::text FROM "{name}" AS t')) for (name,) in tables}


@pytest.fixture
async def belongings(ada: Person, bob: Person, world: World, sql: Sql) -> list[UUID]:
    """Every id that is ada's, in every state a thing can be in."""
    house = (await ada.http.post("/api/projects", json={"name": "House"})).json()["id"]
    shared = await ada.add("Shared with somebody else", project_id=house)
    await ada.http.post(f"/api/tasks/{shared['id']}/comments", json={"text": "Ours"})
    await share(sql, house, (await world.person("carol")).id)
    await sql.execute("UPDATE users SET email_verified_at = now()")
    invitation = {"email": "carol@example.com", "role": "editor"}
    assert (await ada.http.post(f"/api/projects/{house}/invitations", json=invitation)).status_code == 201
    assert (await ada.http.post(f"/api/projects/{house}/links", json={"name": "Ours"})).status_code == 201
    await ada.http.post(f"/api/projects/{house}/sections", json={"name": "Attic"})
    await ada.http.post("/api/labels", json={"name": "home"})
    for place in ({}, {"project_id": house}):
        assert (await ada.http.post("/api/views", json={"name": "Ours", **place})).status_code == 201
    await ada.http.patch(f"/api/tasks/{shared['id']}/private-note", json={"text": "Mine"})
    done, trashed = await ada.add("Done"), await ada.add("Trashed")
    waiting = await ada.add("Open")
    await ada.http.post(f"/api/tasks/{waiting['id']}/dependencies", json={"blocker_id": shared["id"]})
    series = await ada.add("Again", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=MONTHLY"})
    await ada.add("Below", parent_id=series["id"])
    for task, timing in ((done, {"kind": "absolute", "at": "2031-01-01T00:00:00Z"}), (series, {"kind": "relative"})):
        await ada.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": timing})
    await ada.http.patch("/api/me/notifications", json={"digest": ["app"]})
    await sql.execute(
        "INSERT INTO notifications (id, created_at, updated_at, version, user_id, dedup, kind, title, text, in_app) "
        "VALUES (gen_random_uuid(), now(), now(), 1, $1, 'one', 'digest', 'Today', '', true)",
        ada.id,
    )
    await ada.http.post(f"/api/tasks/{done['id']}/complete")
    await ada.http.delete(f"/api/tasks/{trashed['id']}")
    await ada.http.post(f"/api/tasks/{series['id']}/complete")
    tables = await sql.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'"
    )
    kept = {"roles", "signing_keys", "quota_defaults", "usage_changes"}  # the latter two have numbers
    found = [row["id"] for (name,) in tables if name not in kept for row in await sql.fetch(f'SELECT id FROM "{name}"')]
    return [some_id for some_id in found if some_id != bob.id]  # also that of an inbox


def test_there_are_routes_to_walk() -> None:
    assert {operation.name for operation in WITH_ID} >= {"get_task", "change_task", "delete_task", "restore_task"}


@pytest.mark.parametrize("operation", WITH_ID, **BY_NAME)
async def test_what_is_not_mine_is_answered_like_what_never_was(
    bob: Person, belongings: list[UUID], sql: Sql, operation: Operation
) -> None:
    before = await rows(sql)
    never = await call(bob.http, operation, uuid4())

    answers = [await call(bob.http, operation, some_id) for some_id in belongings]

    def sent(answer: httpx.Response) -> dict[str, Any]:
        return {name: value for name, value in answer.json().items() if name not in {"request_id", "instance"}}

    def shown(answer: httpx.Response) -> set[str]:
        return set(answer.headers) - {"content-length"}

    assert len(answers) >= 10
    assert {answer.status_code for answer in [never, *answers]} == {404}
    assert [sent(answer) for answer in answers] == [sent(never)] * len(answers)
    assert [shown(answer) for answer in answers] == [shown(never)] * len(answers)
    assert await rows(sql) == before


@pytest.mark.parametrize("operation", WITH_ID, **BY_NAME)
async def test_no_key_and_no_version_opens_what_is_not_mine(
    bob: Person, belongings: list[UUID], sql: Sql, operation: Operation
) -> None:
    before = await rows(sql)
    bob.http.headers.update({"if-match": '"1"', "if-none-match": "*", "idempotency-key": "one"})

    statuses = {(await call(bob.http, operation, some_id)).status_code for some_id in belongings}

    assert statuses == {404}
    assert await rows(sql) == before


@pytest.mark.parametrize("operation", GUARDED, **BY_NAME)
async def test_nobody_gets_in_without_a_credential(
    client: httpx.AsyncClient, ada: Person, sql: Sql, operation: Operation
) -> None:
    task = await ada.add()
    before = await rows(sql)

    answer = await call(client, operation, task["id"])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert await rows(sql) == before


@pytest.mark.parametrize("operation", GUARDED, **BY_NAME)
async def test_nobody_gets_in_without_the_right(world: World, sql: Sql, operation: Operation) -> None:
    eve = await world.person("eve", "no such role")
    before = await rows(sql)

    answer = await call(eve.http, operation, uuid4())

    assert answer.status_code == 403
    assert await rows(sql) == before


@pytest.mark.parametrize("path", ["/api/tasks", "/api/trash", "/api/series", "/api/project-invitations"])
async def test_lists_and_their_counts_show_only_what_is_mine(
    ada: Person, bob: Person, belongings: list[UUID], path: str
) -> None:
    answer = await bob.http.get(f"{path}?count=true")

    assert answer.json() == {"items": [], "next_cursor": None, "total": 0, "total_is_exact": True}


async def test_the_usage_is_mine_alone(bob: Person, belongings: list[UUID]) -> None:
    answer = await bob.http.get("/api/me/usage")

    assert {one["used"] for one in answer.json().values()} == {0}


async def test_no_filter_shows_what_is_not_mine(ada: Person, bob: Person, belongings: list[UUID]) -> None:
    for some_id in belongings:
        for name in ("series_id", "parent_id", "project_id"):
            answer = await bob.http.get(f"/api/tasks?count=true&{name}={some_id}")
            assert (answer.json()["items"], answer.json()["total"]) == ([], 0)


async def test_nothing_can_be_hung_below_what_is_not_mine(
    ada: Person, bob: Person, belongings: list[UUID], sql: Sql
) -> None:
    mine = await bob.add()
    before = await rows(sql)

    answers = [
        await bob.http.request(method, path, json={"title": "Mine", "parent_id": str(some_id)})
        for method, path in (("POST", "/api/tasks"), ("PATCH", f"/api/tasks/{mine['id']}"))
        for some_id in [*belongings, uuid4()]
    ]

    assert {answer.status_code for answer in answers} == {422}
    assert len({answer.json()["errors"][0]["message"] for answer in answers}) == 1
    assert await rows(sql) == before


@pytest.mark.parametrize("scope", ["this", "following", "all"])
async def test_no_scope_reaches_what_is_not_mine(bob: Person, belongings: list[UUID], sql: Sql, scope: str) -> None:
    before = await rows(sql)

    statuses = {
        (await bob.http.request(method, f"/api/tasks/{some_id}?scope={scope}", json=body)).status_code
        for some_id in belongings
        for method, body in (("PATCH", {"title": "Stolen"}), ("DELETE", None))
    }

    assert statuses == {404}
    assert await rows(sql) == before


async def test_what_is_to_come_shows_only_what_is_mine(bob: Person, belongings: list[UUID]) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=365):%Y-%m-%dT%H:%M:%SZ}"

    answer = await bob.http.get(f"/api/tasks?include=upcoming&until={until}")

    assert answer.json()["upcoming"] == []


async def test_somebody_elses_cursor_leads_only_to_what_is_mine(ada: Person, bob: Person) -> None:
    mine = await bob.add("Mine")
    for _ in range(3):
        await ada.add("Theirs")
    cursor = (await ada.http.get("/api/tasks?limit=1")).json()["next_cursor"]

    answer = await bob.http.get(f"/api/tasks?cursor={cursor}")

    assert answer.json()["items"] == [mine]


async def test_a_body_cannot_give_a_task_to_somebody_else(ada: Person, bob: Person, sql: Sql) -> None:
    for field in ("owner_id", "created_by", "user_id"):
        answer = await bob.http.post("/api/tasks", json={"title": "Gift", field: str(ada.id)})
        assert answer.status_code == 422

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0
