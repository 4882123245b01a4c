"""Every refusal, in one dialect: `application/problem+json` (RFC 9457)."""

import logging
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.exceptions import HTTPException, InternalServerException, NotAuthorizedException, ValidationException

log = logging.getLogger(__name__)

# msgspec blames the object for a field that is missing or unknown; a client looks for the field.
BLAMED = re.compile(r"^Object (?:contains unknown|missing required) field `([^`]*)`")


class FieldError(msgspec.Struct):
    field: str
    message: str


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """What every refusal looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] = []
    current: msgspec.Raw | None = None
    violated_policies: list[str] = msgspec.field(default_factory=list, name="violated-policies")


class Problem(Exception):
    """A refusal with a sentence for the client. Subclass only what someone raises twice or catches."""

    status = HTTPStatus.BAD_REQUEST
    slug = "about:blank"

    def __init__(self, detail: str, *, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None):
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}
        self.current: msgspec.Raw | None = None
        self.violated: list[str] = []

    def body(self, instance: str, request_id: str) -> bytes:
        details = ProblemDetails(
            self.slug, self.status.phrase, self.status, self.detail, instance, request_id, self.errors, self.current,
            self.violated,
        )  # fmt: skip
        return msgspec.json.encode(details)


class Unauthorized(Problem):
    """No credential, or one we do not accept (RFC 6750 section 3)."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str, *, error: str | None = None):
        challenge = f'Bearer realm="todo", error="{error}"' if error else 'Bearer realm="todo"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class InsufficientAuthentication(Unauthorized):
    """Signed in, but `max_age` seconds ago or more (RFC 9470): do it again, then repeat the request."""

    def __init__(self, max_age: int):
        super().__init__(
            f"This needs a sign-in within the last {max_age // 60} minutes: POST /api/auth/reauthenticate renews it.",
            error="insufficient_user_authentication",
        )
        self.headers["WWW-Authenticate"] += f', max_age="{max_age}"'


class Forbidden(Problem):
    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """Not there, or not yours: the two answers are identical on purpose."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, detail: str = "Nothing here under this address."):
        super().__init__(detail)


class Conflict(Problem):
    status = HTTPStatus.CONFLICT


class Stale(Problem):
    """`If-Match` named another version; the problem carries the current row."""

    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, current: Any):
        super().__init__("The row has changed since you read it; `current` is what it is now.")
        self.current = msgspec.Raw(msgspec.json.encode(current))


class Invalid(Problem):
    """Parsable, but not acceptable; names the fields."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        """One field is wrong, e.g. `Invalid.field("body.email", "Not an e-mail address.")`."""
        return cls("The request holds a value that cannot be accepted.", errors=[FieldError(field, message)])


class TooManyRequests(Problem):
    """A budget is used up; `seconds` until the next request under this policy is let through, told rounded up."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "quota-exceeded"

    def __init__(self, policy: str, seconds: float, headers: Mapping[str, str]):
        wait = max(1, math.ceil(seconds))
        super().__init__(f"Too many requests; try again in {wait} s.", headers={**headers, "Retry-After": str(wait)})
        self.violated = [policy]


class Unavailable(Problem):
    """Something we depend on is away or full; trying again after `Retry-After` seconds is right."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, retry_after: int = 1):
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class Contention(Exception):
    """Somebody else changed the same rows at the same moment; the transaction must be rolled back and can be run again.

    No Problem: it is for whoever began the transaction, not for the client.
    """


class Status(Problem):
    """A refusal made by the framework, told in our dialect."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None):
        super().__init__(detail, headers=headers)
        self.status = HTTPStatus(status)


def problem_of(error: Exception) -> Problem:
    """Translate whatever was raised into a refusal; what nobody foresaw is a 500 that tells nothing."""
    match error:
        case Problem():
            return error
        case ValidationException():
            return _invalid(error)
        case NotAuthorizedException():
            return Unauthorized("Sign in first.")
        case HTTPException(status_code=404):
            return NotFound()
        case InternalServerException(detail="client disconnected prematurely"):
            return Status(400, "The body ended too early.")
        case HTTPException():
            return Status(error.status_code, _sentence(error), dict(error.headers or {}))
        case Contention():
            return Unavailable("Somebody changed the same rows at the same moment; try again.")
        case RecursionError():
            return Status(400, "The body is nested too deeply.")
        case UnicodeError():
            return Status(400, "The request is not valid UTF-8.")
    log.error("unexpected error", exc_info=error)
    return Status(500, "Something went wrong on our side; the request id helps us to find it.")


def _sentence(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return f"The request cannot be read: {error.detail}"
    return {405: "This address does not take that method.", 413: "The body is too large."}.get(
        error.status_code, error.detail
    )


def _invalid(error: ValidationException) -> Problem:
    found = error.extra if isinstance(error.extra, list) else []
    if any(isinstance(item, dict) and item.get("message") == "'data'" for item in found):
        return Status(HTTPStatus.BAD_REQUEST, "The request cannot be read: a JSON body is needed.")
    errors = [_field_error(item) for item in found if isinstance(item, dict)]
    return Invalid("The request holds a value that cannot be accepted.", errors=errors)


def _field_error(item: dict[str, Any]) -> FieldError:
    """Litestar's `{message, key, source}` in our words."""
    source = item.get("source")
    where, key, message = getattr(source, "value", "body"), str(item.get("key", "")), str(item.get("message", ""))
    if where == "body":
        key = key.removeprefix("data").lstrip(".")
    if blamed := BLAMED.match(message):
        key = f"{key}.{blamed[1]}".lstrip(".")
    return FieldError(f"{where}.{key}" if key else where, message)
