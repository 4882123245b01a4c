"""What every answer carries, whoever made it."""

import re
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.types import Receive, Scope, Send
from support.factories import Person

from todo.app import translate
from todo.domain.tasks.queries import TaskReads
from todo.errors import Unauthorized
from todo.http.middleware import Middleware

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health/live", {"GET"}),
        ("/api/tasks", {"GET", "POST"}),
        ("/api/tasks/0190f5f0-7c1d-7000-8000-000000000000", {"GET", "PATCH", "DELETE"}),
        ("/api/auth/me", {"GET", "PATCH", "DELETE"}),
    ],
)
async def test_options_says_every_method(client: httpx.AsyncClient, path: str, methods: set[str]) -> None:
    answer = await client.options(path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == methods | {"OPTIONS", "HEAD"}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health/live", 200), ("/health/ready", 200), ("/api/tasks", 200), ("/admin/login", 200), ("/nothing", 404),
     ("/api/auth/login", 405)],
)  # fmt: skip
async def test_head_answers_as_get_does_without_the_body(ada: Person, path: str, status: int) -> None:
    got, head = await ada.http.get(path), await ada.http.head(path)

    changing = {"x-request-id", "date", "ratelimit", "set-cookie", "content-security-policy"}
    headers = [{name: text for name, text in answer.headers.items() if name not in changing} for answer in (got, head)]
    assert (got.status_code, head.status_code, head.content) == (status, status, b"")
    assert headers[0] == headers[1]
    assert int(head.headers["content-length"]) == len(got.content) > 0


async def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("the secret of the house")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/api/tasks", 401),
        ("GET", "/nothing", 404),
        ("PUT", "/api/tasks", 405),
        ("OPTIONS", "/api/tasks", 204),
        ("POST", "/api/auth/login", 400),
    ],
)
async def test_every_answer_carries_the_security_headers(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert SECURITY.items() <= dict(answer.headers).items()


async def test_a_failure_nobody_foresaw_carries_them_too_and_says_nothing(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaskReads, "page", broken)

    answer = await ada.http.get("/api/tasks")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECURITY.items() <= dict(answer.headers).items()
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("below the framework")


async def nobody(token: str) -> Unauthorized:
    return Unauthorized("No.")


def around(app: Any, *, https: bool) -> httpx.AsyncClient:
    """A client of the bare Middleware around an ASGI function."""
    middleware = Middleware(app, nobody, translate, https=https)

    async def with_state(scope: Any, receive: Receive, send: Send) -> None:
        await middleware(scope | {"state": {}}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://test")


async def test_a_crash_below_the_framework_is_a_problem_too() -> None:
    async with around(crash, https=False) as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECURITY.items() <= dict(answer.headers).items()


@pytest.mark.parametrize("https", [True, False])
async def test_browsers_are_asked_to_stay_with_https_where_it_is_spoken(https: bool) -> None:
    async with around(crash, https=https) as client:
        answer = await client.get("/")

    assert ("strict-transport-security" in answer.headers) is https


async def test_a_crash_after_the_answer_began_is_not_answered_twice() -> None:
    async def begin_and_crash(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("too late")

    async with around(begin_and_crash, https=False) as client:
        with pytest.raises(RuntimeError, match="too late"):
            await client.get("/")


@pytest.mark.parametrize("sent", ["a1b2c3d4", "01997f3e-0000-7000-8000-000000000000", "A._-" * 32])
async def test_a_sane_request_id_is_taken_over(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/health/live", headers={"x-request-id": sent})

    assert answer.headers.get_list("x-request-id") == [sent]


@pytest.mark.parametrize(
    "sent", ["", "short", "a" * 129, "with space", "semi;colon", "<script>alert(1)</script>", "ü" * 8]
)
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/health/live", headers={"x-request-id": sent.encode()})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_request_ids_differ(client: httpx.AsyncClient) -> None:
    first = await client.get("/health/live")
    second = await client.get("/health/live")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/api/tasks", "/api/auth/me", "/api/nothing", "/nothing", "/health/live"])
async def test_what_a_signed_in_person_is_answered_is_not_stored(ada: Person, path: str) -> None:
    answer = await ada.http.get(path)

    assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_tokens_are_not_stored_by_anybody_on_the_way(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.post("/api/auth/login", json={"email": ada.email, "password": "correct horse battery staple"})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


async def test_a_public_address_answers_in_spite_of_a_bad_credential(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live", headers={"authorization": "Bearer nonsense"})

    assert answer.status_code == 200


async def test_a_public_address_answers_when_nobody_can_be_identified(
    app: Litestar, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.asgi_handler, "_authenticate", broken)

    answer = await client.get("/health/live", headers={"authorization": "Bearer token"})

    assert answer.status_code == 200
