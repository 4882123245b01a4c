"""The operations of the service's own routes: what Litestar describes, completed from their handlers."""

import re
from inspect import cleandoc
from typing import Any, get_args, get_origin

from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.routes import HTTPRoute

from todo.access import PermissionGuard, signed_in, signed_in_recently
from todo.errors import ProblemDetails
from todo.http.content import SECRET
from todo.http.deprecation import deprecation_of
from todo.http.document.schemas import Schema, not_empty, parameter_schema, schemas_of
from todo.http.document.shared import (
    ALWAYS,
    DEPRECATION,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    LIMITED,
    UNCHANGED,
    headers,
    problems,
)  # fmt: skip
from todo.http.limits import UNCOUNTED
from todo.schema import Page

# Statuses of public operations for a credential in their body.
CREDENTIAL_PROBLEMS = {
    "/api/auth/login": ["401", "403"],
    "/api/auth/login/mfa": ["401", "403"],
    "/api/auth/login/passkey": ["401", "403"],
    "/api/auth/refresh": ["401"],
    "/api/auth/register": ["403"],
}
CONDITIONS = {"If-Match": IF_MATCH, "If-None-Match": IF_NONE_MATCH}
SENT_BY_CLIENTS = {"user-agent"}  # clients send this header by themselves
SUCCESSES = {"204": "Done; no body.", "202": "Accepted; what follows is sent by e-mail."}


def permissions_of(handler: HTTPRouteHandler) -> list[str]:
    """Return every permission an operation requires."""
    return [guard.permission for guard in handler.resolve_guards() if isinstance(guard, PermissionGuard)]


def permission_of(handler: HTTPRouteHandler) -> str | None:
    """Return the first permission an operation requires, or None when it requires none."""
    return next(iter(permissions_of(handler)), None)


def is_public(handler: HTTPRouteHandler) -> bool:
    """Return whether an operation needs no credential."""
    return permission_of(handler) is None and signed_in not in handler.resolve_guards()


def problems_of(handler: HTTPRouteHandler, path: str) -> list[str]:
    """List the error statuses of an operation, as derived from its guards and parameters."""
    writes = not handler.http_methods <= {"GET", "HEAD", "OPTIONS"}
    takes_body = bool(handler.http_methods & {"POST", "PATCH"}) or "data" in handler.parsed_fn_signature.parameters
    found = [*ALWAYS]
    found += [] if is_public(handler) else ["401"]
    found += ["403"] if permission_of(handler) else []
    found += ["429"] if path not in UNCOUNTED else []
    found += CREDENTIAL_PROBLEMS.get(path, [])
    found += ["404"] if "{" in path else []
    found += ["409"] if writes else []
    found += ["412"] if "if_match" in handler.parsed_fn_signature.parameters else []
    found += ["413", "415"] if takes_body else []
    return sorted(set(found))


def answer_of(handler: HTTPRouteHandler) -> Any:
    """Return the type of the answer, without Litestar's wrapper."""
    annotation = handler.parsed_fn_signature.return_type.annotation
    return get_args(annotation)[0] if get_origin(annotation) is Response else annotation


def body_of(handler: HTTPRouteHandler) -> Any:
    """Return the type of the request body, or None."""
    return handler.parsed_data_field.annotation if handler.parsed_data_field else None


def paths_of_routes(app: Litestar, found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Schema]]:
    """Return the paths of the service's own routes, and their components. `found` is what Litestar knows of them."""
    handlers = {
        (route.path_format, method.lower()): handler
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path_format in found
        for method, (handler, _) in route.route_handler_map.items()
        if method.lower() in found[route.path_format]
    }
    kinds = dict.fromkeys(kind for one in handlers.values() for kind in (answer_of(one), body_of(one)))
    shown, components = schemas_of([ProblemDetails, *(kind for kind in kinds if _is_json(kind))])
    paths: dict[str, Any] = {}
    for (path, method), handler in handlers.items():
        paths.setdefault(path, {})[method] = _operation(found[path][method], handler, path, shown)
    return paths, components


def _is_json(kind: Any) -> bool:
    return kind not in (None, type(None), bytes)


