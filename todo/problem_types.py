"""The registry of problem types: every kind of error response, and every code of an invalid field.

`/problems/<slug>` and docs/problems.md are made from it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Literal, NamedTuple, get_args

Slug = Literal[
    "malformed-request", "sign-in-required", "invalid-token", "token-expired", "recent-sign-in-required",
    "wrong-credentials", "sign-in-expired", "no-account", "forbidden", "permission-required", "cannot-grant",
    "email-not-confirmed", "wrong-password", "session-required", "registration-closed", "invitation-required",
    "invalid-invitation", "not-found", "method-not-allowed", "request-timeout", "conflict", "already-done",
    "task-closed", "task-open", "subtasks-open", "task-blocked", "not-recurring", "series-paused", "series-not-paused",
    "series-ended",
    "role-required", "project-archived", "inbox", "inherited-role", "too-many", "shared-projects",
    "protected", "last-superuser", "second-factor-exists",
    "second-factor-missing", "not-impersonating", "needed-by-series", "account-gone", "invitations-closed",
    "already-exists", "address-taken", "reference-missing", "quota-reached", "idempotency-key-in-flight",
    "secret-shown-once",
    "stale-version", "body-too-large", "url-too-long", "unsupported-media-type", "invalid-values", "invalid-link",
    "idempotency-key-reused", "rate-limit-exceeded", "headers-too-large", "internal-error", "unavailable", "contention",
    "http-version-not-supported",
]  # fmt: skip

FieldCode = Literal[
    "required", "unknown", "wrong_type", "too_short", "too_long", "too_small", "too_large", "not_a_choice",
    "wrong_format", "repeated", "not_found", "invalid",
]  # fmt: skip


class ProblemType(NamedTuple):
    """A kind of error response: its status, its title, when it happens, and what a client should do."""

    status: int
    title: str
    when: str
    advice: str


PROBLEM_TYPES: dict[Slug, ProblemType] = {
    "malformed-request": ProblemType(
        400, "Malformed request", "The request, its JSON or its encoding cannot be read.",
        "Correct the request. Repeating it unchanged fails again.",
    ),
    "sign-in-required": ProblemType(
        401, "Sign-in required", "The request has no credential.",
        "Sign in with `POST /api/auth/login` and send `Authorization: Bearer <access_token>`.",
    ),
    "invalid-token": ProblemType(
        401, "Invalid token", "The token is unknown, was revoked or used before, or its session or account has ended.",
        "Refresh the access token once with `POST /api/auth/refresh`; if that is refused too, sign in again.",
    ),
    "token-expired": ProblemType(
        401, "Token expired", "The access token has expired.",
        "Get another with `POST /api/auth/refresh` and repeat the request.",
    ),
    "recent-sign-in-required": ProblemType(
        401, "Recent sign-in required", "The operation needs a sign-in of the last ten minutes (RFC 9470).",
        "Ask the user for the password, call `POST /api/auth/reauthenticate`, then repeat the request.",
    ),
    "wrong-credentials": ProblemType(
        401, "Wrong credentials", "The e-mail address, the password, the code or the passkey is wrong.",
        "Ask the user again. Codes work once.",
    ),
    "sign-in-expired": ProblemType(
        401, "Sign-in expired", "The `mfa_token` of the first step has expired or was used.",
        "Start again with `POST /api/auth/login`.",
    ),
    "no-account": ProblemType(
        401, "No account", "The token of an identity provider is valid, but belongs to no account here.",
        "Ask an administrator for an account.",
    ),
    "forbidden": ProblemType(
        403, "Forbidden", "The credential is valid, but the operation is not allowed. `detail` has the reason.",
        "Do not repeat the request.",
    ),
    "permission-required": ProblemType(
        403, "Permission required", "The account or the scopes of the token lack the permission that `detail` names.",
        "Use a token with this scope, or ask an administrator for a role with this permission.",
    ),
    "cannot-grant": ProblemType(
        403, "Cannot grant", "You can only give, take or act on permissions that you have yourself.",
        "Ask somebody who has these permissions.",
    ),
    "email-not-confirmed": ProblemType(
        403, "E-mail address not confirmed", "The account waits for the confirmation of its e-mail address.",
        "Ask the user to follow the link in the mail.",
    ),
    "wrong-password": ProblemType(
        403, "Wrong password or code", "A signed-in user gave a wrong password or code.", "Ask the user again.",
    ),
    "session-required": ProblemType(
        403, "Session required", "The operation needs a session of this service; this token has none.",
        "Sign in with `POST /api/auth/login`, or with the identity provider of the token.",
    ),
    "registration-closed": ProblemType(
        403, "Registration closed", "This service does not let people register.",
        "Ask an administrator for an account.",
    ),
    "invitation-required": ProblemType(
        403, "Invitation required", "One registers with an invitation only.",
        "Send the `invitation` of an invitation mail.",
    ),
    "invalid-invitation": ProblemType(
        403, "Invalid invitation", "The invitation was used, has expired, or is for another address.",
        "Ask for another invitation.",
    ),
    "role-required": ProblemType(
        403, "Role required", "Your role in the project of the row does not allow the operation.",
        "Ask an owner or a manager of the project for another role. Repeating the request fails again.",
    ),
    "not-found": ProblemType(
        404, "Not found", "The resource does not exist or is not visible to you. The answers are identical on purpose.",
        "Do not repeat the request; drop the id.",
    ),
    "method-not-allowed": ProblemType(
        405, "Method not allowed", "The URL exists, but not with this method.", "Use a method of the `Allow` header.",
    ),
    "request-timeout": ProblemType(
        408, "Request timeout", "The headers or the body took too long to arrive.", "Repeat the request.",
    ),
    "conflict": ProblemType(
        409, "Conflict", "The current state does not allow the request. `detail` has the reason.",
        "Read the resource again and decide anew.",
    ),
    "already-done": ProblemType(
        409, "Already done", "The task is already done, cancelled or skipped.", 
        "Treat it as done; read the task again.",
    ),
    "task-closed": ProblemType(
        409, "Task closed", "The task is closed and cannot be changed.", "Reopen it with `POST .../reopen` first.",
    ),
    "task-open": ProblemType(
        409, "Task open", "The task to reopen is open.", "Treat it as reopened; read the task again.",
    ),
    "subtasks-open": ProblemType(
        409, "Subtasks open", "The task to complete has open subtasks, and `children=refuse` was sent.",
        "Complete the subtasks first, or send `children=complete` or `children=leave`.",
    ),
    "task-blocked": ProblemType(
        409, "Task blocked", "The task waits for others, and its project has `enforce_dependencies`.",
        "Complete the tasks in `GET .../dependencies` first, or delete the dependency.",
    ),
    "not-recurring": ProblemType(
        409, "Not recurring", "The task comes only once, so that it cannot be skipped.",
        "Complete or delete it instead.",
    ),
    "series-paused": ProblemType(
        409, "Series paused", "The series is paused.", "Resume it with `POST .../resume` first.",
    ),
    "series-not-paused": ProblemType(
        409, "Series not paused", "The series to resume is not paused.", "Treat it as resumed; read the series again.",
    ),
    "series-ended": ProblemType(
        409, "Series ended", "The series has ended.", "Give its last task a `recurrence` to go on.",
    ),
    "project-archived": ProblemType(
        409, "Project archived", "The project, or the one above it, is archived.",
        "Take it out of the archive with `PATCH /api/projects/{project_id}` and `{\"archived\": false}`.",
    ),
    "inbox": ProblemType(
        409, "Inbox", "The operation does not apply to the inbox.", "Use another project.",
    ),
    "inherited-role": ProblemType(
        409, "Inherited role", "The person has the role by a project above this one.",
        "Change the member of the project above.",
    ),
    "too-many": ProblemType(
        409, "Too many", "There are as many as there can be; `detail` says how many.", "Delete some of them first.",
    ),
    "shared-projects": ProblemType(
        409, "Shared projects", "The account owns projects that others use; `detail` names them.",
        "Send `shared_projects` with `hand_over` or `delete`, or hand over or delete the projects first.",
    ),
    "protected": ProblemType(
        409, "Protected", "The row or the change is protected. `detail` has the reason.", "Leave it as it is.",
    ),
    "last-superuser": ProblemType(
        409, "Last superuser", "Without this user nobody could administer the service.",
        "Give the role `superuser` to another user first.",
    ),
    "second-factor-exists": ProblemType(
        409, "Second factor exists", "The account has an authenticator app.", "Remove it before adding another.",
    ),
    "second-factor-missing": ProblemType(
        409, "Second factor missing", "The account has no authenticator app, or none that waits to be confirmed.",
        "Begin with `POST /api/auth/mfa/totp`.",
    ),
    "not-impersonating": ProblemType(
        409, "Not impersonating", "The session acts for nobody else.", "Go on; there is nothing to end.",
    ),
    "needed-by-series": ProblemType(
        409, "Needed by a series", "The next occurrence of the series copies the subtasks of this task.",
        "End the series first, or delete the task once the next occurrence is there.",
    ),
    "account-gone": ProblemType(
        409, "Account gone", "The account that owns the row was deleted meanwhile.", "Do not repeat the request.",
    ),
    "invitations-closed": ProblemType(
        409, "Invitations closed", "Nobody can register, so nobody can be invited.",
        "Set `TODO_REGISTRATION` to `invitation` or `open`.",
    ),
    "already-exists": ProblemType(
        409, "Already exists", "There is such a row already.", "Use the existing one, or other values.",
    ),
    "address-taken": ProblemType(
        409, "Address taken", "The e-mail address that was confirmed has another account by now.",
        "Ask the user for another address.",
    ),
    "reference-missing": ProblemType(
        409, "Reference missing", "A row that the request refers to no longer exists.",
        "Read the referenced rows again.",
    ),
    "quota-reached": ProblemType(
        409, "Quota reached", "The request would store more than allowed. `violated-policies` names the quota.",
        "Delete something first.",
    ),
    "idempotency-key-in-flight": ProblemType(
        409, "Idempotency-Key in flight", "The first request with this `Idempotency-Key` is still running.",
        "Wait a second, then repeat the request with the same key.",
    ),
    "secret-shown-once": ProblemType(
        409, "Secret shown once",
        "A request with this `Idempotency-Key` was carried out; its response held a secret, which is not stored.",
        "Use what the first response returned. If it was lost, undo what was made, as `detail` says, and make another.",
    ),
    "stale-version": ProblemType(
        412, "Stale version", "The row has another version than `If-Match` says. `current` is the current row.",
        "Merge the change into `current` and repeat it with the version of `current`.",
    ),
    "body-too-large": ProblemType(
        413, "Body too large", "The request body is larger than allowed.", "Send less in one request.",
    ),
    "url-too-long": ProblemType(414, "URL too long", "The URL is longer than allowed.", "Use fewer parameters."),
    "unsupported-media-type": ProblemType(
        415, "Unsupported media type", "The body is not declared as JSON in UTF-8.",
        "Send `Content-Type: application/json`.",
    ),
    "invalid-values": ProblemType(
        422, "Invalid values", "The request can be read, but has invalid values. `errors` lists all that were found.",
        "Show each message of `errors` at its field.",
    ),
    "invalid-link": ProblemType(
        422, "Invalid link", "The token of a mailed link was used or has expired.", "Request another mail.",
    ),
    "idempotency-key-reused": ProblemType(
        422, "Idempotency-Key reused", "This `Idempotency-Key` was already used for a different request.",
        "Use another key for each request.",
    ),
    "rate-limit-exceeded": ProblemType(
        429, "Too many requests", "A rate limit is exceeded. `violated-policies` names it.",
        "Wait for the seconds of `Retry-After`.",
    ),
    "headers-too-large": ProblemType(
        431, "Headers too large", "The headers are larger or more than allowed.", "Send fewer or shorter headers.",
    ),
    "internal-error": ProblemType(
        500, "Internal server error", "A fault of the service.", "Report it with the `request_id`.",
    ),
    "unavailable": ProblemType(
        503, "Unavailable", "Something the service depends on is unavailable or at capacity.",
        "Repeat the request after the seconds of `Retry-After`, with the same `Idempotency-Key`.",
    ),
    "contention": ProblemType(
        503, "Contention", "Other requests changed the same rows at the same time.",
        "Repeat the request after the seconds of `Retry-After`.",
    ),
    "http-version-not-supported": ProblemType(
        505, "HTTP version not supported", "The request is not HTTP/1.0 or HTTP/1.1.", "Use HTTP/1.1.",
    ),
}  # fmt: skip

FIELD_CODES: dict[FieldCode, str] = {
    "required": "The field is missing.",
    "unknown": "There is no such field or parameter.",
    "wrong_type": "The value has another JSON type than the field.",
    "too_short": "The text or list is too short.",
    "too_long": "The text or list is too long.",
    "too_small": "The number is too small.",
    "too_large": "The number is too large.",
    "not_a_choice": "The value is none of those allowed.",
    "wrong_format": "The text has another format than the field.",
    "repeated": "The parameter was given more than once.",
    "not_found": "The value names something that does not exist or is not visible to you.",
    "invalid": "The value breaks another rule, which the message says.",
}

# The type of an error for which the code knows the status only.
BY_STATUS: dict[int, Slug] = {
    400: "malformed-request", 401: "sign-in-required", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    408: "request-timeout", 409: "conflict", 412: "stale-version", 413: "body-too-large", 414: "url-too-long",
    415: "unsupported-media-type", 422: "invalid-values", 429: "rate-limit-exceeded", 431: "headers-too-large",
    503: "unavailable", 505: "http-version-not-supported",
}  # fmt: skip


def slug_of(status: int) -> Slug:
    """Return the type of an error with only a status."""
    return BY_STATUS.get(status, "malformed-request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal-error")


def slugs(*statuses: int) -> list[Slug]:
    """Return the types with one of these statuses."""
    return [slug for slug, kind in PROBLEM_TYPES.items() if kind.status in statuses]


def markdown() -> Iterator[str]:
    """Return the lines of docs/problems.md."""
    yield "# Problem types\n"
    yield "Made from `todo/problem_types.py` by `python -m todo.problem_types`; a test compares them.\n"
    yield (
        "Every error response is `application/problem+json` (RFC 9457). `type` is `/problems/<code>`, a page of the "
        "service; `code` is the same without the path. Match on `code`, never on `detail`: sentences may change.\n"
    )
    for slug, kind in PROBLEM_TYPES.items():
        yield f"## {slug}\n\n{kind.status} {kind.title}. {kind.when}\n\n{kind.advice}\n"
    yield "# Codes of fields\n\nEach item of `errors` has `field`, `code` and `message`.\n"
    yield from (f"- `{code}`: {meaning}" for code, meaning in FIELD_CODES.items())


assert set(PROBLEM_TYPES) == set(get_args(Slug))  # noqa: S101 -- checked at import
if __name__ == "__main__":
    print("\n".join(markdown()))  # noqa: T201 -- its output
