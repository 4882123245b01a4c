"""Smaller and fewer responses: `Content-Encoding` by `Accept-Encoding`, and ETags for lists and documents.

Litestar compresses in its own middleware, on the event loop, whatever the response holds. Here a large body is
compressed in a thread, and only what cannot hold a token beside something that an attacker chooses (BREACH).
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import brotli
import zstandard
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from todo.http.middleware import address

MIN_BYTES = 1_000  # smaller bodies fit into a packet or two anyway
INLINE_BYTES = 64 * 1024  # compressed on the event loop, in less than a millisecond
MAX_BYTES = 8 * 1024**2  # larger bodies are sent as they are
MAX_ACCEPT_ENCODING = 256  # bytes of the header that are read
PUBLIC = ("/openapi", "/docs", "/admin/static/")
# Answers to POST alone hold tokens; what belongs to signing in stays out all the same, and so do pages with forms.
SECRET = ("/api/auth/",)
TEXT = (b"application/json", b"application/problem+json", b"text/css", b"text/html", b"text/javascript")
# The first that the client accepts. Levels at which 50 tasks cost 50 to 100 microseconds.
ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    "br": lambda body: bytes(brotli.compress(body, quality=3)),
    "gzip": lambda body: zlib.compress(body, 2, wbits=31),
}


@lru_cache(maxsize=100)
def encoding_of(accepted: bytes) -> str:
    """Return the content encoding for an `Accept-Encoding`, or an empty string for none."""
    weights: dict[str, float] = {}
    for part in accepted[:MAX_ACCEPT_ENCODING].decode("latin-1").lower().split(","):
        name, _, parameter = part.partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    others = weights.get("*", 0.0)
    found = {name: weights.get(name, others) for name in ENCODERS}
    best = max(found, key=found.__getitem__)
    return best if 0 < found[best] <= 1 else ""


@lru_cache(maxsize=20)
def _compress_public(body: bytes, encoding: str) -> bytes:
    return ENCODERS[encoding](body)


async def compress(body: bytes, encoding: str, *, public: bool) -> bytes:
    """Compress a body. One that is the same for everybody is compressed once."""
    work = _compress_public if public else lambda body, encoding: ENCODERS[encoding](body)
    return work(body, encoding) if len(body) <= INLINE_BYTES else await asyncio.to_thread(work, body, encoding)


class Content:
    """ASGI middleware for the responses to reads of the API, its description and static files."""

    def __init__(self, app: ASGIApp):
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            return self._app(scope, receive, send)
        path = address(scope)
        public = path.startswith(PUBLIC)
        if not public and (not path.startswith("/api/") or path.startswith(SECRET)):
            return self._app(scope, receive, send)
        return self._app(scope, receive, Answer(scope, send, public=public))


class Answer:
    """The `send` of one response, which waits for the whole body when its length is known."""

    def __init__(self, scope: Scope, send: Send, *, public: bool):
        self._send = send
        self._public = public
        self._accepted = self._known = b""
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                self._accepted = value
            elif name == b"if-none-match":
                self._known = value
        self._start: Any = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"vary", b"accept-encoding")]
            length = _header(message, b"content-length")
            if message["status"] == 200 and length.isdigit() and int(length) <= MAX_BYTES:
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._parts.append(message["body"])
            if not message.get("more_body"):
                await self._finish(b"".join(self._parts))
            return
        await self._send(message)

    async def _finish(self, body: bytes) -> None:
        start, self._start = self._start, None
        etag = _header(start, b"etag")
        if not etag:
            etag = b'W/"%x-%08x"' % (len(body), zlib.crc32(body))
            start["headers"].append((b"etag", etag))
        if self._known and _weak(etag) in {_weak(tag) for tag in self._known[:500].split(b",")}:
            kept = [header for header in start["headers"] if not header[0].lower().startswith(b"content-")]
            await self._send({"type": "http.response.start", "status": 304, "headers": kept})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        encoding = encoding_of(self._accepted) if self._accepted and len(body) >= MIN_BYTES else ""
        if encoding and _header(start, b"content-type").startswith(TEXT):
            body = await compress(body, encoding, public=self._public)
            changed = (b"content-length", b"etag")
            start["headers"] = [header for header in start["headers"] if header[0].lower() not in changed] + [
                (b"content-length", b"%d" % len(body)),
                (b"content-encoding", encoding.encode()),
                (b"etag", b"W/" + _weak(etag)),  # not the same bytes as without the encoding
            ]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _header(message: Any, wanted: bytes) -> bytes:
    found: bytes = next((value for name, value in message["headers"] if name.lower() == wanted), b"")
    return found


def _weak(tag: bytes) -> bytes:
    return tag.strip().removeprefix(b"W/")
