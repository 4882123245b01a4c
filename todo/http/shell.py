"""The outermost layer: request id, who is asking, the headers every answer carries, and a problem for every failure."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from todo.access import Actor
from todo.audit import ORIGIN, Origin
from todo.errors import Problem, Status, Unauthorized

Authenticate = Callable[[str], Awaitable[Actor | Problem]]
Translate = Callable[[Exception], Problem]
Headers = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]
API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
NO_STORE = (b"cache-control", b"no-store")
SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")


class Shell:
    """Plain ASGI around the whole application, so that 404, 405 and 500 pass through it as well."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate, translate: Translate, *, https: bool):
        self._app = app
        self._authenticate = authenticate
        self._translate = translate
        self._headers = [*SECURITY_HEADERS, TRANSPORT] if https else SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id, credential = _read(scope["headers"])
        scope["state"]["request_id"] = request_id
        client = scope.get("client")
        ORIGIN.set(Origin(request_id, client[0] if client else "", "rest"))
        started = False

        async def send_complete(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = self._complete(list(message["headers"]), scope, request_id)
            await send(message)

        try:
            if unreadable(scope):
                raise Status(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with `Content-Type: application/json`.")
            if credential is not None:
                scope["user"] = await self._identify(credential)
            await self._app(scope, receive, send_complete)
        except Exception as error:
            if started:
                raise
            await refuse(scope, send_complete, self._translate(error))

    async def _identify(self, credential: bytes) -> Actor | Problem:
        scheme, _, token = credential.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            return Unauthorized("Use `Authorization: Bearer ...`.", error="invalid_request")
        try:
            return await self._authenticate(token.strip().decode("latin-1"))
        except Exception as error:  # a public address answers all the same, e.g. /health/live without a database
            return self._translate(error)

    def _complete(self, headers: Headers, scope: Scope, request_id: str) -> Headers:
        present = {name.lower() for name, _ in headers}
        headers += self._headers
        headers.append((b"x-request-id", request_id.encode()))
        if API_POLICY[0] not in present:
            headers.append(API_POLICY)
        private = isinstance(scope.get("user"), Actor) or address(scope).startswith("/api/")
        if private and NO_STORE[0] not in present:
            headers.append(NO_STORE)
        return headers


def address(scope: Scope) -> str:
    """The path as the router reads it, which takes several slashes for one."""
    return re.sub("/+", "/", scope["path"])


def unreadable(scope: HTTPScope) -> bool:
    """Whether the API is sent a body that does not say it is JSON."""
    if scope["method"] not in {"POST", "PATCH", "PUT"} or not address(scope).startswith("/api/"):
        return False
    headers = dict(scope["headers"])
    has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return has_body and kind != b"application/json" and not kind.endswith(b"+json")


def _read(headers: Any) -> tuple[str, bytes | None]:
    """The request id (the client's own when it is sane) and the credential."""
    request_id = credential = None
    for name, value in headers:
        if name == b"authorization":
            credential = value
        elif name == b"x-request-id" and SANE_REQUEST_ID.fullmatch(value):
            request_id = value.decode()
    return request_id or uuid7().hex, credential


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer with a problem, below Litestar."""
    body = problem.body(scope["path"], scope["state"].get("request_id", ""))
    headers = {"content-type": "application/problem+json", "content-length": str(len(body))} | problem.headers
    await send(
        {
            "type": "http.response.start",
            "status": int(problem.status),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def too_large(limit: int) -> Problem:
    """The refusal of a body beyond the limit."""
    return Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit} bytes.")
