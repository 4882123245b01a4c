"""`todo backup` and `todo backup-key`."""

import os
import signal
import sys
from pathlib import Path

import pyrage
import rich_click as click

from todo.backup.archive import Manifest
from todo.backup.create import Source, name_of, replacing, write
from todo.backup.places import S3, open_bucket, outdated, split
from todo.cli.installation import database_url
from todo.cli.lazy import CommandError
from todo.cli.progress import working
from todo.connection import direct_url
from todo.database import now
from todo.settings import Settings, load_settings, secret_key

DUMPING = "Dumping the database, and summing up every table"


@click.command()
@click.argument("file", required=False)
def backup(file: str | None) -> None:
    """Write a backup of the database, and of the secret key.

    FILE may be a folder, s3://bucket/prefix, or - for standard output. Without it, the backup goes to TODO_BACKUP_DIR,
    and those older than TODO_BACKUP_DAYS are deleted. The secret key is in it only if TODO_BACKUP_RECIPIENTS encrypts
    it.

    Example:

        todo backup /mnt/backups
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was begun is removed
    settings = load_settings()
    target = file or settings.backup_dir
    if not target:
        raise CommandError("Name a file, a folder or a bucket, or set TODO_BACKUP_DIR.")
    with database_url(settings) as url:
        source = Source(direct_url(settings, url), secret_key(settings).current, settings.backup_recipients)
        if target == "-":
            with working(DUMPING):
                manifest = write(source, sys.stdout.buffer, now())
            _say(settings, manifest, "standard output")
        elif target.startswith(S3):
            _upload(settings, source, target, keep_all=bool(file))
        else:
            _store(settings, source, Path(target), keep_all=bool(file))


def _upload(settings: Settings, source: Source, url: str, *, keep_all: bool) -> None:
    at = now()
    place, name = split(url)
    bucket, name = open_bucket(place), name or name_of(source, at)
    with working(DUMPING), bucket.writing(name) as out:
        manifest = write(source, out, at)
    _say(settings, manifest, f"{bucket.url_of(name)}, {bucket.size(name) / 1e6:.1f} MB")
    old = [] if keep_all else outdated(bucket.names(), settings.backup_days, at)
    bucket.delete(old)
    for name in old:
        click.echo(f"Deleted {bucket.url_of(name)}.", err=True)


def _store(settings: Settings, source: Source, target: Path, *, keep_all: bool) -> None:
    at = now()
    if not keep_all:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = target / name_of(source, at) if target.is_dir() else target
    with working(DUMPING), replacing(path) as out:
        manifest = write(source, out, at)
    _say(settings, manifest, f"{path}, {path.stat().st_size / 1e6:.1f} MB")
    names = [] if keep_all else [one.name for one in target.iterdir()]
    for name in outdated(names, settings.backup_days, at):
        (target / name).unlink()
        click.echo(f"Deleted {target / name}.", err=True)


def _say(settings: Settings, manifest: Manifest, target: str) -> None:
    """Say what was written on the standard error, since the backup may go to the standard output."""
    click.echo(f"Wrote {target}: {len(manifest.tables)} tables, {manifest.rows} rows.", err=True)
    if settings.backup_recipients:
        click.echo(f"It is encrypted, and contains the secret key {manifest.key}.", err=True)
    else:
        click.echo(
            f"It is NOT encrypted, so the secret key {manifest.key} is not in it: keep TODO_SECRET_KEY or the file"
            f" {settings.data_dir / 'secret_key'} elsewhere. Nobody can sign in to a restored database without it.",
            err=True,
        )
    if settings.secret_key_fallbacks:
        click.echo("TODO_SECRET_KEY_FALLBACKS are not in it: run `todo keys rewrap` first.", err=True)


@click.command("backup-key")
@click.argument("file", type=click.Path(path_type=Path))
def backup_key(file: Path) -> None:
    """Make the keys that encrypt and decrypt backups.

    The private key is written to FILE, for `todo restore --identity`; keep it away from this machine. The public key is
    printed, for TODO_BACKUP_RECIPIENTS. `age-keygen` makes such keys too.

    Example:

        todo backup-key backup-key.txt
    """
    identity = pyrage.x25519.Identity.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{file} exists already: a key in it may be needed to read older backups.") from None
    with open(descriptor, "w") as out:  # noqa: PTH123 -- a descriptor
        out.write(f"# public key: {identity.to_public()}\n{identity}\n")
    click.echo(str(identity.to_public()))
