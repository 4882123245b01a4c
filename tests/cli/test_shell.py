"""`todo shell` and `todo dbshell`: consoles on the database."""

import sys

import pytest
from support.processes import started

COUNT = "async with database.session(origin) as session: print(await session.scalar(select(func.count(Role.id))))"


@pytest.fixture(autouse=True)
def no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", "", raising=False)
    monkeypatch.setattr(sys, "ps2", "", raising=False)


def test_a_command_knows_the_models_and_may_await(todo, url: str) -> None:
    done = todo("shell", "-c", COUNT, TODO_DATABASE_URL=url)

    assert (done.exit_code, done.output) == (0, "5\n")


def test_the_console_shows_values_and_goes_on_after_a_mistake(
    todo, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = todo("shell", TODO_DATABASE_URL=url, answers=f"nothing\n{COUNT}\n\nsettings.env\n")

    assert done.exit_code == 0
    assert "NameError" in done.stderr
    assert done.stdout.split() == ["5", "'development'"]


def test_psql_gets_the_database_and_its_arguments(todo, url: str, tmp_path) -> None:
    with started(tmp_path, "dbshell", "-Atc", "SELECT count(*) FROM roles", TODO_DATABASE_URL=url) as process:
        assert process.popen.wait(60) == 0
        assert process.output == "5\n"


def test_psql_decides_the_exit_code(todo, url: str, tmp_path) -> None:
    with started(tmp_path, "dbshell", "-c", "SELECT 1 FROM nothing", TODO_DATABASE_URL=url) as process:
        assert process.popen.wait(60) == 1
