"""`Idempotency-Key`: what is sent twice happens once."""

import asyncio
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from support.factories import PASSWORD, Person, job_context
from support.series import Json
from support.waiting import waiting_for_locks

from todo.database import Database
from todo.domain.tasks.services.closing import ClosingService
from todo.domain.tasks.services.tasks import TaskService
from todo.http.document.operations import is_public
from todo.modules import delete_old_answers

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def add(person: Person, key: str = "one", title: str = "Pay", **options: Any) -> httpx.Response:
    return await person.http.post("/api/tasks", json={"title": title}, headers={"idempotency-key": key}, **options)


async def count(sql: Sql, table: str) -> int:
    found: int = await sql.fetchval(f'SELECT count(*) FROM "{table}"')
    return found


async def test_a_repeat_gets_the_first_answer(ada: Person, sql: Sql) -> None:
    first = await add(ada)

    second = await add(ada)

    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["cache-control"] == "no-store"
    assert await count(sql, "tasks") == 1


async def test_a_repeated_completion_gets_the_first_answer(ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
    key = {"idempotency-key": "one"}
    first = await ada.http.post(f"/api/tasks/{task['id']}/complete", headers=key)

    second = await ada.http.post(f"/api/tasks/{task['id']}/complete", headers=key)

    assert second.status_code == 200
    assert second.json() == first.json()


async def test_a_repeat_needs_the_permission_too(client: httpx.AsyncClient, ada: Person) -> None:
    made = await ada.http.post("/api/auth/tokens", json={"name": "Script", "scopes": ["notifications.view"]})
    client.headers.update({"authorization": f"Bearer {made.json()['token']}", "idempotency-key": "one"})
    await add(ada)

    answers = [await client.post("/api/tasks", json={"title": title}) for title in ("Pay", "Another")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert {"idempotency-replayed", "etag"}.isdisjoint(answers[0].headers)


async def test_a_key_used_for_another_body_is_refused(ada: Person, sql: Sql) -> None:
    await add(ada, title="Pay")

    answer = await add(ada, title="Pay more")

    assert answer.status_code == 422
    assert await count(sql, "tasks") == 1


async def test_a_key_used_for_another_address_is_refused(ada: Person) -> None:
    first, second = await ada.add(), await ada.add()
    await ada.http.post(f"/api/tasks/{first['id']}/complete", headers={"idempotency-key": "one"})

    answer = await ada.http.post(f"/api/tasks/{second['id']}/complete", headers={"idempotency-key": "one"})

    assert answer.status_code == 422


async def test_the_same_key_of_somebody_else_is_another_key(ada: Person, bob: Person, sql: Sql) -> None:
    first = await add(ada)

    second = await add(bob)

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    assert "idempotency-replayed" not in second.headers
    assert await count(sql, "tasks") == 2


async def test_the_same_key_at_the_same_moment_makes_one_row(ada: Person, sql: Sql) -> None:
    answers = await asyncio.gather(*(add(ada) for _ in range(12)))

    assert await count(sql, "tasks") == 1
    assert await count(sql, "audit_events") == 2  # the registration and the task
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in made}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}


@pytest.mark.parametrize("options", [{}, {"recurrence": {"rrule": "FREQ=DAILY"}}], ids=["statement", "transaction"])
async def test_while_the_first_is_running_a_repeat_is_a_conflict(ada: Person, sql: Sql, options: Json) -> None:
    """The first has inserted its rows, and waits to check the quota."""
    body, key = {"title": "Pay"} | options, {"idempotency-key": "one"}
    async with sql.transaction():
        await sql.execute("SELECT lock_usage($1)", ada.id)
        first = asyncio.create_task(ada.http.post("/api/tasks", json=body, headers=key))
        await waiting_for_locks(sql, 1)
        second = await ada.http.post("/api/tasks", json=body, headers=key)

    assert (second.status_code, second.json()["code"]) == (409, "idempotency-key-in-flight")
    assert (await first).status_code == 201
    third = await ada.http.post("/api/tasks", json=body, headers=key)
    assert third.headers["idempotency-replayed"] == "true"


async def test_a_key_is_taken_in_a_transaction_when_the_time_zone_has_changed(ada: Person, sql: Sql) -> None:
    """The actor is remembered with the old one, in which the statement adds nothing."""
    await ada.add()
    await sql.execute("UPDATE users SET timezone = 'Asia/Tokyo'")
    due = {"kind": "day", "date": "2031-01-01"}

    answers = [
        await ada.http.post("/api/tasks", json={"title": "Pay", "due": due}, headers={"idempotency-key": "one"})
        for _ in range(2)
    ]

    assert ["idempotency-replayed" in answer.headers for answer in answers] == [False, True]
    assert answers[1].content == answers[0].content
    assert answers[0].json()["due_at"] == "2030-12-31T15:00:00Z"


async def test_a_refusal_is_not_kept(ada: Person, sql: Sql) -> None:
    refused = await add(ada, title="")

    answer = await add(ada, title="Pay")

    assert refused.status_code == 422
    assert answer.status_code == 201


