"""Every refusal is a problem in one dialect, whoever makes it; hostile input is never more than a refusal."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from conftest import settings_for
from support.factories import Person

JSON = {"content-type": "application/json"}
MEMBERS = {"type", "code", "title", "status", "detail", "instance", "request_id"}
LARGEST = settings_for("").max_body_bytes


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a refusal, which must be complete."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found.keys() >= MEMBERS
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["instance"] == answer.request.url.path
    return found


def fields(answer: httpx.Response, status: int = 422) -> list[str]:
    return [error["field"] for error in problem(answer, status)["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"title": "a"} x',
        b"{'title': 'a'}",
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf{"title": "a"}',
        b"[" * 20_000 + b"]" * 20_000,
        b'{"title": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"title": "\\ud800"}',
        b'{"title": "\\udc00\\ud800"}',
        b'{"title": "a", "priority": NaN}',
        b'{"title": "a", "priority": 1e400}',
    ],
    ids=[
        "empty", "cut short", "trailing", "single quotes", "invalid UTF-8", "byte order mark", "deep", "deep inside",
        "lone surrogate", "surrogates in the wrong order", "NaN", "infinite",
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_a_400(ada: Person, body: bytes) -> None:
    answer = await ada.http.post("/api/tasks", content=body, headers=JSON)

    problem(answer, 400)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.title"),
        ({"title": "a", "titel": "b"}, "body.titel"),
        ({"title": ""}, "body.title"),
        ({"title": "a" * 501}, "body.title"),
        ({"title": "a\x00b"}, "body.title"),
        ({"title": "a\n"}, "body.title"),
        ({"title": "a\x7f"}, "body.title"),
        ({"title": None}, "body.title"),
        ({"title": 1}, "body.title"),
        ({"title": "a", "notes": "a\x00"}, "body.notes"),
        ({"title": "a", "notes": "a" * 50_001}, "body.notes"),
        ({"title": "a", "priority": 10**30}, "body.priority"),
        ({"title": "a", "priority": -1}, "body.priority"),
        ({"title": "a", "priority": 5}, "body.priority"),
        ({"title": "a", "priority": True}, "body.priority"),
        ({"title": "a", "priority": 2.5}, "body.priority"),
        ({"title": "a", "priority": "2"}, "body.priority"),
        ({"title": "a", "estimate_minutes": "null"}, "body.estimate_minutes"),
        ({"title": "a", "status": "finished"}, "body.status"),
        ({"title": "a", "estimate_minutes": 0}, "body.estimate_minutes"),
        ({"title": "a", "deadline": "2026-02-30"}, "body.deadline"),
        ({"title": "a", "due": {}}, "body.due.kind"),
        ({"title": "a", "due": {"kind": "never"}}, "body.due.kind"),
        ({"title": "a", "due": {"kind": "day", "date": "2026-02-01", "hour": 9}}, "body.due.hour"),
        ({"title": "a", "recurrence": {"rrule": "FREQ=DAILY", "every": 2}}, "body.recurrence.every"),
        ({"title": "a", "recurrence": {"rrule": "FREQ=SOMETIMES"}}, "body.recurrence.rrule"),
        ([], "body"),
        ("a", "body"),
        (0, "body"),
    ],
    ids=str,
)
async def test_a_body_that_cannot_be_accepted_is_a_422_that_names_the_field(
    ada: Person, body: object, field: str
) -> None:
    answer = await ada.http.post("/api/tasks", json=body)

    assert fields(answer) == [field]


async def test_of_a_json_key_named_twice_the_last_counts(ada: Person) -> None:
    answer = await ada.http.post(
        "/api/tasks", content=b'{"title": "first", "title": "last"}', headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["title"]) == (201, "last")


async def test_two_point_zero_is_two(ada: Person) -> None:
    """As JSON Schema has it: what the document calls an integer is one however it is written."""
    content = b'{"title": "a", "priority": 2.0, "estimate_minutes": 1e2}'

    answer = await ada.http.post("/api/tasks", content=content, headers=JSON)

    assert (answer.json()["priority"], answer.json()["estimate_minutes"]) == (2, 100)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=-1", "query.limit"),
        ("limit=", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=5_0", "query.limit"),
        ("limit=%C2%B2", "query.limit"),
        ("limit=1000000000000000000000000000000", "query.limit"),
        ("count=perhaps", "query.count"),
        ("priority=5", "query.priority"),
        ("status=nope", "query.status"),
        ("status=%ff", "query.status"),
        ("status=open&status=nope", "query.status"),
        ("status=open" + "&status=open" * 5, "query.status"),
        ("series_id=1", "query.series_id"),
        ("due_before=2026-01-01", "query.due_before"),
        ("due_before=2026-01-01T00:00:00", "query.due_before"),
        ("due_before=5", "query.due_before"),
        ("due_before=%00", "query.due_before"),
        ("due_after=0001-01-01T00:00:00%2B23:59", "query.due_after"),
        ("due_after=9999-12-31T23:59:59-23:59", "query.due_after"),
        ("sort=notes", "query.sort"),
        ("sort=owner_id", "query.sort"),
        ("sort=%00", "query.sort"),
        ("sort=--id", "query.sort"),
        ("sort=id,id", "query.sort"),
        ("sort=id,-id", "query.sort"),
        ("sort=priority,", "query.sort"),
        ("sort=priority,due_at,id,created_at", "query.sort"),
        ("sort=" + "a" * 101, "query.sort"),
    ],
)
async def test_a_query_that_cannot_be_accepted_is_a_422_that_names_the_parameter(
    ada: Person, query: str, field: str
) -> None:
    answer = await ada.http.get(f"/api/tasks?{query}")

    assert fields(answer) == [field]


async def test_without_a_credential_the_answer_is_a_401_with_a_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/tasks")

    problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="todo"'


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/nothing",
        "/api/tasks/1",
        "/api/tasks/%00",
        "/api/tasks/%ff",
        "/api/tasks/..%2f..%2fetc%2fpasswd",
        "/API/TASKS",
        "/schema",
        "/schema/openapi.json",
    ],
)
async def test_an_unknown_address_is_a_404(ada: Person, path: str) -> None:
    answer = await ada.http.get(path)

    assert problem(answer, 404)["detail"] == "Not found."


async def test_an_unknown_id_is_a_404(ada: Person) -> None:
    answer = await ada.http.get(f"/api/tasks/{uuid4()}")

    problem(answer, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "BREW"])
async def test_a_method_an_address_does_not_take_is_a_405_that_says_which_it_takes(ada: Person, method: str) -> None:
    answer = await ada.http.request(method, "/api/tasks")

    problem(answer, 405)
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_a_body_that_does_not_say_it_is_json_is_a_415(ada: Person, kind: str) -> None:
    answer = await ada.http.post("/api/tasks", content=b'{"title": "a"}', headers={"content-type": kind})

    problem(answer, 415)


@pytest.mark.parametrize("path", ["//api/tasks", "/api//tasks", "/api/tasks/"])
async def test_more_slashes_change_nothing_about_that(ada: Person, path: str) -> None:
    answer = await ada.http.post(
        f"http://test{path}", content=b'{"title": "a"}', headers={"content-type": "text/plain"}
    )

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
)
async def test_json_may_be_called_by_its_other_names(ada: Person, kind: str) -> None:
    answer = await ada.http.post("/api/tasks", content=b'{"title": "a"}', headers={"content-type": kind})

    assert answer.status_code == 201


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65_536 + 1):
        yield b" " * 65_536


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_body_beyond_the_limit_is_a_413(ada: Person, streamed: bool, key: dict[str, str]) -> None:
    body = in_pieces(LARGEST) if streamed else b" " * (LARGEST + 1)

    answer = await ada.http.post("/api/tasks", content=body, headers=JSON | key)

    problem(answer, 413)


async def test_the_largest_body_is_read(ada: Person) -> None:
    body = b'{"title": "a"}'.ljust(LARGEST)

    answer = await ada.http.post("/api/tasks", content=body, headers=JSON)

    assert answer.status_code == 201


async def test_a_stale_version_is_a_412_with_the_row_as_it_is(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"}, headers={"if-match": '"2"'})

    assert problem(answer, 412)["current"] == task


async def test_a_wrong_permission_is_a_403(world: Any) -> None:
    eve = await world.person("eve", "no such role")

    answer = await eve.http.get("/api/tasks")

    problem(answer, 403)


async def test_a_conflict_is_a_409(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    problem(answer, 409)


async def test_nothing_hostile_is_stored(ada: Person, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    for body in (b'{"title": "\\u0000"}', b'{"title": "\\ud800"}', b'{"title": "\xff"}', b'{"title": 1e999}'):
        await ada.http.post("/api/tasks", content=body, headers=JSON)

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])
async def test_whose_account_has_just_gone_is_refused(
    ada: Person, sql: "asyncpg.Connection[asyncpg.Record]", key: dict[str, str]
) -> None:
    await ada.http.get("/api/tasks")
    await sql.execute("DELETE FROM users")

    answer = await ada.http.post("/api/tasks", json={"title": "a"}, headers=key)

    assert answer.status_code in {401, 409}


async def test_an_unknown_query_parameter_is_refused(ada: Person) -> None:
    answer = await ada.http.get("/api/tasks?stauts=open&limit=5")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "query.stauts", "message": "There is no such parameter.", "code": "unknown"}
    ]
