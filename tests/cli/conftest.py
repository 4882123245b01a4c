"""The command line, in this process, against databases of its own on the run's server."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from conftest import SECRET, create_database
from support.processes import CHEAP

from todo.cli import main
from todo.cli.supervision import SIGNALS

Todo = Callable[..., Result]


@pytest.fixture
def empty_url() -> str:
    """A database with nothing in it."""
    return asyncio.run(create_database(f"cli_{uuid4().hex}"))


@pytest.fixture
def url() -> str:
    """A migrated database with nobody in it."""
    return asyncio.run(create_database(f"cli_{uuid4().hex}", "todo_template"))


@pytest.fixture
def todo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Todo:
    """`todo("migrate", "--check", TODO_DATABASE_URL=...)`; what would be a traceback is raised."""
    monkeypatch.chdir(tmp_path)
    for name, value in (CHEAP | {"TODO_SECRET_KEY": SECRET, "TODO_DATA_DIR": str(tmp_path / "data")}).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, answers: str | None = None, **environment: str) -> Result:
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            return CliRunner().invoke(main, arguments, input=answers, env=environment, catch_exceptions=False)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    return run
