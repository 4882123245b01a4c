"""`todo makemigrations`."""

import asyncio

import rich_click as click

from todo.cli.installation import check_installed, database_url
from todo.cli.lazy import CommandError
from todo.migrate import is_packaged, revise
from todo.settings import load_settings


@click.command()
@click.argument("message", required=False)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if models and database differ.")
def makemigrations(message: str | None, check: bool) -> None:
    """Write a migration for what the models have and the database lacks.

    Works in a source checkout. Read the file before you commit it: a renamed column looks like a new one.

    Example:

        todo makemigrations "add labels"
    """
    if not message and not check:
        raise click.UsageError("Give a MESSAGE that says what changes, such as 'add labels'.")
    if is_packaged():
        raise CommandError("`todo makemigrations` works in a source checkout only, not in an installed package.")
    settings = load_settings()
    with database_url(settings) as url:
        asyncio.run(check_installed(settings, url))
        changed, path = asyncio.run(revise(settings, url, message or "", write=not check))
    if check and changed:
        raise CommandError("Models and database differ: run `todo makemigrations MESSAGE`.")
    click.echo(f"Wrote {path}." if path else "No changes.")
