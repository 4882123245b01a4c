"""`/openapi.json` and `/docs`: the API description, with every status code of each operation."""

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
from todo.access import PermissionGuard, signed_in_recently
from todo.errors import NotFound, ProblemDetails
from todo.http.idempotency import NOT_KEPT
from todo.http.limits import UNCOUNTED

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Explicit, since browsers reject scripts and styles of any other type and the guesses of machines differ.
FILES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "start.css": "text/css; charset=utf-8",
}
PROBLEMS = {
    "400": "The request is malformed.",
    "401": "The credential is missing or invalid.",
    "403": "The credential is valid, but lacks the permission.",
    "404": "The resource does not exist, or you cannot see it.",
    "409": "The request conflicts with the current state.",
    "408": "The request took too long to arrive.",
    "412": "`If-Match` does not match the current version; `current` is the current row.",
    "413": "The request body is too large.",
    "414": "The URL is too long.",
    "415": "The request body is not JSON.",
    "422": "Validation failed; `errors` lists the fields.",
    "429": "Rate limit exceeded; retry after `Retry-After` seconds.",
    "431": "The headers are too large.",
    "503": "The service is temporarily unavailable; retry after `Retry-After` seconds.",
}
ALWAYS = ("400", "408", "414", "422", "431", "503")  # statuses that any operation can return, mostly before it runs
NOT_RECENT = (
    "The credential is missing or invalid, or the sign-in is older than ten minutes: then `WWW-Authenticate` has "
    "`insufficient_user_authentication` (RFC 9470); call `POST /api/auth/reauthenticate`."
)
# Responses of public operations to a credential in their body.
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
        ("If-Match", 'Change the row only if it has this version, e.g. `"3"`; otherwise 412.'),
        ("If-None-Match", 'Return 304 if the row still has this version, e.g. `"3"`.'),
    )
)
UNCHANGED = {"description": "The row still has the version in `If-None-Match`; no body."}
ETAG = {"description": "The version of the row.", "schema": {"type": "string", "examples": ['"3"']}}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A unique key: for a day, repeating the request with the same key returns the first response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


class UnservedRouter(Router):
    """A router that registers no routes: `/openapi.json` and `/docs` replace Litestar's own pages."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        return []


def configuration() -> OpenAPIConfig:
    """Return the configuration for Litestar's part of the document. `complete` adds the rest."""
    return OpenAPIConfig(
        title="todo",
        version=__version__,
        description=description,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        openapi_router=UnservedRouter("/openapi", route_handlers=[], include_in_schema=False),
    )


def problems_of(handler: HTTPRouteHandler, path: str) -> list[str]:
    """List the error statuses of an operation, as derived from its guards and parameters."""
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
    """Return the first permission an operation requires, or None when it is public."""
    return next(iter(permissions_of(handler)), None)


def permissions_of(handler: HTTPRouteHandler) -> list[str]:
    """Return every permission an operation requires."""
    return [guard.permission for guard in handler.resolve_guards() if isinstance(guard, PermissionGuard)]


def complete(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """Add what Litestar cannot know: admin paths, errors, permissions, and every limit that msgspec checks."""
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
    """Build the error responses of an operation. `recent` means that it requires a recent sign-in."""
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
    """Return the document as JSON. Building it takes a second, so servers start it in a thread; it is cached."""
    with _building:
        return _document(app)


@lru_cache
def _document(app: Litestar) -> bytes:
    document = msgspec.json.encode(complete(app.openapi_schema.to_schema(), app))
    return re.sub(rb"Page_[\w.]*\b(\w+)_(?=\")", rb"\1Page", document)  # Litestar prefixes a generic with its module


@get("/openapi.json", operation_id="get_openapi", include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the API description (OpenAPI 3.1).

    Example: `GET /openapi.json`
    """
    return Response(await asyncio.to_thread(document, request.app), media_type="application/json")


@get("/docs", operation_id="get_docs", include_in_schema=False, sync_to_thread=False)
def docs() -> Response[str]:
    """Return the interactive API documentation.

    Example: `GET /docs`
    """
    page = (STATIC / "docs" / "index.html").read_text()
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@get("/docs/{name:str}", operation_id="get_docs_file", include_in_schema=False, sync_to_thread=False)
def docs_file(name: FromPath[str]) -> File:
    """Return a script or style sheet of the documentation page.

    Example: `GET /docs/swagger-ui.css`
    """
    if name not in FILES:
        raise NotFound
    headers = {"Cache-Control": "max-age=86400"}
    return File(STATIC / "docs" / name, media_type=FILES[name], content_disposition_type="inline", headers=headers)
