"""Errors as problem details: `application/problem+json` (RFC 9457)."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar.exceptions import HTTPException, InternalServerException, NotAuthorizedException
from msgspec import UNSET, Meta, UnsetType

from todo.problem_types import PROBLEM_TYPES, FieldCode, Slug, slug_of

log = logging.getLogger(__name__)


class FieldError(msgspec.Struct):
    """An invalid field, with a code for programs and a sentence for people."""

    field: Annotated[str, Meta(description="Where it is.", examples=["body.due.date", "query.limit"])]
    message: Annotated[
        str, Meta(description="What is allowed, as a sentence.", examples=["This must be a date, such as 2026-12-31."])
    ]
    code: Annotated[FieldCode, Meta(description="What is wrong, for programs.")] = "invalid"
    position: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType,
        Meta(description="With a filter: the character at which it is wrong; the first is 1."),
    ] = UNSET


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """The body of every error response (RFC 9457)."""

    type: Annotated[
        str, Meta(description="The kind of problem: a page of the service.", examples=["/problems/invalid-values"])
    ]
    code: Annotated[
        str, Meta(description="The last part of `type`, for programs to match on.", examples=["invalid-values"])
    ]
    title: Annotated[str, Meta(description="The name of the kind of problem.")]
    status: Annotated[int, Meta(description="The status of the response.", examples=[422])]
    detail: Annotated[str, Meta(description="What is wrong with this request, as a sentence.")]
    instance: Annotated[str, Meta(description="The path of the request.", examples=["/api/tasks"])]
    request_id: Annotated[str, Meta(description="The id of the request, for reports.")]
    errors: Annotated[list[FieldError], Meta(description="The invalid fields, at most 50.")] = []
    current: Annotated[
        msgspec.Raw | None,
        Meta(
            description="With `stale-version`: the current row, as a read returns it. With `secret-shown-once`: what"
            " the first request made, without the secret."
        ),
    ] = None
    violated_policies: Annotated[
        list[str], Meta(description="With `rate-limit-exceeded` and `quota-reached`: the names of the limits.")
    ] = msgspec.field(default_factory=list, name="violated-policies")


class Problem(Exception):
    """An error response with a message for the client. Create subclasses only for errors raised twice or caught."""

    status = HTTPStatus.BAD_REQUEST
    slug: Slug = "malformed-request"  # of todo/problem_types.py

    def __init__(
        self,
        detail: str,
        *,
        slug: Slug | None = None,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(detail)
        self.detail = detail
        self.slug = slug or self.slug
        self.errors = errors or []
        self.headers = headers or {}
        self.current: msgspec.Raw | None = None
        self.violated: list[str] = []

    def body(self, instance: str, request_id: str) -> bytes:
        details = ProblemDetails(
            f"/problems/{self.slug}", self.slug, PROBLEM_TYPES[self.slug].title, self.status, self.detail, instance,
            request_id, self.errors, self.current, self.violated,
        )  # fmt: skip
        return msgspec.json.encode(details)


class Unauthorized(Problem):
    """The credential is missing or invalid (RFC 6750 section 3)."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "sign-in-required"

    def __init__(self, detail: str, *, error: str | None = None, slug: Slug | None = None):
        challenge = f'Bearer realm="todo", error="{error}"' if error else 'Bearer realm="todo"'
        slug = slug or ("invalid-token" if error else "sign-in-required")
        super().__init__(detail, slug=slug, headers={"WWW-Authenticate": challenge})


class InsufficientAuthentication(Unauthorized):
    """The last authentication is older than `max_age` seconds (RFC 9470): reauthenticate, then repeat the request."""

    def __init__(self, max_age: int):
        super().__init__(
            f"The last sign-in is older than {max_age // 60} minutes: call POST /api/auth/reauthenticate first.",
            error="insufficient_user_authentication",
            slug="recent-sign-in-required",
        )
        self.headers["WWW-Authenticate"] += f', max_age="{max_age}"'


class Forbidden(Problem):
    status = HTTPStatus.FORBIDDEN
    slug = "forbidden"


