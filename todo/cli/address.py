"""Where a server listens: the options, and whether the address is free."""

import socket

import rich_click as click

from todo.cli.lazy import CommandError
from todo.settings import Settings

HOST = click.option("--host", help="The address to listen on [TODO_HOST].")
PORT = click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [TODO_PORT or PORT].")


def given(**values: object) -> dict[str, object]:
    """The options that were given, so that settings keep the rest."""
    return {name: value for name, value in values.items() if value is not None}


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
