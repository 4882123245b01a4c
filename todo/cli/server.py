"""`todo server`."""

import asyncio

import rich_click as click

from todo.app import create_app
from todo.cli.address import HOST, PORT, given, require_free
from todo.cli.installation import check_installed, database_url
from todo.cli.observation import observe
from todo.cli.supervision import exit_on_signals, follow_supervisor, warn_of_unknown_variables
from todo.http.server import serve
from todo.settings import load_settings


@click.command()
@HOST
@PORT
def server(host: str | None, port: int | None) -> None:
    """Run one API process; start as many as you like.

    Example:

        todo server --port 8000
    """
    settings = load_settings(**given(host=host, port=port))
    observe(settings)
    warn_of_unknown_variables()
    exit_on_signals()
    with database_url(settings) as url:
        asyncio.run(check_installed(settings, url))
        require_free(settings)
        follow_supervisor()
        serve(create_app(settings, url), settings)
