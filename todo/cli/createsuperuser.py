"""`todo createsuperuser`."""

import asyncio

import rich_click as click

from todo.admin.cli.commands import answered_by
from todo.cli.installation import check_installed, database_url, opened
from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.domain.accounts.services.sign_in import SignIn, add_superuser
from todo.settings import Settings, load_settings, secret_key


@click.command()
@click.option("--email", help="The administrator's e-mail address [TODO_ADMIN_EMAIL].")
@click.option("--password", help="Asked for if absent; for scripts use [TODO_ADMIN_PASSWORD].")
@click.option("--noinput", is_flag=True, help="Never ask: a missing value is an error.")
def createsuperuser(email: str | None, password: str | None, noinput: bool) -> None:
    """Add an administrator.

    Example:

        todo createsuperuser --email ada@example.com
    """
    settings = load_settings()
    email = email or settings.admin_email
    password = password or settings.admin_password.get_secret_value()
    if noinput and not (email and password):
        raise CommandError("--noinput needs --email and --password, or TODO_ADMIN_EMAIL and TODO_ADMIN_PASSWORD.")
    with database_url(settings) as url:
        asyncio.run(check_installed(settings, url))
        with answered_by("--email and --password"):
            email = email or click.prompt("E-mail")
            password = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
        asyncio.run(_add(settings, url, email, password))
    click.echo(f"{email} is an administrator now.")


async def _add(settings: Settings, url: str, email: str, password: str) -> None:
    async with opened(settings, url) as database:
        await add_superuser(SignIn(database, settings, secret_key(settings)), cli_origin(), email, password)
