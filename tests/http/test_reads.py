"""The short way of reads gives the very answers of Litestar, byte for byte."""

import re
from collections.abc import AsyncIterator
from itertools import product
from typing import NamedTuple

import httpx
import pytest
from conftest import serving, settings_for
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send
from support.factories import Person, World

import todo.app
from todo.app import create_app
from todo.http.reads import plan_of

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
PREFIXES = ("/api/", "/health/", "/.well-known/")
# The first opens a transaction, the second is a stream, the third may return anything, the last is no JSON.
LONG = {
    "/api/me/notifications",
    "/api/admin/{resource}/export",
    "/api/admin/{resource}/import/jobs/{import_id}/rest",
    "/api/admin/{resource}/{row_id}",
    "/api/shared/{secret}/calendar.ics",
}
UNKNOWN = "0190f5f0-7c1d-7000-8000-000000000000"
QUERIES = [
    "", "limit=1", "limit=01", "limit=0", "limit=201", "limit=x", "limit=", "limit=1&limit=2", "limit=1.0", "limit",
    "=", "&", "unknown=1", "status=open", "status=open&status=done", "status=active", "status=wrong", "status=",
    "count=true", "count=1", "count=maybe", "sort=due_at", "sort=-due_at,priority", "sort=wrong", "sort=" + "a" * 200,
    "cursor=x", "cursor=" + "a" * 600, "priority=2", "priority=9", "due_before=2031-01-01T00:00:00Z", "due_before=+",
    "series_id=" + UNKNOWN, "series_id=1", "include=upcoming", "until=2031-01-01T00:00:00Z", "unread=true", "unread=x",
    "filter=not+closed", "filter=due+%3C", "filter=" + "a" * 2100, "filter=%FF", "filter=%00",
    "%FF=1", "status=%FF", "status=%00", "limit=%31", "if_none_match=1", "task_id=1", "request=1", "database=1",
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {"if-none-match": '"1"'}, {"if-none-match": '"2"'}, {"if-none-match": "*"}, {"if-none-match": 'W/"1"'},
    {"if-none-match": '"9", "1"'}, {"if-none-match": ""}, {"if-none-match": "\xff"}, {"accept": "text/html"},
    {"accept": "application/msgpack"}, {"cookie": "limit=1"}, {"content-type": "text/plain", "content-length": "2"},
    {"host": "a b"}, {"idempotency-key": "1"}, {"range": "bytes=0-1"}, {"origin": "https://example.com"},
]  # fmt: skip


class Long:
    """Litestar alone, in place of `Reads`."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class Ways(NamedTuple):
    """The same service, with the short way of reads and without, and who asks: their headers."""

    short: Litestar
    long: Litestar
    people: dict[str, dict[str, str]]
    paths: list[str]

    @property
    def well_formed(self) -> list[str]:
        return [path for path in self.paths if UNKNOWN not in path and "not-an-id" not in path]

    async def assert_alike(self, method: str, url: str, headers: dict[str, str]) -> Answer:
        short, long = await ask(self.short, method, url, headers), await ask(self.long, method, url, headers)
        assert short == long, (method, url, headers)
        return short


async def ask(app: Litestar, method: str, url: str, headers: dict[str, str]) -> Answer:
    sent = {"x-request-id": "the-same-request", "host": "test"} | headers
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.request(method, url, headers=raw)
    return answer.status_code, answer.headers.raw, re.sub(rb'"seen_at":"[^"]*"', b"", answer.content)


@pytest.fixture
async def ways(database_url: str, sql: object, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ways]:
    settings = settings_for(database_url, actor_cache_seconds=5)
    short = create_app(settings)
    monkeypatch.setattr(todo.app, "Reads", Long)
    async with serving(short), serving(create_app(settings)) as long:
        world = World(short)
        ada, bob = await world.person("ada"), await world.person("bob")
        root = await world.person("root", "superuser", "member")
        weak = (await ada.http.post("/api/auth/tokens", json={"name": "weak", "scopes": ["accounts.me"]})).json()
        tokens = {"owner": ada.token, "operator": root.token, "weak": weak["token"], "forged": "x.y.z"}
        people = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()} | {"nobody": {}}
        yield Ways(short, long, people, await paths(short, ada, bob))
        await world.close()


async def paths(app: Litestar, ada: Person, bob: Person) -> list[str]:
    """Every path of a read, with one's own ids, somebody else's, unknown and malformed ones."""
    tasks, series = [UNKNOWN, "not-an-id", ""], [UNKNOWN]
    for person in (ada, bob):
        added = await person.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
        tasks.append(added["id"])
        series.append(added["series_id"])
    house = (await ada.http.post("/api/projects", json={"name": "House"})).json()["id"]
    link = (await ada.http.post(f"/api/projects/{house}/links", json={})).json()
    projects = [UNKNOWN, "not-an-id", str(ada.id), str(bob.id), house]
    sections = f"/api/projects/{ada.id}/sections"
    section = (await ada.http.post(sections, json={"name": "Attic"})).json()["id"]
    await ada.http.patch(f"/api/tasks/{tasks[3]}/private-note", json={"text": "Mine"})
    label = (await ada.http.post("/api/labels", json={"name": "home"})).json()["id"]
    comment = (await ada.http.post(f"/api/tasks/{tasks[3]}/comments", json={"text": "Seen"})).json()["id"]
    view = (await ada.http.post("/api/views", json={"name": "Ours"})).json()["id"]
    values = {
        "comment_id": [UNKNOWN, "not-an-id", comment],
        "section_id": [UNKNOWN, "not-an-id", section],
        "label_id": [UNKNOWN, "not-an-id", label],
        "view_id": [UNKNOWN, "not-an-id", view],
        "project_id": projects,
        "secret": [link["secret"], "never"],
        "task_id": tasks,
        "series_id": series,
        "row_id": [*tasks[1:], str(ada.id)],
        "import_id": [UNKNOWN, "not-an-id"],
        "resource": ["tasks", "none"],
    }
    found: set[str] = set()
    for path in formats(app):
        names = re.findall(r"{(\w+)}", path)
        for chosen in product(*(values[name] for name in names)):
            found.add(path.format(**dict(zip(names, chosen, strict=True))))
    return sorted(found)


def formats(app: Litestar) -> list[str]:
    routes = [route for route in app.routes if isinstance(route, HTTPRoute) and "GET" in route.methods]
    return sorted(route.path_format for route in routes if route.path_format.startswith(PREFIXES))


async def test_every_read_has_the_short_way(ways: Ways) -> None:
    long = {path for path in formats(ways.short) if plan_of(ways.short, path) is None}

    assert long == LONG


async def test_everybody_gets_the_same_answer_from_every_read(ways: Ways) -> None:
    statuses = set()
    for path, person in product(ways.paths, ways.people.values()):
        for method in ("GET", "HEAD"):
            statuses.add((await ways.assert_alike(method, path, person))[0])

    assert {200, 401, 403, 404} <= statuses


async def test_parameters_are_read_and_refused_alike(ways: Ways) -> None:
    statuses = set()
    for path, query in product(ways.well_formed, QUERIES):
        person = ways.people["operator" if path.startswith("/api/admin") else "owner"]
        statuses.add((await ways.assert_alike("GET", f"{path}?{query}", person))[0])

    assert {200, 404, 422} <= statuses


async def test_headers_are_read_and_refused_alike(ways: Ways) -> None:
    statuses = set()
    for path, headers in product(ways.well_formed, HEADERS):
        statuses.add((await ways.assert_alike("GET", path, ways.people["owner"] | headers))[0])

    assert {200, 304, 400, 404} <= statuses
