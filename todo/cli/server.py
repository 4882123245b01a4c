"""`todo server`."""

import asyncio

import uvicorn

from todo.app import create_app
from todo.cli import CommandError
from todo.cli.installation import database_url
from todo.cli.supervision import follow_supervisor
from todo.migrate import is_current
from todo.settings import Settings, load_settings


def given(**values: object) -> dict[str, object]:
    """The options that were given, so that settings keep the rest."""
    return {name: value for name, value in values.items() if value is not None}


def serve(host: str | None, port: int | None) -> None:
    settings = load_settings(**given(host=host, port=port))
    with database_url(settings) as url:
        require_current(settings, url)
        follow_supervisor()
        uvicorn.run(
            create_app(settings, url),
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_level=settings.log_level.lower() if settings.log_level != "INFO" else "warning",
            timeout_graceful_shutdown=10,
        )


def require_current(settings: Settings, url: str) -> None:
    """Raises CommandError when the database has not been migrated to this version."""
    if not asyncio.run(is_current(settings, url)):
        raise CommandError("The database is not at this version's schema: run `todo migrate` first.")