def _operation(found: dict[str, Any], handler: HTTPRouteHandler, path: str, shown: dict[Any, Schema]) -> dict[str, Any]:
    permission = permission_of(handler)
    operation = {
        "tags": found["tags"],
        "operationId": found["operationId"],
        "summary": cleandoc(handler.fn.__doc__ or "").partition("\n")[0],
        "description": cleandoc(handler.fn.__doc__ or ""),
        "parameters": _parameters(found.get("parameters", []), handler, path),
        "responses": _successes(found["responses"], handler, path, shown) | _problems(handler, path),
        "security": [] if is_public(handler) else [{"bearer": []}],
    }
    if permission:
        operation["x-permission"] = permission
    if deprecation := deprecation_of(handler):
        operation |= {"deprecated": True, "description": f"{deprecation.words}\n\n{operation['description']}"}
    if reason := handler.opt.get("no_key"):
        operation["description"] += f"\n\nTakes no `Idempotency-Key`: {reason}"
    if (body := body_of(handler)) is not None:
        content = {kind: {"schema": shown[body]} for kind in found["requestBody"]["content"]}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _problems(handler: HTTPRouteHandler, path: str) -> dict[str, Any]:
    statuses = {*problems_of(handler, path)} - {str(status) for status in handler.responses or ()}
    return problems(statuses, recent=signed_in_recently in handler.resolve_guards())


def _parameters(found: list[dict[str, Any]], handler: HTTPRouteHandler, path: str) -> list[dict[str, Any]]:
    shown = [_parameter(one) for one in found if one["name"].lower() not in SENT_BY_CLIENTS]
    if takes_etag(handler, path) and IF_NONE_MATCH not in shown:
        shown.append(IF_NONE_MATCH)
    return [*shown, IDEMPOTENCY_KEY] if takes_key(handler) else shown


def takes_key(handler: HTTPRouteHandler) -> bool:
    """Return whether the operation takes an `Idempotency-Key`."""
    return "POST" in handler.http_methods and "no_key" not in handler.opt


def takes_etag(handler: HTTPRouteHandler, path: str) -> bool:
    """Return whether the operation takes `If-None-Match`: its handler does, or `todo.http.content` does for it."""
    read = "GET" in handler.http_methods and path.startswith("/api/") and not path.startswith(SECRET)
    return read or "if_none_match" in handler.parsed_fn_signature.parameters


def _parameter(one: dict[str, Any]) -> dict[str, Any]:
    if one["name"] in CONDITIONS:
        return CONDITIONS[one["name"]]
    words = one.get("description") or f"Id of the {one['name'].removesuffix('_id')}."
    shown = {"name": one["name"], "in": one["in"], "description": words}
    required = {"required": True} if one.get("required") else {}
    schema = parameter_schema(one["schema"])
    return shown | required | {"schema": not_empty(schema) if one["in"] == "query" else schema}


def _successes(found: dict[str, Any], handler: HTTPRouteHandler, path: str, shown: dict[Any, Schema]) -> dict[str, Any]:
    answer, status = answer_of(handler), str(handler.status_code)
    has_etag = takes_etag(handler, path) or "version" in getattr(answer, "__struct_fields__", ())
    names = [*(["ETag"] if has_etag else []), *(["Idempotency-Replayed"] if takes_key(handler) else [])]
    names += LIMITED if path not in UNCOUNTED else []
    names += DEPRECATION if deprecation_of(handler) else []
    one: dict[str, Any] = {"description": describe(status, answer, handler), "headers": headers(names)}
    if content := found[status].get("content"):
        one["content"] = {kind: {"schema": shown.get(answer) or of["schema"]} for kind, of in content.items()}
    others = {str(code): _other(spec, shown) for code, spec in (handler.responses or {}).items()}
    unchanged = {"304": UNCHANGED} if takes_etag(handler, path) else {}
    return {status: one} | others | unchanged


def _other(spec: ResponseSpec, shown: dict[Any, Schema]) -> dict[str, Any]:
    """Describe a response with a status of its own, such as the 503 of a health check."""
    content = {"application/json": {"schema": shown[spec.data_container]}}
    return {"description": spec.description, "headers": headers([]), "content": content}


def describe(status: str, answer: Any, handler: HTTPRouteHandler) -> str:
    """Say in a sentence what a successful answer is."""
    if status in SUCCESSES:
        return SUCCESSES[status]
    item = next(iter(get_args(answer)), None)
    if get_origin(answer) is list:
        return f"All {plural(item)}."
    if get_origin(answer) is Page:
        return f"A page of {plural(item)}."
    doc = answer.__doc__ if hasattr(answer, "__struct_fields__") else handler.fn.__doc__
    return " ".join(cleandoc(doc or "").partition("\n\n")[0].split())


def plural(kind: Any) -> str:
    """Return what a list of a type holds: `personal tokens` for PersonalTokenOut."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__.removesuffix("Out")).lower()
    return words if words.endswith("s") else f"{words}s"
