"""`todo migrate`."""

import asyncio

import rich_click as click

from todo.cli.installation import database_url, is_current, opened, require_sessions
from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.users import AccountService
from todo.migrate import upgrade
from todo.revisions import head
from todo.saq_queue import connected, open_queue
from todo.settings import Settings, load_settings, secret_key


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
        elif not asyncio.run(_is_current(settings, url)):
            raise CommandError("Migrations are pending: run `todo migrate`.")
        else:
            click.echo(f"Nothing to do: the schema is at {head()}.")


async def _is_current(settings: Settings, url: str) -> bool:
    async with opened(settings, url) as database:
        return await is_current(database)


async def install(settings: Settings, url: str) -> bool:
    """Migrate our tables and SAQ's, and bring in the first roles and a signing key; True when the schema changed."""
    secret = secret_key(settings)
    await require_sessions(settings, url)
    changed = await upgrade(settings, url)
    async with connected(open_queue(settings, url)):
        pass  # SAQ migrates its tables when it connects
    async with opened(settings, url) as database:
        origin = cli_origin()
        async with database.session(origin) as session:
            await AccountService(session, origin.actor).prepare(secret)
        await TokenKeys(database, settings, secret).load()
    return changed
