"""Errors of the API as exceptions."""

from typing import Any, TypeVar

import httpx

from todo_client.models import FieldError, ProblemDetails
from todo_client.types import Unset

Body = TypeVar("Body")


class ProblemError(Exception):
    """An error response. Match on `code`: docs/problems.md lists them.

    `errors` are the invalid fields of a request, each with a `code` and what is allowed; `current` is the row as it is
    now, with `stale-version`; `retry_after` are the seconds to wait before the next try, if the service says so.
    """

    def __init__(self, problem: ProblemDetails, response: httpx.Response):
        super().__init__(problem.detail)
        self.problem = problem
        self.status = response.status_code
        self.code = problem.code
        self.errors: list[FieldError] = [] if isinstance(problem.errors, Unset) else problem.errors
        self.current: Any = None if isinstance(problem.current, Unset) else problem.current
        after = response.headers.get("Retry-After", "")
        self.retry_after = int(after) if after.isdecimal() else None


def problem_of(response: httpx.Response) -> ProblemDetails:
    """Return the problem in a response that has been read; a proxy may have answered with something else."""
    try:
        return ProblemDetails.from_dict(response.json())
    except (ValueError, TypeError, KeyError):
        title = response.reason_phrase or f"Status {response.status_code}"
        return ProblemDetails("about:blank", "", title, response.status_code, title, response.url.path, "")


def unwrap(body: Body | ProblemDetails | None) -> Body:
    """Return the body of a response, which is no problem: `TodoClient` raises those as ProblemError."""
    if body is None or isinstance(body, ProblemDetails):
        raise TypeError("The response has no body, or the request was not sent by a TodoClient.")
    return body
