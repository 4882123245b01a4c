"""Every change leaves one entry in the trail, written with the change."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from support.factories import PASSWORD, Person

from todo.database import Database
from todo.loops import run_once
from todo.modules import LOOPS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DAILY = {"due": {"kind": "day", "date": "2031-01-01"}, "recurrence": {"rrule": "FREQ=DAILY"}}


async def events(sql: Sql, task_id: str) -> list[dict[str, Any]]:
    found = await sql.fetch("SELECT * FROM audit_events WHERE subject_id = $1 ORDER BY id", UUID(task_id))
    return [dict(row) | {side: row[side] and json.loads(row[side]) for side in ("before", "after")} for row in found]


async def last(sql: Sql, task: dict[str, Any], answer: httpx.Response, actions: list[str]) -> dict[str, Any]:
    """The newest entry of a task, after checking who, where, and that there is one for every change."""
    found = await events(sql, task["id"])
    assert [entry["action"] for entry in found] == actions
    assert found[-1]["request_id"] == answer.headers["x-request-id"]
    return found[-1]


async def test_an_addition_is_recorded_with_who_what_and_whence(ada: Person, sql: Sql) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "Pay"}, headers={"x-request-id": "my-request"})

    entry = await last(sql, answer.json(), answer, ["tasks.add"])
    assert (entry["actor_id"], entry["actor"], entry["actor_kind"]) == (ada.id, ada.email, "user")
    assert (entry["subject"], entry["request_id"], entry["source"]) == ("tasks", "my-request", "api")
    assert entry["address"] == "127.0.0.1"
    assert entry["before"] is None
    assert entry["after"].items() >= {"title": "Pay", "owner_id": str(ada.id), "status": "open"}.items()


@pytest.mark.parametrize(
    ("change", "before"),
    [
        ({"title": "b"}, {"title": "Water the plants"}),
        ({"title": "b", "priority": 0}, {"title": "Water the plants"}),
        ({"priority": 2, "notes": "n"}, {"priority": 0, "notes": ""}),
        ({"deadline": "2026-01-01"}, {"deadline": None}),
    ],
)
async def test_a_change_is_recorded_with_what_differs(
    ada: Person, sql: Sql, change: dict[str, Any], before: dict[str, Any]
) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json=change)

    entry = await last(sql, task, answer, ["tasks.add", "tasks.change"])
    assert entry["before"] == before
    assert entry["after"] == {name: change[name] for name in before}


async def test_a_change_that_changes_nothing_is_not_recorded(ada: Person, sql: Sql) -> None:
    task = await ada.add()

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": task["title"]})

    assert [entry["action"] for entry in await events(sql, task["id"])] == ["tasks.add"]


@pytest.mark.parametrize(
    ("steps", "action", "changed"),
    [
        (["complete"], "tasks.complete", {"status", "completed_at"}),
        (["complete", "reopen"], "tasks.reopen", {"status", "completed_at"}),
        (["delete"], "tasks.delete", {"deleted_at"}),
        (["delete", "restore"], "tasks.restore", {"deleted_at"}),
    ],
)
async def test_every_verb_is_recorded_once(
    ada: Person, sql: Sql, steps: list[str], action: str, changed: set[str]
) -> None:
    task = await ada.add()
    calls: dict[str, Callable[[], Any]] = {
        "complete": lambda: ada.http.post(f"/api/tasks/{task['id']}/complete"),
        "reopen": lambda: ada.http.post(f"/api/tasks/{task['id']}/reopen"),
        "delete": lambda: ada.http.delete(f"/api/tasks/{task['id']}"),
        "restore": lambda: ada.http.post(f"/api/trash/{task['id']}/restore"),
    }

    for step in steps:
        answer = await calls[step]()

    entry = await last(sql, task, answer, ["tasks.add", *(f"tasks.{step}" for step in steps)])
    assert entry["action"] == action
    assert entry["before"].keys() == entry["after"].keys() == changed


async def test_a_completion_records_the_occurrence_it_brings_up(ada: Person, sql: Sql) -> None:
    task = await ada.add(**DAILY)

    answer = await ada.http.post(f"/api/tasks/{task['id']}/complete")

    following = answer.json()["next_task"]
    entry = await last(sql, following, answer, ["tasks.open"])
    assert entry["actor_id"] == ada.id
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE subject = 'tasks'") == 3


async def test_a_series_is_recorded(ada: Person, sql: Sql) -> None:
    task = await ada.add(**DAILY)

    assert [entry["action"] for entry in await events(sql, task["series_id"])] == ["series.begin"]


async def test_what_the_worker_does_is_recorded_as_the_workers(ada: Person, sql: Sql, database: Database) -> None:
    recurrence = {"rrule": "FREQ=DAILY;UNTIL=20260102", "on_missed": "skip_to_next"}
    task = await ada.add(due={"kind": "day", "date": "2026-01-01"}, recurrence=recurrence)
    before = await sql.fetchval("SELECT max(id::text) FROM audit_events")

    await run_once(database, LOOPS)

    found = await sql.fetch("SELECT * FROM audit_events WHERE id::text > $1 ORDER BY action", before)
    assert [row["action"] for row in found] == ["tasks.miss", "tasks.open"]
    assert {(row["actor"], row["actor_kind"], row["actor_id"], row["source"]) for row in found} == {
        ("worker", "worker", None, "worker")
    }
    assert found[0]["subject_id"] == UUID(task["id"])


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("PATCH", "", {"json": {"title": ""}}, 422),
        ("PATCH", "", {"json": {"title": "b"}, "headers": {"if-match": '"7"'}}, 412),
        ("DELETE", "", {"headers": {"if-match": '"7"'}}, 412),
        ("POST", "/reopen", {}, 409),
    ],
)
async def test_a_refusal_leaves_no_trace_of_a_change(
    ada: Person, sql: Sql, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    task = await ada.add()

    answer = await ada.http.request(method, f"/api/tasks/{task['id']}{path}", **options)

    assert answer.status_code == status
    assert [entry["action"] for entry in await events(sql, task["id"])] == ["tasks.add"]


async def test_sign_ups_and_sign_ins_are_recorded(client: httpx.AsyncClient, sql: Sql) -> None:
    person = {"email": "eve@example.com", "password": PASSWORD}
    await client.post("/api/auth/register", json=person)
    await client.post("/api/auth/login", json=person)
    await client.post("/api/auth/login", json=person | {"password": "wrong"})

    found = await sql.fetch("SELECT action, actor_kind, subject_id FROM audit_events ORDER BY id")

    eve, session = await sql.fetchval("SELECT id FROM users"), await sql.fetchval("SELECT id FROM sessions")
    assert [tuple(row) for row in found] == [
        ("accounts.register", "anonymous", eve),
        ("accounts.login", "user", eve),
        ("sessions.begin", "user", session),
        ("accounts.login_refused", "anonymous", eve),
    ]


async def test_the_audit_log_holds_no_secret(client: httpx.AsyncClient, sql: Sql) -> None:
    person = {"email": "eve@example.com", "password": PASSWORD}
    await client.post("/api/auth/register", json=person)
    token = (await client.post("/api/auth/login", json=person)).json()["access_token"]
    await client.post("/api/auth/login", json=person | {"password": "a wrong password, typed in haste"})
    await client.post("/api/auth/login", json={"email": PASSWORD, "password": "in the wrong field"})

    everything = str(await sql.fetch("SELECT e::text FROM audit_events AS e"))

    for secret in (PASSWORD, "a wrong password", "$argon2", token, token.rpartition(".")[2]):
        assert secret not in everything
