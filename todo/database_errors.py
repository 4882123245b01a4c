"""Convert errors of SQLAlchemy and asyncpg to problems."""

from typing import Any

from sqlalchemy.exc import DBAPIError

from todo.connection import AWAY, AWAY_STATES, DISK_FULL, READ_ONLY
from todo.errors import Conflict, Invalid, Problem, QuotaReached, Unavailable

QUOTA = "QUOTA"  # of `refuse_over_quota`, in the migration
LIMIT = "LIMIT"  # of triggers that refuse what is too many, with a sentence for the client


def sqlstate_of(error: Exception) -> str:
    """Return PostgreSQL's code of an error from SQLAlchemy or asyncpg, or "" when it has none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")


def problem_from(error: Exception) -> Problem | None:
    """Convert a database error to a problem, or return None when it is a bug."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = sqlstate_of(error)
    if state == DISK_FULL:
        return Unavailable("The disk of the database is full.", retry_after=30)
    if (
        isinstance(error, DBAPIError)
        and error.connection_invalidated
        or isinstance(cause, AWAY)
        or state.startswith(AWAY_STATES)
    ):
        return Unavailable("The database is temporarily unavailable.", retry_after=2)
    if state == READ_ONLY:
        return Unavailable("The database is temporarily read-only.", retry_after=2)
    if state == "55P03":
        return Unavailable("The rows are locked by another request. Try again.", retry_after=2)
    if state == "57014":
        return Unavailable("The database took too long.", retry_after=5)
    if state == QUOTA:
        raised: Any = getattr(cause, "__cause__", None) or cause
        return QuotaReached(raised.constraint_name, int(raised.detail))
    if state == LIMIT:
        return Conflict(str(getattr(cause, "__cause__", None) or cause), slug="too-many")
    if state == "23505":
        return Conflict("An equal row already exists.", slug="already-exists")
    if state == "23503":
        violated: Any = getattr(cause, "__cause__", None) or cause
        if "is still referenced" in (getattr(violated, "detail", None) or ""):
            return Conflict("Other rows refer to this one. Delete them first, or let them refer to another.")
        return Conflict("A row that this refers to no longer exists.", slug="reference-missing")
    if state.startswith("22"):
        return Invalid("The request has a value that cannot be stored.")
    if state in {"40001", "40P01"}:
        return Unavailable("Another request changed the same rows. Try again.", slug="contention")
    return None
