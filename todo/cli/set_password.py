"""`todo users set-password`."""

import asyncio

import rich_click as click

from todo.admin.cli.commands import answered_by
from todo.cli.installation import database_url, installed
from todo.cli.operator import cli_origin
from todo.domain.accounts.services.password_change import find_holder, set_password
from todo.domain.accounts.services.passwords import Passwords
from todo.settings import Settings, load_settings


@click.command("set-password")
@click.argument("user")
@click.option("--password", help="Asked for if absent.")
def command(user: str, password: str | None) -> None:
    """Set a new password for a user who lost theirs.

    Ends every session of the user. Personal tokens and second factors stay.

    Example:

        todo users set-password admin@todo.local
    """
    settings = load_settings()
    with database_url(settings) as url:
        asyncio.run(_check(settings, url, user))
        with answered_by("--password"):
            password = password or click.prompt("New password", hide_input=True, confirmation_prompt=True)
        asyncio.run(_set(settings, url, user, password))
    click.echo(f"{user} has a new password; every session has ended.")


async def _check(settings: Settings, url: str, user: str) -> None:
    """Refuse before a password is typed."""
    async with installed(settings, url) as database, database.session(cli_origin()) as session:
        await find_holder(session, user)


async def _set(settings: Settings, url: str, user: str, password: str) -> None:
    async with installed(settings, url) as database:
        await set_password(database, cli_origin(), Passwords(settings), user, password)
