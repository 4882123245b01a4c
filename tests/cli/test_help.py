"""The help: one line, an example to paste, and quick."""

import inspect
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from todo.cli import main
from todo.cli.lazy import LazyCommand


def commands_of(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{path} {name}")


@pytest.mark.parametrize(("path", "listed"), [*commands_of(main, "todo")], ids=str)
def test_every_command_has_one_line_and_an_example(path: str, listed: click.Command) -> None:
    command = listed.load() if isinstance(listed, LazyCommand) else listed
    first, blank, *rest = inspect.cleandoc(command.help or "").splitlines()
    example = rest.index("Example:")

    assert first == (listed.help or "").splitlines()[0]
    assert command.name == listed.name
    assert first.endswith(".")
    assert blank == ""
    assert rest[example + 1] == ""
    assert rest[example + 2].startswith(f"    {path}")


@pytest.mark.parametrize("command", main.commands, ids=str)
def test_the_example_is_shown(todo, command: str) -> None:
    shown = todo(command, "--help")

    assert shown.exit_code == 0
    assert "Example:" in shown.output


@pytest.mark.parametrize("group", ["", *(name for name, one in main.commands.items() if isinstance(one, click.Group))])
def test_help_loads_nothing_heavy(group: str) -> None:
    script = (
        f"import sys; from todo.cli import main\ntry: main({[*group.split(), '--help']})\n"
        "finally: print(sorted(HEAVY & set(sys.modules)))"
    ).replace("HEAVY", repr({"litestar", "sqlalchemy", "sqlmodel", "asyncpg", "saq", "pydantic", "alembic"}))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_message(todo) -> None:
    assert todo("--version").output.startswith("todo, version ")
