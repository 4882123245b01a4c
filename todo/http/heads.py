"""Checks on the request line and headers: size, and anything that two servers could parse differently (RFC 9112)."""

from collections.abc import Sequence
from http import HTTPStatus

from todo.errors import Problem, Status

MAX_URL_BYTES = 8 * 1024
MAX_ESCAPES = 256  # `%XX` in the path, which are decoded in Python; no path of ours has more
MAX_HEADERS = 100

Header = tuple[bytes, bytes]


def check_url(address: bytes) -> None:
    """Raise a 414 problem for a URL that is too long, or a 400 problem for too many escapes in its path."""
    if len(address) > MAX_URL_BYTES:
        raise Status(HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {MAX_URL_BYTES} bytes.")
    if address.partition(b"?")[0].count(b"%") > MAX_ESCAPES:
        raise Status(HTTPStatus.BAD_REQUEST, f"The path has more than {MAX_ESCAPES} percent escapes.")


def check_header_count(headers: Sequence[Header]) -> None:
    """Raise a 431 problem for too many headers."""
    if len(headers) > MAX_HEADERS:
        raise Status(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request has more than {MAX_HEADERS} headers.")


def check_head(version: str, headers: Sequence[Header], max_bytes: int) -> None:
    """Check a complete head. Raise a 400, 431 or 505 problem."""
    if sum(len(name) + len(value) + 4 for name, value in headers) > max_bytes:
        raise headers_too_large(max_bytes)
    if version not in {"1.0", "1.1"}:
        raise Status(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Use HTTP/1.1.")
    names = [name for name, _ in headers]
    if names.count(b"host") > 1 or (version == "1.1" and b"host" not in names):
        raise Status(HTTPStatus.BAD_REQUEST, "The request must have exactly one Host header.")
    if names.count(b"authorization") > 1:
        raise Status(HTTPStatus.BAD_REQUEST, "The request has more than one Authorization header.")
    if version == "1.0" and b"transfer-encoding" in names:
        raise Status(HTTPStatus.BAD_REQUEST, "Transfer-Encoding is not allowed in HTTP/1.0.")


def headers_too_large(max_bytes: int) -> Problem:
    return Status(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers are larger than {max_bytes} bytes.")
