"""What the errors of SQLAlchemy and asyncpg mean to a client."""

from sqlalchemy.exc import DBAPIError

from todo.connection import AWAY, AWAY_STATES
from todo.errors import Conflict, Invalid, Problem, Unavailable

READ_ONLY = "25006"


def sqlstate_of(error: Exception) -> str:
    """PostgreSQL's code of an error, from SQLAlchemy and asyncpg alike; "" when it has none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")


def problem_from(error: Exception) -> Problem | None:
    """What a database error means to a client, or None when it is our own fault."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = sqlstate_of(error)
    if (
        isinstance(error, DBAPIError)
        and error.connection_invalidated
        or isinstance(cause, AWAY)
        or state.startswith(AWAY_STATES)
    ):
        return Unavailable("The database is away for the moment.", retry_after=2)
    if state == READ_ONLY:
        return Unavailable("The database takes no changes for the moment.", retry_after=2)
    if state == "55P03":
        return Unavailable("Somebody else holds the same rows; try again.", retry_after=2)
    if state == "57014":
        return Unavailable("The database took too long.", retry_after=5)
    if state == "23505":
        return Conflict("There is one like this already.")
    if state == "23503":
        return Conflict("Something this refers to is gone.")
    if state.startswith("22"):
        return Invalid("The request holds a value that cannot be stored.")
    if state in {"40001", "40P01"}:
        return Unavailable("Somebody changed the same rows at the same moment; try again.")
    return None
