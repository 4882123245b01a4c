"""Where backups go: folders, and buckets such as `s3://bucket/prefix`."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from todo.backup.archive import BackupError
from todo.backup.create import NAME, STAMP

if TYPE_CHECKING:
    from todo.backup.s3 import Bucket

S3 = "s3://"


def split(url: str) -> tuple[str, str]:
    """Return the place in a bucket, and the name of the backup that the URL ends with, if any."""
    place, _, name = url.rstrip("/").rpartition("/")
    return (place, name) if name.endswith((".zip", ".age")) else (url, "")


def open_bucket(place: str) -> "Bucket":
    """Return the bucket of a URL. Raise BackupError when the extra `s3` is not installed."""
    try:
        from todo.backup.s3 import Bucket  # noqa: PLC0415 -- may not be installed
    except ModuleNotFoundError:
        raise BackupError(f"{place}: buckets need the extra `s3` (in todo's folder: pip install '.[s3]').") from None
    return Bucket(place)


def outdated(names: list[str], days: int, at: datetime) -> list[str]:
    """Return the names of backups older than `days`, but never the newest."""
    dated = sorted((found[1], name) for name in names if (found := NAME.fullmatch(name)))
    border = (at.astimezone(UTC) - timedelta(days=days)).strftime(STAMP)
    return [name for stamp, name in dated[:-1] if stamp < border]
