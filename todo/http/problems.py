"""`/problems/<slug>`: a page for each `type` of an error response."""

from html import escape
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from todo.errors import NotFound
from todo.problem_types import PROBLEM_TYPES, ProblemType

CACHED = {"Cache-Control": "public, max-age=3600", "Vary": "Accept"}
STYLE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"


@get("/problems", operation_id="list_problem_types", sync_to_thread=False, include_in_schema=False)
def list_problem_types(request: Request[Any, Any, Any]) -> Response[Any]:
    """Return every kind of error response, as a page or as JSON.

    Example: `GET /problems`
    """
    links = "".join(f'<li><a href="/problems/{slug}">{slug}</a></li>' for slug in PROBLEM_TYPES)
    found = [_as_json(slug, kind) for slug, kind in PROBLEM_TYPES.items()]
    return _answer(request, found, _page("Problem types", f"<ul>{links}</ul>"))


@get("/problems/{slug:str}", operation_id="get_problem_type", sync_to_thread=False, include_in_schema=False)
def get_problem_type(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[Any]:
    """Return what a kind of error response means and what a client should do, as a page or as JSON.

    Example: `GET /problems/stale-version`
    """
    for known, kind in PROBLEM_TYPES.items():
        if known == slug:
            words = f"<p>{_code(kind.when)}</p><p>{_code(kind.advice)}</p>"
            body = f"<p>Status {kind.status}, code <code>{slug}</code></p>{words}"
            return _answer(request, _as_json(slug, kind), _page(kind.title, body))
    raise NotFound("There is no such problem type.")


def _as_json(slug: str, kind: ProblemType) -> dict[str, Any]:
    return {"type": f"/problems/{slug}", "code": slug, **kind._asdict()}


def _answer(request: Request[Any, Any, Any], found: Any, page: str) -> Response[Any]:
    if request.accept.best_match(["application/json", "text/html"]) == "text/html":
        return Response(page, media_type="text/html", headers={**CACHED, "Content-Security-Policy": STYLE})
    return Response(
        msgspec.json.encode(found), status_code=HTTPStatus.OK, media_type="application/json", headers=CACHED
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><h1>{title}</h1>{body}'
        '<p><a href="/problems">All problem types</a> · <a href="/docs">API documentation</a></p></html>'
    )


def _code(text: str) -> str:
    """Convert the backquotes of Markdown to `code` elements."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
