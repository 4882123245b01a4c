"""A newcomer's walk: a new clone, `uv run todo up`, and what the pages say to type, pasted command by command.

The clone holds the files that git knows, as they are now. It runs in the environment of this test run;
with WALK_FRESH=1 (`.ci/run`) uv makes an environment of its own, as on a newcomer's machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from docs.pages import PAGES, ROOT, snippets
from support.processes import eventually

FIRST = "pip install uv && uv run todo up "
OURS = ("TODO_", "UV_", "VIRTUAL_ENV", "PYTEST", "COVERAGE_", "PYTHON")
FRESH = "WALK_FRESH" in os.environ


class Answer(NamedTuple):
    """A pasted command, its exit code and what it printed."""

    command: str
    code: int
    output: str


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that a clone of the working tree would have."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for source in (ROOT / name for name in names if name):
        if source.is_file():
            target = tmp_path / "clone" / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return tmp_path / "clone"


@pytest.fixture
def environment(tmp_path: Path, clone: Path) -> dict[str, str]:
    """Nothing of this test run but, unless it is to be fresh, its packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    present = {"UV_NO_SYNC": "1", "UV_PROJECT_ENVIRONMENT": sys.prefix, "PYTHONPATH": str(clone)}
    return kept | {"TODO_DATA_DIR": str(tmp_path / "data")} | ({} if FRESH else present)


@contextmanager
def terminal(command: str, clone: Path, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that keeps running in a terminal of its own, where Ctrl-C reaches all of its processes."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=clone, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def commands_of(text: str) -> Iterator[str]:
    """Split what is pasted where a shell would begin to run: a command may have several lines."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        if subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0:
            yield command
            command = ""
    assert not command, f"not complete: {command}"


def paste(text: str, clone: Path, environment: dict[str, str]) -> list[Answer]:
    """Paste into one shell, which like a terminal goes on after an error."""
    commands = list(commands_of(text))
    script = "".join(f"{command}printf '\\n\\036%d\\036' $?\n" for command in commands)
    done = subprocess.run(
        ["bash", "-s"], input=script, cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    parts = re.split("\n\036(\\d+)\036", done.stdout)
    assert len(parts) == 2 * len(commands) + 1, done.stdout + done.stderr
    return [Answer(*one) for one in zip(commands, map(int, parts[1::2]), parts[0::2], strict=False)]


def test_a_newcomer_gets_through_what_the_pages_say_to_type(
    tmp_path: Path, clone: Path, environment: dict[str, str]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (first,) = [text for text in snippets(clone / "README.md", "") if text.startswith(FIRST)]
    start = first.splitlines()[0].partition("&& ")[2].partition("#")[0]
    log = tmp_path / "up.log"

    with terminal(f"exec {start.strip()} --port {port}", clone, environment, log) as up:
        eventually(lambda: "Ctrl-C" in log.read_text() or up.poll() is not None, 300)
        assert "Ctrl-C" in log.read_text(), log.read_text()
        pages = [clone / page.relative_to(ROOT) for page in PAGES]
        session, *others = [text.replace("8000", port) for page in pages for text in snippets(page, "sh")]
        answers = [answer for text in (session, *others) for answer in paste(text, clone, environment)]
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait(60) == 0

    assert [answer for answer in answers if answer.code or "/problems/" in answer.output] == []
    completed = json.loads(answers[len(list(commands_of(session))) - 1].output)
    following = date.fromisoformat(completed["next_task"]["due"]["date"])
    assert completed["status"] == "done"
    assert (following > date(2026, 12, 31), (following + timedelta(days=1)).day) == (True, 1)
    assert log.read_text().count("Stopped.\n") == 1
    assert "Traceback" not in log.read_text()
