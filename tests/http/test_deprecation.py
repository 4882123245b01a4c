"""A deprecated operation says so in its responses and in the document (docs/api-versioning.md)."""

import json
from datetime import date

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from support.factories import Person

from todo.http.deprecation import Deprecation
from todo.http.document.builder import build

GOING = Deprecation(date(2026, 12, 31), date(2027, 7, 1), "Use `GET /api/tasks` instead.")


def handler_of(app: Litestar, path: str) -> HTTPRouteHandler:
    (route,) = (one for one in app.routes if isinstance(one, HTTPRoute) and one.path_format == path)
    return route.route_handler_map["GET"][0]


async def test_a_deprecated_operation_says_so_in_every_response(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(handler_of(ada.app, "/api/tasks").opt, "deprecation", GOING)

    for answer in (await ada.http.get("/api/tasks"), await ada.http.get("/api/tasks?limit=x")):
        assert answer.headers["deprecation"] == "@1798675200"
        assert answer.headers["sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
        assert 'rel="deprecation"' in answer.headers["link"]
    assert "deprecation" not in (await ada.http.get("/api/series")).headers


async def test_a_deprecated_operation_says_so_in_the_document(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(handler_of(app, "/api/tasks").opt, "deprecation", GOING)
    operation = json.loads(build(app).clients)["paths"]["/api/tasks"]["get"]

    assert operation["deprecated"] is True
    assert operation["description"].startswith(
        "Deprecated since 2026-12-31, and removed on 2027-07-01 at the earliest."
    )
    assert operation["responses"]["200"]["headers"].keys() >= {"Deprecation", "Sunset"}
