"""What a shell completes: names of the admin, at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from todo.admin import actions
from todo.admin.cli import writing
from todo.cli.completing import NAMES, names

COMPLETE = "from todo.cli import main; main(prog_name='todo')"


def completed(line: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    place = len(line.split()) - (not line.endswith(" "))
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(place), "_TODO_COMPLETE": "bash_complete"}
    run = [sys.executable, "-c", COMPLETE]
    found = subprocess.run(run, env=os.environ | asked, capture_output=True, text=True, check=True)
    return [one.partition(",")[2] for one in found.stdout.split()]


def test_the_names_are_those_of_today() -> None:
    assert json.loads(NAMES.read_text()) == names(), "python -m todo.cli.completing > todo/cli/completion.json"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("todo admin li", {"list"}),
        ("todo admin list ta", {"tasks"}),
        ("todo admin list tasks --fi", {"--filter"}),
        ("todo admin list tasks --filter st", {"status="}),
        ("todo admin list tasks --filter status=open --sort du", {"due_at"}),
        ("todo admin export tasks --columns ti", {"title"}),
        ("todo admin act users dis", {"disable"}),
        ("todo admin set users ada@example.com ti", {"timezone="}),
        ("todo admin add labels na", {"name="}),
        ("todo tasks list --sort pri", {"priority"}),
        ("todo users disable --y", {"--yes"}),
        ("todo admin list nosuch --filter ", set()),
        ("todo migrate x", set()),
    ],
)
def test_what_comes_next_is_offered(line: str, offered: set[str]) -> None:
    assert set(completed(line)) == offered


def test_completing_loads_no_resource() -> None:
    code = (
        "import sys\nfrom todo.cli import main\ntry: main(prog_name='todo')\nexcept SystemExit: pass\n"
        "print([one for one in ('sqlalchemy', 'msgspec', 'litestar', 'todo.modules') if one in sys.modules])"
    )
    asked = {"COMP_WORDS": "todo admin list ", "COMP_CWORD": "3", "_TODO_COMPLETE": "bash_complete"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=True
    )

    assert run.stdout.endswith("[]\n")


def test_a_long_act_says_how_far_it_is(todo: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, int | None]] = []

    @contextmanager
    def bar(hidden: bool) -> Iterator[Callable[[int, int | None], None]]:
        yield lambda done, total: shown.append((done, total))

    monkeypatch.setattr(writing, "progress_bar", bar)
    monkeypatch.setattr(actions, "AT_ONCE", 2)
    for number in range(3):
        added = ("createsuperuser", "--email", f"a{number}@example.com", "--password", "correct horse battery staple")
        assert todo(*added, TODO_DATABASE_URL=url).exit_code == 0

    done = todo("admin", "act", "users", "sign_out", "--all", "--yes", TODO_DATABASE_URL=url)

    assert done.exit_code == 0, done.output
    assert shown == [(2, 3), (3, 3)]
