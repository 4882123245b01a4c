"""CORS headers for the web origins in `TODO_CORS_ORIGINS`. By default no other origin may call the API."""

from collections.abc import Sequence

from litestar.types import Scope

Headers = list[tuple[bytes, bytes]]

METHODS = b"GET, HEAD, POST, PATCH, PUT, DELETE"
SHOWN = (
    b"Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset, "
    b"X-Request-ID"
)
PREFLIGHT_SECONDS = b"600"
VARY = (b"vary", b"Origin")


class Cors:
    """Allow exact origins only, with any headers, such as those of tracing.

    Wildcards and credentials are never allowed: the API uses no cookies.
    """

    def __init__(self, origins: Sequence[str]):
        self._origins = {origin.encode() for origin in origins}

    def headers(self, scope: Scope) -> Headers:
        """Return the CORS headers for the response to this request."""
        if not self._origins:
            return []
        origin = _header(scope, b"origin")
        if origin not in self._origins:
            return [VARY]
        return [VARY, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", SHOWN)]

    def preflight(self, scope: Scope) -> Headers | None:
        """Return the headers of a preflight response, or None when this is not a preflight from an allowed origin."""
        if scope.get("method") != "OPTIONS" or _header(scope, b"origin") not in self._origins:
            return None
        if not _header(scope, b"access-control-request-method"):
            return None
        return [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", _header(scope, b"access-control-request-headers")),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]


def _header(scope: Scope, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")
