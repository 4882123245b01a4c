"""Restore a backup into an empty database, and compare what is there with what was."""

import contextlib
import os
import subprocess
from shutil import copyfileobj
from zipfile import ZipFile

from psycopg import sql

from todo.backup.archive import DUMP, BackupError, Manifest
from todo.backup.client import Connection, connect, environment, program, tables_of
from todo.revisions import known

OBJECTS = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r','p')"


def restore(archive: ZipFile, manifest: Manifest, url: str) -> None:
    """Restore into the empty database at `url`. Raise BackupError, or psycopg.Error.

    Everything is restored in one transaction. When rows differ afterwards, the error names their tables.
    """
    if manifest.revision not in known():
        raise BackupError(
            f"This backup is of todo {manifest.release}, whose schema ({manifest.revision}) this version does not know:"
            " restore it with that version or a newer one."
        )
    with connect(url) as connection:
        server = _prepare(connection, manifest)
    _load(archive, manifest, url, server)
    with connect(url) as connection:
        different = differences(manifest, connection)
        if different:
            raise BackupError(f"Not restored as it was: {', '.join(different)}. Do not use this database.")
        connection.execute("ANALYZE")


def _prepare(connection: Connection, manifest: Manifest) -> int:
    (count,) = connection.execute(OBJECTS).fetchone() or (0,)
    if count:
        raise BackupError(
            f"The database is not empty, it has {count} tables: restore into an empty one. Create it and set"
            " TODO_DATABASE_URL or, for the embedded server, set TODO_DATA_DIR to a new folder."
        )
    for name in manifest.extensions:
        connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
    return connection.info.server_version // 10_000


def _load(archive: ZipFile, manifest: Manifest, url: str, server: int) -> None:
    path, _ = program("pg_restore", manifest.client, server)
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    variables = environment(url)
    command = [
        str(path),
        *options,
        f"--schema={manifest.database_schema}",
        f"--dbname={variables.get('PGDATABASE', '')}",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | variables
    ) as process:
        assert process.stdin and process.stderr  # noqa: S101 -- for the type checker
        # A broken pipe means that pg_restore has failed, and says why.
        with contextlib.suppress(BrokenPipeError), archive.open(DUMP) as file, process.stdin as target:
            copyfileobj(file, target, 1 << 20)
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise BackupError(f"pg_restore failed, and the database is still empty: {said.strip()}")


def differences(manifest: Manifest, connection: Connection) -> list[str]:
    """Return a sentence for each table that is not as the backup says."""
    found = tables_of(connection)
    return [
        f"{name} has {found[name].rows} rows instead of {table.rows}"
        if name in found and found[name].rows != table.rows
        else f"{name} has other rows" if name in found else f"{name} is missing"
        for name, table in manifest.tables.items()
        if found.get(name) != table
    ]  # fmt: skip
