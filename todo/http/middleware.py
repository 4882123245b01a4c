"""The outermost middleware (request id, authentication, headers, error responses), and restarts of requests in it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars
from uuid_utils.compat import uuid7

from todo.access import ANYBODY, Actor, Origin
from todo.contention import TRIES, pause
from todo.errors import Problem, Status, Unauthorized
from todo.http import logs
from todo.http.cors import Cors, Headers
from todo.http.deprecation import deprecation_headers
from todo.http.proxies import Proxies, address_of
from todo.http.request_metrics import RequestMetrics
from todo.language import speak

Limit = Callable[[Scope], Awaitable[Mapping[str, str]]]
Authenticate = Callable[[str, Origin], Awaitable[Actor | Problem]]
Translate = Callable[[Exception], Problem]
Identify = Callable[[Scope], Awaitable[Actor | None]]
Answer = tuple[int, Headers, bytes]
AnswerProblem = Callable[[Scope, Problem], Answer]
BodyLimit = Callable[[bytes], int]

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
ANONYMOUS_BODY_BYTES = 64 * 1024  # limit of an anonymous body; parsing a megabyte takes too long
BEGINNING = 256  # bytes of a body that may say that it can be larger
RESTART: Any = "restart"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")


async def unlimited(_: Scope) -> Mapping[str, str]:
    """Apply no rate limit."""
    return {}


def anonymous_limit(_: bytes) -> int:
    """Return the limit of an anonymous body."""
    return ANONYMOUS_BODY_BYTES


class AdminMount(NamedTuple):
    """The admin pages. Requests below `path` are authenticated by cookie, and their errors are HTML pages.

    `body_limit` is the size of a body without a session, by how it begins.
    """

    path: str
    identify: Identify
    answer_problem: AnswerProblem
    body_limit: BodyLimit = anonymous_limit

    def serve(self, scope: Scope) -> bool:
        """Return whether this request belongs to the admin pages."""
        return f"{address(scope)}/".startswith(f"{self.path}/")


class Reply:
    """The response of a request. `headers` are added to every response, whatever produced it.

    HEAD is answered as GET, without the body (RFC 9110 section 9.3.2).
    """

    def __init__(self, scope: HTTPScope, send: Send, complete: Callable[[Headers], Headers]):
        self._scope = scope
        self._send = send
        self._complete = complete
        self._is_head = scope["method"] == "HEAD"
        if self._is_head:
            scope["method"] = "GET"
        self.headers: Headers = []
        self.status = 0  # until the response has started

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._is_head:
                self._scope["method"] = "HEAD"  # for the server, which would count the missing body
            self.status = message["status"]
            message["headers"] = self._complete([*message["headers"], *self.headers])
        elif self._is_head and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)


class Middleware:
    """Plain ASGI middleware around the whole application, so that it also covers 404, 405 and 500 responses."""

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        translate: Translate,
        *,
        https: bool,
        proxies: Proxies | None = None,
        cors: Cors | None = None,
        limit: Limit = unlimited,
        admin_sessions: AdminMount | None = None,
        metrics: RequestMetrics | None = None,
    ):
        self._app = app
        self._authenticate = authenticate
        self._translate = translate
        self._https = https
        self._proxies = proxies or Proxies([])
        self._cors = cors or Cors([])
        self._limit = limit
        self._browsers = admin_sessions
        self._metrics = metrics or RequestMetrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        self._metrics.in_progress += 1
        self._proxies.unwrap(scope)
        request_id, credential = _read(scope["headers"])
        scope["state"]["request_id"] = request_id
        admin_sessions = self._browsers if self._browsers and self._browsers.serve(scope) else None
        scope["state"]["origin"] = Origin(ANYBODY, "admin" if admin_sessions else "api", request_id, address_of(scope))
        bind_contextvars(request_id=request_id)
        speak("en")
        reply = Reply(scope, send, lambda headers: self._complete(headers, scope, request_id))
        try:
            await self._answer(scope, receive, reply, credential, admin_sessions)
        except Exception as error:
            if reply.status:
                raise
            problem = self._translate(error)
            await send_all(
                reply,
                admin_sessions.answer_problem(scope, problem) if admin_sessions else answer_problem(scope, problem),
            )
        finally:
            seconds = perf_counter() - began
            self._metrics.in_progress -= 1
            self._metrics.count(scope, reply.status, seconds)
            logs.request(scope, reply.status, seconds)

    async def _answer(
        self,
        scope: HTTPScope,
        receive: Receive,
        reply: Reply,
        credential: bytes | None,
        admin_sessions: AdminMount | None,
    ) -> None:
        """Authenticate the request, check its rate limit, then call the application."""
        if admin_sessions:
            scope["user"] = await admin_sessions.identify(scope)
        elif credential is not None:
            scope["user"] = await self._identify(credential, scope["state"]["origin"])
        reply.headers += encoded(await self._limit(scope))
        preflight = self._cors.preflight(scope)
        if preflight is not None:
            await reply({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": preflight})
            await reply({"type": "http.response.body", "body": b"", "more_body": False})
            return
        if unreadable(scope):
            raise Status(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "The body must be JSON in UTF-8, with `Content-Type: application/json`.",
            )
        if not isinstance(scope.get("user"), Actor):
            receive = bounded(receive, admin_sessions.body_limit if admin_sessions else anonymous_limit)
        await self._app(scope, receive, reply)

    async def _identify(self, credential: bytes, origin: Origin) -> Actor | Problem:
        scheme, _, token = credential.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            return Unauthorized("Use `Authorization: Bearer ...`.", error="invalid_request")
        try:
            return await self._authenticate(token.strip().decode("latin-1"), origin)
        except Exception as error:  # a public route must still answer, e.g. /health/live without a database
            return self._translate(error)

    def _complete(self, headers: Headers, scope: Scope, request_id: str) -> Headers:
        present = {name.lower() for name, _ in headers}
        headers += [header for header in SECURITY_HEADERS if header[0] not in present]
        headers += self._cors.headers(scope)
        headers += deprecation_headers(scope)
        headers.append((b"x-request-id", request_id.encode()))
        if self._https or scope["scheme"] == "https":
            headers.append(TRANSPORT)
        if API_POLICY[0] not in present:
            headers.append(API_POLICY)
        private = isinstance(scope.get("user"), Actor) or address(scope).startswith("/api/")
        if private and NO_STORE[0] not in present:
            headers.append(NO_STORE)
        return headers


def address(scope: Scope) -> str:
    """Return the path as the router reads it, which treats several slashes as one."""
    path: str = scope["path"]
    return re.sub("/+", "/", path) if "//" in path else path


def unreadable(scope: HTTPScope) -> bool:
    """Return whether an API request has a body that is not declared as JSON in UTF-8."""
    if scope["method"] not in {"POST", "PATCH", "PUT"} or not address(scope).startswith("/api/"):
        return False
    headers = dict(scope["headers"])
    has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    kind, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    is_json = kind.strip() == b"application/json" or kind.strip().endswith(b"+json")
    charset = parameters.partition(b"charset=")[2].partition(b";")[0].strip(b'" ')
    return has_body and not (is_json and charset in {b"", b"utf-8", b"utf8", b"us-ascii"})


def bounded(receive: Receive, limit_of: BodyLimit) -> Receive:
    """Wrap `receive` so that it raises a problem when more of the body is read than its beginning allows."""
    size, beginning = 0, b""

    async def receive_bounded() -> Any:
        nonlocal size, beginning
        message: Any = await receive()
        body = message.get("body", b"")
        beginning += body[: BEGINNING - len(beginning)]
        size += len(body)
        if size > ANONYMOUS_BODY_BYTES and size > (limit := limit_of(beginning)):
            raise too_large(limit)
        return message

    return receive_bounded


def _read(headers: Any) -> tuple[str, bytes | None]:
    """Return the request id (the client's own if it is valid) and the credential."""
    request_id = credential = None
    for name, value in headers:
        if name == b"authorization":
            credential = value
        elif name == b"x-request-id" and SANE_REQUEST_ID.fullmatch(value):
            request_id = value.decode()
    return request_id or uuid7().hex, credential


def encoded(headers: Mapping[str, str]) -> Headers:
    """Encode headers for ASGI."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def answer_problem(scope: Scope, problem: Problem) -> Answer:
    """Build the response for a problem, without Litestar."""
    body = problem.body(scope["path"], scope["state"].get("request_id", ""))
    headers = {"content-type": "application/problem+json", "content-length": str(len(body))} | problem.headers
    return int(problem.status), encoded(headers), body


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Send the response for a problem, without Litestar."""
    await send_all(send, answer_problem(scope, problem))


async def send_all(send: Send, answer: Answer) -> None:
    """Send a complete response."""
    status, headers, body = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def too_large(limit: int) -> Problem:
    """Build the problem for a body larger than the limit."""
    return Status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The request body is larger than {limit} bytes.")


def ask_restart(scope: Scope) -> None:
    """Roll back everything the request has written and restart it instead of sending its response."""
    scope["state"][RESTART] = True


class Body:
    """The messages of a request, kept so that they can be received again."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self._messages: list[Any] = []

    def replay(self) -> Receive:
        position = 0

        async def receive() -> Any:
            nonlocal position
            if position == len(self._messages):
                message: Any = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._messages.append(message)
            position += 1
            return self._messages[position - 1]

        return receive


class Restarts:
    """Restart a write request when `ask_restart` was called for it, up to TRIES attempts. The last one is answered."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        body, state = Body(receive), dict(scope["state"])
        for attempt in range(1, TRIES):
            if await self._answered(scope, body.replay(), send):
                return
            await pause(attempt)
            scope["state"].clear()
            scope["state"].update(state)
        await self._app(scope, body.replay(), send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Run the application. Return False when the request asked for a restart; its response is discarded."""

        async def forward(message: Message) -> None:
            if RESTART not in scope["state"]:
                await send(message)

        await self._app(scope, receive, forward)
        return RESTART not in scope["state"]
