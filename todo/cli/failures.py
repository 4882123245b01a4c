"""One sentence for everything that an operator can put right."""

import socket

import psycopg
from sqlalchemy.exc import DBAPIError

from todo.admin.checks import AdminError
from todo.backup.archive import BackupError
from todo.cli.lazy import CommandError
from todo.connection import AWAY, DISK_FULL
from todo.embedded.programs import EmbeddedError
from todo.errors import FieldError, NotFound, Problem
from todo.revisions import MigrationError
from todo.setting_errors import SettingsError

OURS = (AdminError, BackupError, CommandError, EmbeddedError, MigrationError, SettingsError)
# No connection, no such role or password, no such database, too many connections, going down, not allowed, read-only.
REFUSED = ("08", "28", "3D", "53", "57P", "42501", "25006")
TOO_MANY = "53300"
OPTIONS = {"q": "--search", "sort": "--sort", "cursor": "--cursor", "trash": "--trash", "ics": "--calendar"}
NO_DATABASE = (
    "Cannot use the database: {reason}. Check that it runs and that TODO_DATABASE_URL has the right host, port, user,"
    " password and database, or unset TODO_DATABASE_URL and let `todo up` bring its own."
)


def sentence_of(error: Exception) -> str | None:
    """What to tell the operator; None for what is a fault of ours and deserves its traceback."""
    if isinstance(error, OURS):
        return str(error)
    if isinstance(error, Problem):
        return " ".join(_named(field) for field in error.errors) or error.detail
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError) and cause.filename:
        return f"Cannot use {cause.filename}: {cause.strerror}."
    wrapped = cause.__cause__ if cause else None  # the driver wraps what is in an array
    if isinstance(cause, UnicodeEncodeError) or isinstance(wrapped, UnicodeEncodeError):
        return "What was given is not text in UTF-8."
    state = str(getattr(cause, "sqlstate", None) or "")
    if state == DISK_FULL:
        return "The disk of the database is full: nothing was changed. Free some space, then try again."
    if state == TOO_MANY:
        return "The database has no connection left: raise its max_connections, or lower TODO_DATABASE_OVERFLOW."
    if isinstance(cause, (*AWAY, psycopg.OperationalError)) or state.startswith(REFUSED):
        return NO_DATABASE.format(reason=_reason(cause))
    return None


def exit_code_of(error: Exception) -> int:
    """3 for what is not there, 1 for what is refused."""
    return 3 if isinstance(error, NotFound) else 1


def _named(error: FieldError) -> str:
    """The field and what is wrong with it; `body` and `query` mean nothing at the command line."""
    name = error.field.partition(".")[2]
    return f"{OPTIONS.get(name, name)}: {error.message}" if name else error.message


def _reason(error: BaseException | None) -> str:
    match error:
        case socket.gaierror():
            return "its host name is not known"
        case ConnectionRefusedError():
            return "nobody listens at that address"
        case TimeoutError():
            return "it does not answer"
    return str(error).strip().rstrip(".") or type(error).__name__
