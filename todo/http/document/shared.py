"""Responses, headers and parameters that many operations share, and references to them."""

from collections.abc import Iterable
from typing import Any

PROBLEM_SCHEMA = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
# Status -> name of the shared response, and what it says.
PROBLEMS = {
    "400": ("BadRequest", "The request is malformed."),
    "401": ("Unauthorized", "The credential is missing or invalid."),
    "403": ("Forbidden", "The credential is valid, but lacks the permission."),
    "404": ("NotFound", "The resource does not exist, or you cannot see it."),
    "408": ("RequestTimeout", "The request took too long to arrive."),
    "409": ("Conflict", "The request conflicts with the current state."),
    "412": ("PreconditionFailed", "`If-Match` does not match the current version; `current` is the current row."),
    "413": ("ContentTooLarge", "The request body is too large."),
    "414": ("UriTooLong", "The URL is too long."),
    "415": ("UnsupportedMediaType", "The request body is not JSON."),
    "422": ("Invalid", "Validation failed; `errors` lists the fields."),
    "429": ("TooManyRequests", "Rate limit exceeded; retry after `Retry-After` seconds."),
    "431": ("HeadersTooLarge", "The headers are too large."),
    "503": ("ServiceUnavailable", "The service is temporarily unavailable; retry after `Retry-After` seconds."),
}
ALWAYS = ("400", "408", "414", "422", "431", "503")  # statuses that any operation can return, mostly before it runs
RECENT = "RecentSignInRequired"
NOT_RECENT = (
    "The credential is missing or invalid, or the sign-in is older than ten minutes: then `WWW-Authenticate` has "
    "`insufficient_user_authentication` (RFC 9470); call `POST /api/auth/reauthenticate`."
)
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Deprecation": (
        "Since when the operation is deprecated, in seconds since 1970 (RFC 9745).",
        {"type": "string", "examples": ["@1798675200"]},
    ),
    "ETag": (
        "The version of a row, for `If-Match` and `If-None-Match`; of other answers a checksum.",
        {"type": "string", "examples": ['"3"']},
    ),
    "Idempotency-Replayed": (
        "`true` when this is the stored answer to an earlier request with the same `Idempotency-Key`.",
        {"type": "string", "const": "true"},
    ),
    "RateLimit": (
        "What is left: `r` requests now; `t` seconds until the quota is full again or, with `r=0`, until the next one.",
        {"type": "string", "examples": ['"user";r=99;t=1']},
    ),
    "RateLimit-Policy": (
        "The limit that counts this request: `q` requests in `w` seconds.",
        {"type": "string", "examples": ['"user";q=100;w=60']},
    ),
    "Retry-After": ("Seconds to wait before the next try.", {"type": "integer", "minimum": 1, "examples": [1]}),
    "Sunset": (
        "When the operation goes at the earliest (RFC 8594).",
        {"type": "string", "examples": ["Thu, 31 Dec 2026 00:00:00 GMT"]},
    ),
    "WWW-Authenticate": (
        "What is wrong with the credential (RFC 6750, RFC 9470).",
        {"type": "string", "examples": ['Bearer realm="todo", error="invalid_token"']},
    ),
    "X-Request-ID": (
        "The id of this request in the logs: yours if you sent one, else a new one.",
        {"type": "string", "maxLength": 128, "examples": ["0190f5f07c1d70008000000000000000"]},
    ),
}
DEPRECATION = ("Deprecation", "Sunset")
LIMITED = ("RateLimit", "RateLimit-Policy")
PROBLEM_HEADERS = {"401": ("WWW-Authenticate",), "429": ("Retry-After", *LIMITED), "503": ("Retry-After",)}
PARAMETERS: dict[str, dict[str, Any]] = {
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": 'Change the row only if it has this version, e.g. `"3"` or `3`; otherwise 412.',
        "schema": {"type": "string", "examples": ['"3"', "3"]},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": 'Return 304 if nothing has changed since the answer with this `ETag`, e.g. `"3"`.',
        "schema": {"type": "string", "examples": ['"3"']},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A unique key: for a day, repeating the request with the same key returns the first response.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
            "examples": ["a6f1c1de-8f0b-4a3e-9a51-0d1c9b3f2a77"],
        },
    },
}


def parameter(name: str) -> dict[str, Any]:
    """Return the reference to a shared parameter."""
    return {"$ref": f"#/components/parameters/{name}"}


def response(name: str) -> dict[str, Any]:
    """Return the reference to a shared response."""
    return {"$ref": f"#/components/responses/{name}"}


def headers(names: Iterable[str]) -> dict[str, Any]:
    """Return references to shared headers, and the one that every response has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "X-Request-ID")}


IF_MATCH, IF_NONE_MATCH, IDEMPOTENCY_KEY = (parameter(name) for name in PARAMETERS)
UNCHANGED = response("NotModified")


def problems(statuses: Iterable[str], *, recent: bool = False) -> dict[str, Any]:
    """Return the error responses of an operation. `recent` means that it requires a recent sign-in."""
    names = {status: PROBLEMS[status][0] for status in sorted(statuses)}
    return {status: response(RECENT if recent and status == "401" else name) for status, name in names.items()}


def shared_components() -> dict[str, Any]:
    """Return all shared components. Those that a document does not use are left out of it later."""
    answers = {name: _problem(status, words) for status, (name, words) in PROBLEMS.items()}
    answers[RECENT] = _problem("401", NOT_RECENT)
    answers["NotModified"] = {
        "description": "Nothing has changed since the answer with the `ETag` in `If-None-Match`; no body.",
        "headers": headers(["ETag"]),
    }
    return {
        "responses": answers,
        "headers": {name: {"description": words, "schema": schema} for name, (words, schema) in HEADERS.items()},
        "parameters": {name: dict(one) for name, one in PARAMETERS.items()},
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The `access_token` of `POST /api/auth/login`, or a personal access token.",
            }
        },
    }


def _problem(status: str, words: str) -> dict[str, Any]:
    return {"description": words, "headers": headers(PROBLEM_HEADERS.get(status, ())), "content": PROBLEM_SCHEMA}
