"""Kinds of hostile traffic: what one connection sends, in parts."""

from itertools import repeat

MB = 2**20
ID = "0190f5f0-7c1d-7000-8000-000000000000"
START = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
JSON = START + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"


def get(path: str, *headers: str) -> list[bytes]:
    """A hundred requests on one connection."""
    lines = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers])
    return [(lines + "\r\n\r\n").encode()] * 100


def post(path: str, kind: str, body: bytes, *headers: str) -> list[bytes]:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Type: {kind}", *headers]
    return ["\r\n".join([*lines, f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n", body]


def json(path: str, body: bytes, *headers: str) -> list[bytes]:
    return post(path, "application/json", body, *headers)


def form(body: bytes, kind: str = "application/x-www-form-urlencoded") -> list[bytes]:
    return post("/admin/login", kind, body)


LOGIN = b'{"email": "nobody@example.com", "password": "correct horse battery staple"}'
PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
JWT = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiIxIn0."

KINDS: dict[str, list[bytes]] = {
    # The connection
    "nothing is said": [b""],
    "half a head": [b"GET /health/live HTTP/1.1\r\nHo"],
    "half a body": [JSON + b"Content-Length: 100\r\n\r\n{"],
    "half a body nobody reads": [b"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"],
    "a response nobody reads": get("/openapi.json", "Accept-Encoding: identity"),
    "pipelined requests": [b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 5000],
    # The head
    "a header of 20 MB": [JSON, b"X-Big: ", *repeat(b"a" * MB, 20)],
    "a URL of 20 MB": [b"GET /", *repeat(b"a" * MB, 20)],
    "a million headers": [JSON, *repeat(b"a: b\r\n" * 10_000, 100)],
    "empty lines": [b"\r\n" * MB],
    "a header within the limits": get("/health/live", "X-Big: " + "a" * 30_000),
    "many headers within the limits": get("/health/live", *["a: b"] * 90),
    "two Host headers": [b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    "two lengths": [JSON + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"],
    "no HTTP at all": [b"\x16\x03\x01" + bytes(range(256)) * 1000],
    "a URL with many parameters": get("/api/tasks?" + "a=b&" * 1900),
    "escapes in the URL": get("/" + "%2f%2e" * 1300),
    "many ETags": get("/health/live", "If-None-Match: " + '"1",' * 7000),
    "many ranges": get("/health/live", "Range: bytes=" + "0-1," * 7000),
    "many cookies": get("/admin", "Cookie: " + "a=b; " * 6000),
    # Chunks
    "a chunk extension of 20 MB": [CHUNKED, b"1;", *repeat(b"a" * MB, 20)],
    "a trailer of 20 MB": [CHUNKED, b"1\r\na\r\n0\r\nX: ", *repeat(b"a" * MB, 20)],
    "chunks of one byte": [CHUNKED, *repeat(b"1\r\na\r\n" * 10_000, 20)],
    # Bodies
    "a form of 500,000 fields": form(b"a&" * 500_000),
    "a form of escapes": form(b"a=" + b"%2B" * 300_000),
    "a form within the limits": form(b"a&" * 30_000),
    "a form of 20,000 parts": form(PART * 20_000, "multipart/form-data; boundary=b"),
    "JSON of 300,000 objects": json("/api/auth/login", b'{"email":[' + b"{}," * 300_000 + b"{}]}"),
    "JSON within the limits": json("/api/auth/login", b'{"email":[' + b"{}," * 20_000 + b"{}]}"),
    "deep JSON": json("/api/auth/login", b"[" * 60_000),
    "a long number": json("/api/auth/login", b'{"email": ' + b"1" * 60_000 + b"}"),
    "a body of 20 MB": json("/api/tasks", b"a" * (20 * MB)),
    "a body of another encoding": post("/api/auth/login", "application/json; charset=utf-16", b"\xff" * 60_000),
    # Accounts
    "passwords to hash": json("/api/auth/login", LOGIN),
    "registrations": json("/api/auth/register", LOGIN),
    "password resets": json("/api/auth/password/forgot", b'{"email": "nobody@example.com"}'),
    "refresh tokens": json("/api/auth/refresh", b'{"refresh_token": "todo_rt_' + b"0" * 72 + b'"}'),
    "access tokens of nobody": get("/api/tasks", f"Authorization: Bearer {JWT}"),
    "access tokens of 8 KB": get("/api/tasks", f"Authorization: Bearer {JWT}{'a' * 8000}"),
    "personal tokens of nobody": get("/api/tasks", "Authorization: Bearer todo_pat_" + "0" * 36),
    # Ordinary requests, many of them
    "unknown paths": get("/nothing"),
    "readiness": get("/health/ready"),
    "the API document": get("/openapi.json"),
    "the page for signing in": get("/admin/login"),
    "a repeated key": json("/api/auth/login", LOGIN, f"Idempotency-Key: {ID}"),
    "links to unsubscribe": get("/unsubscribe/" + "A" * 500),
}
