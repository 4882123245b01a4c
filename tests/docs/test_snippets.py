"""Every shell snippet of README and docs, run as pasted beside a service that was started as README says."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.processes import Process, started

from todo.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPET = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Blocks without a language are shown, not run here: the first line of each, and why.
SHOWN = {
    "pip install uv && uv run todo up": "the first start: tests/processes/test_blackbox.py, and .ci/run in a new clone",
    '{"id"': "an answer",
    "export TODO_SECRET_KEY=": "needs Docker; `docker-compose config` checks the file",
    "TODO_ISSUERS=": "tests/accounts/test_identity_providers.py",
    "pip install uv": "set-up of a checkout",
    "uv run python -m benchmarks": "takes minutes; .ci/run",
    "clients/build": "takes half a minute; .ci/clients",
    "clients ──> server": "a drawing",
    "todo/": "a drawing",
}


def snippets(page: Path, language: str) -> list[str]:
    return [text for found, text in SNIPPET.findall(page.read_text()) if found == language]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, int, Path]]:
    """`todo up` with its embedded PostgreSQL, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = tmp_path_factory.mktemp("snippets")
    with started(folder, "up", TODO_DATA_DIR=str(folder / "data"), TODO_PORT=str(port)) as process:
        assert process.says("Ctrl-C", 120), process.output
        yield process, port, folder
        process.end()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_nothing_that_is_not_run(page: Path) -> None:
    unknown = [
        text.splitlines()[0] for text in snippets(page, "") if not any(text.startswith(first) for first in SHOWN)
    ]

    assert unknown == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if snippets(page, "sh")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_what_a_page_says_to_type_works(page: Path, service: tuple[Process, int, Path]) -> None:
    _, port, folder = service
    script = "\n".join(snippets(page, "sh")).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TODO_")} | {
        "TODO_DATA_DIR": str(folder / "data"),
        "UV_NO_SYNC": "1",
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
    }

    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "/problems/" not in done.stdout and '"status":4' not in done.stdout, done.stdout


def test_every_command_that_a_page_names_exists() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    runner = CliRunner()

    named = {tuple(match.split()) for match in re.findall(r"`todo ((?:[a-z-]+ ?)+)", text)}
    missing = [words for words in sorted(named) if runner.invoke(main, [*words, "--help"]).exit_code != 0]

    assert missing == []
