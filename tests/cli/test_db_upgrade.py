"""`todo db upgrade`: a data folder of an older PostgreSQL, brought to the one that is installed."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Todo
from cli.database import demonstrate, query
from conftest import settings_for

from todo.cli.migrate import install
from todo.embedded.programs import Programs
from todo.embedded.server import Server

OLD = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def old_folder(monkeypatch: pytest.MonkeyPatch, todo: Todo) -> Iterator[Path]:
    """A data folder with an installation in it, written by PostgreSQL 15."""
    if not OLD.is_dir():
        assert "CI" not in os.environ, "PostgreSQL 15 must be there in CI"
        pytest.skip("PostgreSQL 15 is not installed")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to the server's account
        data_dir = Path(folder)
        data_dir.chmod(0o711)
        monkeypatch.setenv("TODO_DATA_DIR", folder)
        server = Server(data_dir, programs=OLD, settings={"fsync": "off"})
        server._make_private(data_dir / "postgres")
        programs = Programs(data_dir, data_dir / "postgres", OLD)
        made = programs.run("initdb", "-Utodo", "-Atrust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions")
        assert made.returncode == 0, made.stderr
        with server:
            asyncio.run(install(settings_for(server.url), server.url))
            asyncio.run(demonstrate(server.url))
        yield data_dir


def tasks_of(data_dir: Path) -> list[object]:
    with Server(data_dir) as server:
        return query(server.url, "SELECT id, title, version FROM tasks ORDER BY id")


def test_the_data_is_that_of_before_and_the_old_folder_is_kept(todo: Todo, old_folder: Path) -> None:
    with Server(old_folder, programs=OLD) as server:
        before = query(server.url, "SELECT id, title, version FROM tasks ORDER BY id")
    refused = todo("migrate")

    done = todo("db", "upgrade", "--old-bin", str(OLD))

    assert "was written by PostgreSQL 15, but 18 is installed: run `todo db upgrade`." in refused.output
    assert done.output == f"Upgraded. Delete {old_folder / 'postgres-15'} when everything works.\n"
    assert (old_folder / "postgres/PG_VERSION").read_text() == "18\n"
    assert (old_folder / "postgres-15/PG_VERSION").read_text() == "15\n"
    assert tasks_of(old_folder) == before
    assert len(before) > 5
    assert todo("check").exit_code == 0
    assert todo("db", "upgrade").output == "Nothing to do.\n"


def test_an_upgrade_that_was_interrupted_at_its_end_is_finished(
    todo: Todo, old_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("todo.backup.upgrade._exchange", killed)
        todo("db", "upgrade", "--old-bin", str(OLD))
    refused = todo("migrate")

    done = todo("db", "upgrade")

    assert "was interrupted: run `todo db upgrade` again." in refused.output
    assert done.exit_code == 0, done.output
    assert len(tasks_of(old_folder)) > 5


def test_without_the_old_programs_it_says_what_is_needed(todo: Todo, old_folder: Path) -> None:
    refused = todo("db", "upgrade")

    assert refused.output == (
        "Error: The data was written by PostgreSQL 15: name the folder of its programs with --old-bin (--help).\n"
    )


def test_an_external_database_is_refused(todo: Todo, url: str) -> None:
    refused = todo("db", "upgrade", TODO_DATABASE_URL=url)

    assert refused.output == "Error: TODO_DATABASE_URL is set: this is for the embedded server only.\n"
