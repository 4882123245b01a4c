"""`/openapi.json` and `/docs`: the contract, with every status an operation can answer."""

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromPath
from litestar.response import File
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler

from todo import __doc__ as description
from todo import __version__
from todo.access import signed_in_recently
from todo.errors import NotFound, ProblemDetails
from todo.http.idempotency import NOT_KEPT
from todo.http.limits import UNCOUNTED

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Spelled out: browsers refuse scripts and styles under any other name, and machines differ in what they guess.
FILES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "start.css": "text/css; charset=utf-8",
}
PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "No credential, or one that is not accepted.",
    "403": "Known, but not allowed.",
    "404": "Not there, or not yours.",
    "409": "In conflict with what is there.",
    "408": "The request did not arrive in time.",
    "412": "`If-Match` names another version; `current` is the row as it is.",
    "413": "The body is too large.",
    "414": "The address is too long.",
    "415": "The body is not JSON.",
    "422": "Readable, but not acceptable; `errors` names the fields.",
    "429": "Too many requests; try again after `Retry-After` seconds.",
    "431": "The headers are too large.",
    "503": "Something this depends on is away; try again after `Retry-After` seconds.",
}
ALWAYS = ("400", "408", "414", "422", "431", "503")  # what any operation can answer, most of it before it runs
NOT_RECENT = (
    "No credential, one that is not accepted, or a sign-in older than ten minutes: then `WWW-Authenticate` says "
    "`insufficient_user_authentication` (RFC 9470), and `POST /api/auth/reauthenticate` helps."
)
# What public operations answer to a credential in their body.
FOUND_OUT = {
    "/api/auth/login": ["401", "403"],
    "/api/auth/login/mfa": ["401", "403"],
    "/api/auth/login/passkey": ["401", "403"],
    "/api/auth/refresh": ["401"],
    "/api/auth/register": ["403"],
}

