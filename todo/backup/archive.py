"""The file of a backup: a zip, for age recipients encrypted as a whole, so that `age -d` and `unzip` open it too."""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO
from zipfile import BadZipFile, ZipFile

import msgspec
import pyrage
from msgspec import Struct

ENCRYPTED = b"age-encryption.org/v1"
MANIFEST, DUMP, KEY = "manifest.json", "database.dump", "secret_key"


class BackupError(Exception):
    """A backup cannot be written or restored. The message says what to do."""


class Table(Struct, frozen=True):
    """The rows of a table, and a checksum that does not depend on their order."""

    rows: int
    checksum: str


class Manifest(Struct, kw_only=True):
    """What a backup contains."""

    created_at: datetime
    release: str
    revision: str
    server: str  # version of PostgreSQL
    client: int  # major version of pg_dump: an older pg_restore cannot read its format
    database_schema: str
    extensions: list[str]
    key: str  # fingerprint of the secret key
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@contextmanager
def writing(out: BinaryIO, recipients: Sequence[str]) -> Iterator[ZipFile]:
    """Write a zip to `out`, encrypted if there are recipients. Nothing is stored elsewhere meanwhile."""
    if not recipients:
        with ZipFile(out, "w") as archive:
            yield archive
        return
    keys = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    end, begin = (os.fdopen(fd, mode) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    failures: list[Exception] = []
    thread = threading.Thread(target=_encrypt, args=(end, out, keys, failures), name="encrypt")
    thread.start()
    try:
        with begin, ZipFile(begin, "w") as archive:
            yield archive
    except BrokenPipeError:
        pass  # the thread has failed, and says why
    finally:
        thread.join()
    if failures:
        raise failures[0]


def _encrypt(source: IO[bytes], out: BinaryIO, keys: list[pyrage.x25519.Recipient], failures: list[Exception]) -> None:
    with source:
        try:
            pyrage.encrypt_io(source, out, keys)
        except Exception as error:
            failures.append(error)


@contextmanager
def reading(path: Path, identity: Path | None) -> Iterator[ZipFile]:
    """Open a backup, decrypted with the keys in the file `identity`. Raise BackupError when that is impossible."""
    with path.open("rb") as file, tempfile.TemporaryFile() as decrypted:
        source: IO[bytes] = file
        if file.read(len(ENCRYPTED)) == ENCRYPTED:
            file.seek(0)
            _decrypt(file, decrypted, identity)
            source = decrypted
        source.seek(0)
        try:
            with ZipFile(source) as archive:
                yield archive
        except BadZipFile as error:
            raise BackupError(f"{path} is damaged, or not a backup of todo: {error}.") from None


def _decrypt(source: IO[bytes], out: IO[bytes], identity: Path | None) -> None:
    if identity is None:
        raise BackupError("This backup is encrypted: name the file with the private key with --identity.")
    lines = [line.strip() for line in identity.read_text().splitlines()]
    try:
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        pyrage.decrypt_io(source, out, keys)
    except pyrage.IdentityError:
        raise BackupError(f"{identity} holds no private key of age (AGE-SECRET-KEY-...).") from None
    except (pyrage.DecryptError, OSError) as error:
        raise BackupError(f"This backup cannot be decrypted with {identity}: {error}.") from None


def manifest_of(archive: ZipFile) -> Manifest:
    """Return what a backup contains. Raise BackupError for another zip."""
    try:
        return msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError):
        raise BackupError("This is not a backup of todo: it has no valid manifest.json.") from None
