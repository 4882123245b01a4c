"""Upgrade the embedded server's data folder to another major version of PostgreSQL: by a backup, with its checks."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from todo.backup.archive import BackupError, Manifest, reading
from todo.backup.create import Source, replacing, write
from todo.backup.restore import restore
from todo.embedded.server import Server

PART = "upgrade.part"


def upgrade(data_dir: Path, old_programs: Path | None) -> Path | None:
    """Upgrade and return the folder of the old data, or None when there is nothing to do.

    May be called again after an interruption. Raise BackupError or EmbeddedError.
    """
    old, part = Server(data_dir, programs=old_programs), Path(data_dir) / PART
    version = old.has_version()
    if not version and (former := old.former()):  # interrupted between the two renames: the new cluster is complete
        return _exchange(data_dir, former[-1])
    if not version or version == Server(data_dir).major:
        return None
    if old_programs is None:
        raise BackupError(
            f"The data was written by PostgreSQL {version}: name the folder of its programs with --old-bin (--help)."
        )
    kept = Path(data_dir) / f"postgres-{version}"
    if kept.exists():
        raise BackupError(f"{kept} is in the way: move it elsewhere.")
    shutil.rmtree(part, ignore_errors=True)
    _copy(old, Server(part), part / "backup.zip")
    (Path(data_dir) / "postgres").rename(kept)
    return _exchange(data_dir, kept)


def _copy(old: Server, new: Server, file: Path) -> Manifest:
    with old, new:
        with replacing(file) as out:
            manifest = write(Source(old.url, ""), out, datetime.now(UTC))
        with reading(file, None) as archive:
            restore(archive, manifest, new.url)
    return manifest


def _exchange(data_dir: Path, kept: Path) -> Path:
    part = Path(data_dir) / PART
    (part / "postgres").rename(Path(data_dir) / "postgres")
    shutil.rmtree(part)
    return kept