async def test_a_crash_keeps_nothing(ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    task, key, really = await ada.add(), {"idempotency-key": "one"}, ClosingService.complete

    async def crash(self: ClosingService, *arguments: Any) -> Any:
        await really(self, *arguments)
        raise RuntimeError("after the row was written")

    monkeypatch.setattr(ClosingService, "complete", crash)
    failed = await ada.http.post(f"/api/tasks/{task['id']}/complete", headers=key)
    monkeypatch.undo()
    status = await sql.fetchval("SELECT status FROM tasks")

    answer = await ada.http.post(f"/api/tasks/{task['id']}/complete", headers=key)

    assert (failed.status_code, status) == (500, "open")
    assert (answer.status_code, answer.json()["status"]) == (200, "done")
    assert "idempotency-replayed" not in answer.headers


async def test_after_a_crash_behind_the_statement_that_added_it_a_repeat_gets_the_task(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = TaskService.add

    async def crash(self: TaskService, *arguments: Any) -> Any:
        await really(self, *arguments)
        raise RuntimeError("after the commit")

    monkeypatch.setattr(TaskService, "add", crash)
    failed = await add(ada)
    monkeypatch.undo()

    answer = await add(ada)

    assert (failed.status_code, answer.status_code) == (500, 201)
    assert answer.headers["idempotency-replayed"] == "true"
    assert await sql.fetchval("SELECT id::text FROM tasks") == answer.json()["id"]


async def test_a_request_cut_off_keeps_nothing_and_frees_the_key(
    ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, really = asyncio.Event(), TaskService.add

    async def hang(self: TaskService, *arguments: Any) -> Any:
        await really(self, *arguments)
        running.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(TaskService, "add", hang)
    first = asyncio.create_task(add(ada))
    await running.wait()
    first.cancel()
    await asyncio.wait([first])
    monkeypatch.undo()

    answer = await add(ada)

    assert answer.status_code == 201
    assert await count(sql, "tasks") == 1


async def test_a_body_that_ends_too_early_is_not_taken_for_a_whole_one(app: Any, ada: Person, sql: Sql) -> None:
    task = await ada.add()
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": f"/api/tasks/{task['id']}/complete", "raw_path": b"", "root_path": "", "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {ada.token}".encode()), (b"idempotency-key", b"one"),
            (b"content-type", b"application/json"), (b"content-length", b"2"),
        ],
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert await sql.fetchval("SELECT status FROM tasks") == "open"


@pytest.mark.parametrize("key", ["", "a" * 256, "tab\there", "ümlaut", "\x7f"])
async def test_a_key_that_cannot_be_one_is_refused(ada: Person, sql: Sql, key: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a"}, headers={"idempotency-key": key.encode()})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["header.Idempotency-Key"]
    assert await count(sql, "tasks") == 0


@pytest.mark.parametrize("key", ["a", "a" * 255, "spaces and ~ signs"])
async def test_any_printable_text_is_a_key(ada: Person, key: str) -> None:
    await add(ada, key)

    answer = await add(ada, key)

    assert answer.headers["idempotency-replayed"] == "true"


async def test_only_post_knows_keys(ada: Person, sql: Sql) -> None:
    task = await ada.add()
    key = {"idempotency-key": "one"}
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"}, headers=key)

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "c"}, headers=key)

    assert answer.json()["title"] == "c"
    assert await count(sql, "idempotent_answers") == 0


async def test_a_key_of_nobody_is_no_key(client: httpx.AsyncClient, sql: Sql) -> None:
    answer = await client.post("/api/tasks", json={"title": "a"}, headers={"idempotency-key": "one"})

    assert answer.status_code == 401
    assert await count(sql, "idempotent_answers") == 0


@pytest.mark.parametrize("path", ["/api/auth/login", "//api/auth/login", "/api/auth/login/"])
async def test_answers_that_hold_credentials_are_not_kept(ada: Person, sql: Sql, path: str) -> None:
    answer = await ada.http.post(
        f"http://test{path}", json={"email": ada.email, "password": PASSWORD}, headers={"idempotency-key": "one"}
    )

    assert answer.status_code == 200
    assert await count(sql, "idempotent_answers") == 0


def test_every_post_takes_a_key_or_has_a_reason_not_to(app: Litestar) -> None:
    handlers = {
        handler
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith("/admin")
        for handler in route.route_handlers
        if "POST" in handler.http_methods
    }
    unkeyed = {str(handler.operation_id) for handler in handlers if "no_key" in handler.opt}

    assert all(is_public(handler) <= ("no_key" in handler.opt) for handler in handlers)
    assert unkeyed == {
        "register", "login", "login_second_factor", "begin_passkey_login", "login_passkey", "refresh", "logout",
        "reauthenticate", "begin_passkey", "forget_password", "reset_password", "verify_email", "ask_to_verify_email",
        "confirm_email_change", "unsubscribe_by_link",
    }  # fmt: skip


async def test_an_answer_is_kept_for_a_day(ada: Person, sql: Sql, database: Database) -> None:
    await add(ada, "young")
    await add(ada, "old", title="Pay more")
    for key, age in (("young", 23), ("old", 25)):
        await sql.execute(
            "UPDATE idempotent_answers SET created_at = now() - $1::interval WHERE key = $2", timedelta(hours=age), key
        )

    await delete_old_answers(job_context(database))

    assert await sql.fetch("SELECT key FROM idempotent_answers") == [("young",)]
