"""`todo restore`."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import rich_click as click

from todo.backup.archive import KEY, BackupError, Manifest, manifest_of, reading
from todo.backup.client import fingerprint
from todo.backup.places import S3, open_bucket, split
from todo.backup.restore import restore as restore_into
from todo.cli.installation import database_url
from todo.cli.progress import working
from todo.connection import direct_url
from todo.revisions import head
from todo.setting_errors import SettingsError
from todo.settings import Settings, load_settings, secret_key, write_secret_key


class Place(click.Path):
    """A file, or an object in a bucket."""

    def convert(self, value: Any, *arguments: Any) -> Any:
        return value if str(value).startswith(S3) else super().convert(value, *arguments)


@click.command()
@click.argument("file", type=Place(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the private key of an encrypted backup.",
)
def restore(file: Path | str, identity: Path | None) -> None:
    """Restore a backup into an empty database.

    FILE may be in a bucket: s3://bucket/prefix/todo-....zip. Afterwards every table is compared with the backup: number
    of rows and checksum. A secret key in the backup is written to TODO_DATA_DIR, unless TODO_SECRET_KEY is set.

    Example:

        todo restore todo-20270106T020700Z.zip.age --identity backup-key.txt
    """
    settings = load_settings()
    with local(file) as path, reading(path, identity) as archive:
        manifest = manifest_of(archive)
        key = key_to_write(settings, archive, manifest)
        with database_url(settings) as url, working("Restoring, and comparing every table with the backup"):
            restore_into(archive, manifest, direct_url(settings, url))
        if key:
            click.echo(f"The secret key is in {write_secret_key(settings, key)}.")
    click.echo(
        f"Restored {len(manifest.tables)} tables with {manifest.rows} rows of {manifest.created_at:%Y-%m-%d %H:%M} UTC:"
        " every number of rows and every checksum is that of the backup."
    )
    if manifest.revision != head():
        click.echo(f"The backup is of todo {manifest.release}: run `todo migrate` next.")


def local(file: Path | str) -> AbstractContextManager[Path]:
    """Return a file for the time of the block: that one, or a download."""
    if isinstance(file, Path):
        return nullcontext(file)
    place, name = split(file)
    return open_bucket(place).reading(name or "todo-....zip")


def key_to_write(settings: Settings, archive: ZipFile, manifest: Manifest) -> str:
    """Return the secret key that must be stored, "" when the one there is right. Raise BackupError when none fits."""
    try:
        present = secret_key(settings).all
    except SettingsError:
        present = ()
    if manifest.key in map(fingerprint, present):
        return ""
    if present:
        raise BackupError(
            f"The secret key here is not that of the backup ({manifest.key}): set TODO_SECRET_KEY to that one or, if"
            " the backup contains it, restore without TODO_SECRET_KEY and with a new folder in TODO_DATA_DIR."
        )
    if KEY not in archive.namelist():
        raise BackupError(f"The secret key {manifest.key} is not in this backup: set TODO_SECRET_KEY to it.")
    return archive.read(KEY).decode()
