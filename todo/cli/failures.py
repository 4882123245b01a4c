"""One sentence for everything that an operator can put right."""

import asyncpg
import psycopg
from sqlalchemy.exc import DBAPIError

from todo.cli import CommandError
from todo.database import AWAY
from todo.embedded import EmbeddedError
from todo.errors import Problem
from todo.migrate import MigrationError
from todo.settings import SettingsError

OURS = (CommandError, EmbeddedError, MigrationError, SettingsError)
NO_DATABASE = (
    "Cannot reach the database: {reason}. Check that it runs and that TODO_DATABASE_URL names it, "
    "or leave TODO_DATABASE_URL empty and let `todo up` bring its own."
)


def sentence_of(error: Exception) -> str | None:
    """What to tell the operator; None for what is a fault of ours and deserves its traceback."""
    if isinstance(error, OURS):
        return str(error)
    if isinstance(error, Problem):
        return " ".join([error.detail, *(f"{field.field}: {field.message}" for field in error.errors)])
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, (*AWAY, TimeoutError, asyncpg.PostgresError, psycopg.OperationalError)):
        return NO_DATABASE.format(reason=str(cause).strip().rstrip(".") or type(cause).__name__)
    if isinstance(cause, ValueError) and "database URL" in str(cause):
        return f"TODO_DATABASE_URL: {cause}."
    return None
