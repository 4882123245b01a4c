"""Deprecated operations: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) in their responses, and in the document."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, NamedTuple

from litestar.types import Scope

from todo.http.cors import Headers

OPT = "deprecation"  # key in the `opt` of a handler


class Deprecation(NamedTuple):
    """Since when an operation is deprecated, when it goes at the earliest, and what to use instead.

    Declare it at the route: `@get(..., opt={"deprecation": Deprecation(...)})`. docs/api-versioning.md has the rules.
    """

    since: date
    sunset: date
    instead: str

    @property
    def words(self) -> str:
        return f"Deprecated since {self.since}, and removed on {self.sunset} at the earliest. {self.instead}"

    def headers(self) -> Headers:
        since, sunset = (datetime.combine(day, time(), UTC) for day in (self.since, self.sunset))
        return [
            (b"deprecation", f"@{int(since.timestamp())}".encode()),
            (b"sunset", format_datetime(sunset, usegmt=True).encode()),
            (b"link", b'</docs>; rel="deprecation"; type="text/html"'),
        ]


def deprecation_of(handler: Any) -> Deprecation | None:
    """Return the deprecation that a route handler declares."""
    found = handler.opt.get(OPT) if handler is not None else None
    return found if isinstance(found, Deprecation) else None


def deprecation_headers(scope: Scope) -> Headers:
    """Return the headers of a response of a deprecated operation, whatever its status."""
    found = deprecation_of(scope.get("route_handler"))
    return found.headers() if found else []
