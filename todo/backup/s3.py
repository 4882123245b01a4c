"""Backups in a bucket of S3, or of a service with its protocol (`AWS_ENDPOINT_URL`)."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import obstore
from obstore.store import S3Store

from todo.backup.archive import BackupError

PART = 16 * 2**20  # bytes; an upload has at most 10,000 parts, so a backup at most 160 GB
UPLOADS = 2  # parts at a time: with the one being filled, an upload needs 48 MiB of memory


def is_of_bucket(error: Exception) -> bool:
    """Return whether a bucket raised this: what it does not have is a FileNotFoundError without a file."""
    return isinstance(error, obstore.exceptions.BaseError) or isinstance(error, OSError) and error.errno is None


class _Upload:
    """A file for ZipFile and age: it can only be written to, and keeps the error that stopped it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: Exception | None = None

    def write(self, data: Any) -> int:
        try:
            self._file.write(data)
        except Exception as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Do nothing: parts have their size."""


class Bucket:
    """The objects below a URL such as `s3://bucket/prefix`. All methods raise BackupError."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        is_plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        with self._problems():
            self._store = S3Store.from_url(self._url, client_options={"allow_http": is_plain})

    def url_of(self, name: str) -> str:
        return f"{self._url}/{name}"

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Upload an object in parts. It appears when it is complete; when the block raises, its parts are deleted."""
        upload = None
        try:
            with obstore.open_writer(self._store, name, buffer_size=PART, max_concurrency=UPLOADS) as file:
                upload = _Upload(file)
                yield cast("BinaryIO", upload)
        except Exception as error:
            cause = upload.error if upload and upload.error else error
            if not is_of_bucket(cause):
                raise
            raise self._problem(cause) from error

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Download an object to a file for the time of the block."""
        with tempfile.NamedTemporaryFile() as file:
            with self._problems():
                try:
                    stream = obstore.get(self._store, name).stream(min_chunk_size=PART)
                except FileNotFoundError:
                    raise BackupError(f"There is no {self.url_of(name)}. {self._newest()}") from None
                for part in stream:
                    file.write(part)
            file.flush()
            yield Path(file.name)

    def names(self) -> list[str]:
        """Return the names of what is directly below the URL."""
        with self._problems():
            return sorted(str(one["path"]) for one in obstore.list_with_delimiter(self._store)["objects"])

    def delete(self, names: Sequence[str]) -> None:
        with self._problems():
            obstore.delete(self._store, list(names))

    def size(self, name: str) -> int:
        """Return the bytes of an object."""
        with self._problems():
            return int(obstore.head(self._store, name)["size"])

    def _newest(self) -> str:
        names = self.names()
        return f"The newest there is {self.url_of(names[-1])}." if names else "There is none at all."

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_of_bucket(error):
                raise
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> BackupError:
        said = str(error).split("\n", 1)[0].split("\\n", 1)[0].strip()
        return BackupError(f"Cannot use {self._url}: {said[:500]}")