class NotFound(Problem):
    """The row does not exist or is not visible. The responses are identical on purpose."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"

    def __init__(self, detail: str = "Not found."):
        super().__init__(detail)


class Conflict(Problem):
    status = HTTPStatus.CONFLICT
    slug = "conflict"


class Stale(Problem):
    """`If-Match` does not match the current version. The problem contains the current row."""

    status = HTTPStatus.PRECONDITION_FAILED
    slug = "stale-version"

    def __init__(self, current: Any):
        super().__init__("The row has changed since you read it. `current` is the current row.")
        self.current = msgspec.Raw(msgspec.json.encode(current))


class Invalid(Problem):
    """The request can be parsed, but values are invalid. `errors` lists the fields."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "invalid-values"

    @classmethod
    def field(cls, field: str, message: str, code: FieldCode = "invalid") -> "Invalid":
        """Report one invalid field, e.g. `Invalid.field("body.email", "Enter a valid e-mail address.")`."""
        return cls.fields([FieldError(field, message, code)])

    @classmethod
    def fields(cls, errors: list[FieldError]) -> "Invalid":
        """Report invalid fields."""
        return cls("The request has invalid values.", errors=errors)


class TooManyRequests(Problem):
    """A rate limit is exceeded. `seconds` is the time until the next request is allowed, rounded up for the client."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "rate-limit-exceeded"

    def __init__(self, policy: str, seconds: float, headers: Mapping[str, str]):
        wait = max(1, math.ceil(seconds))
        super().__init__(
            f"Too many requests; try again in {wait} seconds.", headers={**headers, "Retry-After": str(wait)}
        )
        self.violated = [policy]


ADVICE: dict[str, str] = {
    "tasks": "Delete tasks from the trash: closed and deleted ones count.",
    "series": "End a series.",
    "reminders": "Delete reminders.",
    "tokens": "Revoke a token.",
    "storage": "Shorten notes, or delete comments, or tasks from the trash.",
}


class QuotaReached(Problem):
    """The request would store more than the quota `name` of the owner allows. `limit` is in bytes for storage."""

    status = HTTPStatus.CONFLICT
    slug = "quota-reached"

    def __init__(self, name: str, limit: int):
        most = f"{limit / 1_000_000:,.0f} MB" if name == "storage" else f"{limit:,}"
        super().__init__(f"The quota of {name} is reached: {most}. {ADVICE[name]} The operator can raise the limit.")
        self.violated = [name]


class Unavailable(Problem):
    """A dependency is unavailable or at capacity. Clients should retry after `Retry-After` seconds."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1, slug: Slug | None = None):
        super().__init__(detail, slug=slug, headers={"Retry-After": str(retry_after)})


class Contention(Exception):
    """A concurrent transaction changed the same rows. The transaction must be rolled back and can be retried.

    Not a Problem: it is handled by the code that began the transaction, not sent to the client.
    """


class Status(Problem):
    """An error with a plain HTTP status."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None):
        super().__init__(detail, slug=slug_of(status), headers=headers)
        self.status = HTTPStatus(status)


def problem_of(error: Exception) -> Problem:
    """Convert any exception to a problem. Unexpected ones become a 500 without details."""
    match error:
        case Problem():
            return error
        case NotAuthorizedException():
            return Unauthorized("Sign in first.")
        case HTTPException(status_code=404):
            return NotFound()
        case InternalServerException(detail="client disconnected prematurely"):
            return Status(400, "The request body is incomplete.")
        case HTTPException(detail="Request Entity Too Large"):  # a form of too many parts, which Litestar makes a 400
            return Status(413, "The request body is too large.")
        case HTTPException():
            return Status(error.status_code, _sentence(error), dict(error.headers or {}))
        case Contention():
            return Unavailable("Another request changed the same rows. Try again.", slug="contention")
        case RecursionError():
            return Status(400, "The request body is nested too deeply.")
        case UnicodeError():
            return Status(400, "The request is not valid UTF-8.")
    log.error("unexpected error", exc_info=error)
    return Status(500, "Internal server error. Use the request id to report it.")


def _sentence(error: HTTPException) -> str:
    return {
        400: "The request is malformed.",
        405: "The method is not allowed for this URL.",
        413: "The request body is too large.",
    }.get(error.status_code, error.detail)
