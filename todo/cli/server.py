"""`todo server`."""

import asyncio
import socket

import rich_click as click

from todo.app import create_app
from todo.cli.installation import check_installed, database_url
from todo.cli.lazy import CommandError
from todo.cli.supervision import exit_on_signals, follow_supervisor
from todo.http import logs
from todo.http.server import serve
from todo.settings import Settings, load_settings

HOST = click.option("--host", help="The address to listen on [TODO_HOST].")
PORT = click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [TODO_PORT or PORT].")


def given(**values: object) -> dict[str, object]:
    """The options that were given, so that settings keep the rest."""
    return {name: value for name, value in values.items() if value is not None}


@click.command()
@HOST
@PORT
def server(host: str | None, port: int | None) -> None:
    """Run one API process; start as many as you like.

    Example:

        todo server --port 8000
    """
    settings = load_settings(**given(host=host, port=port))
    logs.configure(settings)
    exit_on_signals()
    with database_url(settings) as url:
        asyncio.run(check_installed(settings, url))
        require_free(settings)
        follow_supervisor()
        serve(create_app(settings, url), settings)


def require_free(settings: Settings) -> None:
    """Raises CommandError when we cannot listen where the settings say."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}):"
                " choose another port with --port or TODO_PORT, another address with --host or TODO_HOST."
            ) from None