IF_MATCH, IF_NONE_MATCH = (
    {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
    for name, about in (
        ("If-Match", 'Change only this version, e.g. `"3"`; another one answers 412.'),
        ("If-None-Match", 'Answer 304 when the version is still this, e.g. `"3"`.'),
    )
)
UNCHANGED = {"description": "The version is still the one that `If-None-Match` names; no body."}
ETAG = {"description": "The version of the row.", "schema": {"type": "string", "examples": ['"3"']}}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Chosen by you: a repeat with the same key and request answers the first answer again, for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


class UnservedRouter(Router):
    """Takes no routes: Litestar's own pages of the document are not served, `/openapi.json` and `/docs` are."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        return []


def configuration() -> OpenAPIConfig:
    """What Litestar builds the document from, which `complete` then completes."""
    return OpenAPIConfig(
        title="todo",
        version=__version__,
        description=description,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        openapi_router=UnservedRouter("/openapi", route_handlers=[], include_in_schema=False),
    )


def problems_of(handler: HTTPRouteHandler, path: str) -> list[str]:
    """Which refusals an operation can answer, read from its guards and parameters."""
    writes = not handler.http_methods <= {"GET", "HEAD", "OPTIONS"}
    guarded = bool(handler.resolve_guards())
    takes_body = bool(handler.http_methods & {"POST", "PATCH"}) or "data" in handler.parsed_fn_signature.parameters
    found = [*ALWAYS]
    found += ["401", "403"] if guarded else []
    found += ["429"] if path not in UNCOUNTED else []
    found += FOUND_OUT.get(path, [])
    found += ["404"] if "{" in path else []
    found += ["409"] if writes else []
    found += ["412"] if "if_match" in handler.parsed_fn_signature.parameters else []
    found += ["413", "415"] if takes_body else []
    return sorted(set(found))


def permission_of(handler: HTTPRouteHandler) -> str | None:
    """The permission an operation asks for (the first of them), or None when it is public."""
    return next(iter(permissions_of(handler)), None)


def permissions_of(handler: HTTPRouteHandler) -> list[str]:
    """Every permission an operation asks for."""
    found = [getattr(guard, "permission", None) for guard in handler.resolve_guards()]
    return [permission for permission in found if permission]


def complete(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """Add what Litestar cannot know: the admin's paths, refusals, permissions, and every limit that msgspec checks."""
    schemas = document["components"]["schemas"]
    paths, components = app.state.admin_paths()
    document["paths"] |= paths
    for name, schema in components.items():
        schemas.setdefault(name, schema)
    bodies = [kind for kind in _structs(msgspec.Struct) if kind.__struct_config__.forbid_unknown_fields]
    kinds = [ProblemDetails, *(kind for kind in bodies if kind.__name__ in schemas)]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas.update(components)
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in document["paths"]:
            for method, (handler, _) in route.route_handler_map.items():
                if operation := document["paths"][route.path_format].get(method.lower()):
                    _describe(operation, handler, route.path_format)
    return document


def _describe(operation: dict[str, Any], handler: HTTPRouteHandler, path: str) -> None:
    operation["summary"] = (handler.fn.__doc__ or "").strip().partition("\n")[0]
    if permission := permission_of(handler):
        operation["security"] = [{"bearer": []}]
        operation["x-permission"] = permission
        _describe_headers(operation, handler, path)
    if produces := handler.opt.get("produces"):
        of = {"application/json": "array"}
        operation["responses"]["200"]["content"] = {
            kind: {"schema": {"type": of.get(kind, "string")}} for kind in produces
        }
    recent = signed_in_recently in handler.resolve_guards()
    for status, answer in problems(problems_of(handler, path), recent=recent).items():
        if not (status == "503" and "503" in operation["responses"]):
            operation["responses"][status] = answer


def problems(statuses: Iterable[str], *, recent: bool = False) -> dict[str, Any]:
    """The answers of an operation that refuse; `recent`: it asks for a recent sign-in."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    said = PROBLEMS | ({"401": NOT_RECENT} if recent else {})
    return {status: {"description": said[status], "content": content} for status in sorted(statuses)}


def _describe_headers(operation: dict[str, Any], handler: HTTPRouteHandler, path: str) -> None:
    signature = handler.parsed_fn_signature
    if signature.return_type.is_subclass_of(Response):
        for status in operation["responses"].keys() & {"200", "201"}:
            operation["responses"][status]["headers"] = {"ETag": ETAG}
    if "if_none_match" in signature.parameters:
        operation["responses"]["304"] = UNCHANGED
    if "POST" in handler.http_methods and not path.startswith(NOT_KEPT):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)


def _structs(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    return [descendants for child in kind.__subclasses__() for descendants in (child, *_structs(child))]


_building = Lock()


def document(app: Litestar) -> bytes:
    """The document as JSON, built once: it takes a second, so that servers ask for it at start, in a thread."""
    with _building:
        return _document(app)


@lru_cache
def _document(app: Litestar) -> bytes:
    document = msgspec.json.encode(complete(app.openapi_schema.to_schema(), app))
    return re.sub(rb"Page_[\w.]*\b(\w+)_(?=\")", rb"\1Page", document)  # Litestar names a generic by its module


@get("/openapi.json", operation_id="get_openapi", include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The contract of this API (OpenAPI 3.1).

    Example: `GET /openapi.json`
    """
    return Response(await asyncio.to_thread(document, request.app), media_type="application/json")


@get("/docs", operation_id="get_docs", include_in_schema=False, sync_to_thread=False)
def docs() -> Response[str]:
    """The contract as a page to read and to try out.

    Example: `GET /docs`
    """
    page = (STATIC / "docs" / "index.html").read_text()
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@get("/docs/{name:str}", operation_id="get_docs_file", include_in_schema=False, sync_to_thread=False)
def docs_file(name: FromPath[str]) -> File:
    """A script or style of the documentation page.

    Example: `GET /docs/swagger-ui.css`
    """
    if name not in FILES:
        raise NotFound
    headers = {"Cache-Control": "max-age=86400"}
    return File(STATIC / "docs" / name, media_type=FILES[name], content_disposition_type="inline", headers=headers)
