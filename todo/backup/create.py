"""Write a backup: pg_dump and the checksums of every table, of one and the same moment."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO
from zipfile import ZipFile

import msgspec

from todo import __version__
from todo.backup.archive import DUMP, KEY, MANIFEST, BackupError, Manifest, writing
from todo.backup.client import Connection, connect, environment, fingerprint, program, tables_of

SNAPSHOT = "SELECT pg_export_snapshot(), current_schema(), current_setting('server_version')"
EXTENSIONS = """SELECT extname FROM pg_extension
    WHERE extnamespace = current_schema()::regnamespace AND extname <> 'plpgsql' ORDER BY 1"""
NAME = re.compile(r"todo-(\d{8}T\d{6}Z)\.zip(\.age)?")
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Source:
    """The database to back up, the secret key it was encrypted with, and who may read the backup (age recipients)."""

    url: str
    key: str
    recipients: Sequence[str] = ()


def name_of(source: Source, at: datetime) -> str:
    """Return the file name of a backup taken at `at`."""
    return f"todo-{at.astimezone(UTC):{STAMP}}.zip" + (".age" if source.recipients else "")


def write(source: Source, out: BinaryIO, at: datetime) -> Manifest:
    """Write a backup to `out`, which need not be a file. Raise BackupError, or psycopg.Error.

    The secret key is in it only when it is encrypted: next to the data in plain text it would protect nothing.
    """
    with connect(source.url) as connection, writing(out, source.recipients) as archive:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot, schema, server = connection.execute(SNAPSHOT).fetchone() or ("", "", "")
        manifest = Manifest(
            created_at=at, release=__version__, revision=_revision(connection), server=server,
            client=_dump(source.url, connection.info.server_version // 10_000, snapshot, schema, archive),
            database_schema=schema, extensions=[name for (name,) in connection.execute(EXTENSIONS)],
            key=fingerprint(source.key), tables=tables_of(connection),
        )  # fmt: skip
        if source.recipients:
            archive.writestr(KEY, source.key)
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _revision(connection: Connection) -> str:
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        raise BackupError("There is nothing to back up: the database has no schema yet (`todo migrate`).")
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    return str(revision)


def _dump(url: str, server: int, snapshot: str, schema: str, archive: ZipFile) -> int:
    """Write the dump into the archive and return the major version of pg_dump."""
    path, version = program("pg_dump", server, server)
    options = ["-Fc", "--no-owner", "--no-privileges", f"--schema={schema}", f"--snapshot={snapshot}"]
    with (
        subprocess.Popen(
            [path, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment(url)
        ) as process,
        archive.open(DUMP, "w", force_zip64=True) as file,
    ):
        assert process.stdout and process.stderr  # noqa: S101 -- for the type checker
        copyfileobj(process.stdout, file, 1 << 20)
        said = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise BackupError(f"pg_dump failed: {said.strip() or process.returncode}")
    return version


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a private file that gets its name when it is complete and on the disk."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 -- a mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
