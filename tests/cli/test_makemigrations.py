"""`todo makemigrations`, against real databases."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.database import query

from todo import migrate, migration_plan, revisions

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the migrations, which the commands of the test use; the folder of its versions."""
    shutil.copytree(ROOT / "migrations", tmp_path / "checkout/migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "checkout")
    for module in (migrate, migration_plan, revisions):
        monkeypatch.setattr(module, "folder", lambda: tmp_path / "checkout/migrations")
    revisions.known.cache_clear()
    yield tmp_path / "checkout/migrations/versions"
    revisions.known.cache_clear()


def files(versions: Path) -> set[str]:
    return {path.name for path in versions.glob("*.py")}


def test_no_difference_writes_nothing(todo, url: str, checkout: Path) -> None:
    before = files(checkout)

    done = todo("makemigrations", "nothing", TODO_DATABASE_URL=url)
    checked = todo("makemigrations", "--check", TODO_DATABASE_URL=url)

    assert (done.exit_code, done.output, checked.exit_code) == (0, "No changes.\n", 0)
    assert files(checkout) == before


def test_a_column_that_the_database_lacks_becomes_a_migration_that_applies(todo, url: str, checkout: Path) -> None:
    before = files(checkout)
    query(url, "ALTER TABLE tasks DROP COLUMN estimate_minutes")

    checked = todo("makemigrations", "--check", TODO_DATABASE_URL=url)
    unchanged = files(checkout)
    done = todo("makemigrations", "Add the estimate", TODO_DATABASE_URL=url)

    (name,) = files(checkout) - before
    assert (checked.exit_code, unchanged) == (1, before)
    assert name == f"{int(max(before)[:4]) + 1:04}_add_the_estimate.py"
    assert (done.exit_code, done.output) == (0, f"Wrote {checkout / name}.\n")
    text = (checkout / name).read_text()
    assert 'op.add_column("tasks", sa.Column("estimate_minutes", ' in text
    for arguments in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, checkout / name], cwd=checkout, check=True)
    revisions.known.cache_clear()
    assert todo("migrate", TODO_DATABASE_URL=url).output == f"Upgraded to {name[:4]}.\n"
    assert todo("makemigrations", "--check", TODO_DATABASE_URL=url).output == "No changes.\n"


def test_a_database_that_is_behind_is_migrated_first(todo, empty_url: str, checkout: Path) -> None:
    done = todo("makemigrations", "early", TODO_DATABASE_URL=empty_url)

    assert (done.exit_code, done.output) == (
        1, "Error: The database is not at this version's schema: run `todo migrate` first.\n",
    )  # fmt: skip


def test_it_works_on_the_embedded_server(todo, checkout: Path) -> None:
    assert todo("migrate").exit_code == 0

    assert todo("makemigrations", "--check").output == "No changes.\n"


def test_an_installed_package_refuses_in_a_sentence(todo, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "folder", lambda: Path(migrate.__file__).parent / "migrations")

    done = todo("makemigrations", "add labels", TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert done.output.startswith("Error: `todo makemigrations` works in a source checkout only")
    assert len(done.output.splitlines()) == 1


def test_a_message_is_needed(todo) -> None:
    assert todo("makemigrations").exit_code == 2
