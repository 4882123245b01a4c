"""`todo routes` and `todo openapi`: the API of this version. Nothing connects to a database."""

import json
from collections.abc import Iterator
from typing import IO

import rich_click as click
from litestar import Litestar
from litestar.routes import HTTPRoute
from rich.console import Console
from rich.table import Table

from todo.app import create_app
from todo.http.document.operations import is_public, permission_of
from todo.http.openapi import documents
from todo.settings import load_settings

COLUMNS = ("method", "path", "operation", "permission")


def described_app() -> Litestar:
    """The application of any installation: it follows from the code."""
    nowhere = {"_env_file": None, "database_url": "postgresql://none/none", "secret_key": "none" * 9}
    return create_app(load_settings(**nowhere))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def routes(as_json: bool) -> None:
    """List the routes of the API, with the permission of each.

    Example:

        todo routes
    """
    rows = sorted(_rows(described_app()), key=lambda row: (row[1], row[0]))
    if as_json:
        click.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(*(name.capitalize() for name in COLUMNS))
    for row in rows:
        table.add_row(*row)
    Console(width=180).print(table)


def _rows(app: Litestar) -> Iterator[tuple[str, str, str, str]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                needs = permission_of(handler) or ("public" if is_public(handler) else "signed in")
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield str(method), route.path_format, str(handler.operation_id or ""), needs


@click.command()
@click.option("--admin", is_flag=True, help="With the administration.")
@click.option("--output", type=click.File("wb", lazy=True), default="-", help="A file; by default the standard output.")
def openapi(admin: bool, output: IO[bytes]) -> None:
    """Write the OpenAPI description of the API, which servers have at /openapi.json.

    Example:

        todo openapi --output openapi.json
    """
    found = documents(described_app())
    output.write(found.everything if admin else found.clients)
