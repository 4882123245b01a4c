"""`todo migrate`."""

import asyncio

import rich_click as click

from todo.cli.installation import database_url, install
from todo.cli.lazy import CommandError
from todo.migrate import is_current
from todo.revisions import head
from todo.settings import load_settings


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if migrations are pending.")
def migrate(check: bool) -> None:
    """Bring the database to the schema of this version.

    Safe to run from several instances at once.

    Example:

        todo migrate
    """
    settings = load_settings()
    with database_url(settings) as url:
        if not check:
            changed = asyncio.run(install(settings, url))
            click.echo(f"Upgraded to {head()}." if changed else f"Nothing to do: the schema is at {head()}.")
        elif not asyncio.run(is_current(settings, url)):
            raise CommandError("Migrations are pending: run `todo migrate`.")
        else:
            click.echo(f"Nothing to do: the schema is at {head()}.")
