"""Cross-origin requests: closed, unless the operator names the origin."""

from collections.abc import AsyncIterator

import httpx
import pytest
from conftest import serving, settings_for

from todo.app import create_app
from todo.setting_errors import SettingsError
from todo.settings import load_settings

ORIGIN = "https://app.example.com"
PREFLIGHT = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization"}


@pytest.fixture
async def opened(database_url: str, sql: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an instance that one origin may call."""
    async with (
        serving(create_app(settings_for(database_url, cors_origins=[ORIGIN]))) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


def allowed(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_by_default_no_origin_is_allowed(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/api/tasks", headers={"origin": ORIGIN, **PREFLIGHT})

    assert allowed(answer) == set()


async def test_a_named_origin_may_ask_first(opened: httpx.AsyncClient) -> None:
    answer = await opened.options("/api/tasks/1", headers={"origin": ORIGIN, **PREFLIGHT})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "authorization"
    assert answer.headers["access-control-max-age"] == "600"
    assert "Origin" in answer.headers["vary"].split(", ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-credentials" not in answer.headers


async def test_headers_of_the_client_s_own_pass(opened: httpx.AsyncClient) -> None:
    asked = "authorization,baggage,idempotency-key,if-match,traceparent,x-request-id"
    answer = await opened.options(
        "/api/tasks", headers={"origin": ORIGIN, **PREFLIGHT, "access-control-request-headers": asked}
    )

    assert answer.headers["access-control-allow-headers"] == asked


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/tasks", 401), ("GET", "/nothing", 404), ("PUT", "/api/tasks", 405), ("GET", "/health/live", 200)],
)
async def test_a_named_origin_may_read_every_answer(
    opened: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await opened.request(method, path, headers={"origin": ORIGIN})

    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]
    assert "RateLimit" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        "null", "*", "", "http://app.example.com", "https://app.example.com.evil.com", "https://evilapp.example.com",
        "https://app.example.com:444", "https://APP.example.com", "https://app.example.com/", "https://appXexample.com",
        f"{ORIGIN}, https://evil.com",
    ],
)  # fmt: skip
async def test_no_other_origin_is(opened: httpx.AsyncClient, method: str, origin: str) -> None:
    answer = await opened.request(method, "/api/tasks", headers={"origin": origin, **PREFLIGHT})

    assert allowed(answer) == set()
    assert "Origin" in answer.headers["vary"].split(", ")


async def test_options_without_an_origin_is_an_ordinary_request(opened: httpx.AsyncClient) -> None:
    answer = await opened.options("/api/tasks")

    assert answer.status_code == 204
    assert allowed(answer) == set()


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://app.example.com/page", "app.example.com", "https://*.example.com"]
)
def test_a_setting_that_is_no_exact_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="TODO_CORS_ORIGINS"):
        load_settings(_env_file=None, cors_origins=[origin])
