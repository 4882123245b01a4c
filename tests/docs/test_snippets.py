"""What README and docs show is run, here or elsewhere; the snippets in `sh` by test_walk.py."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from docs.pages import PAGES, ROOT, snippets

from todo.cli import main

# Blocks without a language are shown, not run: the first line of each, and why.
SHOWN = {
    "pip install uv && uv run todo up": "the first start: test_walk.py, and .ci/run in a new environment",
    "export TODO_SECRET_KEY=": "needs Docker; `docker-compose config` checks the file",
    "docker compose build": "needs Docker; tests/test_containers.py checks the files",
    "kubectl create namespace": "needs Kubernetes; tests/test_containers.py checks the files",
    "todo backup-key": "tests/cli/test_backup.py",
    "TODO_ISSUERS=": "tests/accounts/test_identity_providers.py",
    "pip install uv": "set-up of a checkout",
    "uv run python -m benchmarks": "takes minutes; .ci/run",
    "clients/build": "takes half a minute; .ci/clients",
    "clients ──> server": "a drawing",
    "todo/": "a drawing",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_nothing_that_is_not_run(page: Path) -> None:
    unknown = [
        text.splitlines()[0] for text in snippets(page, "") if not any(text.startswith(first) for first in SHOWN)
    ]

    assert unknown == []


def test_every_command_that_a_page_names_exists() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    runner = CliRunner()

    named = {tuple(match.split()) for match in re.findall(r"`(?:uv run )?todo ((?:[a-z][a-z-]* ?)+)", text)}
    missing = [words for words in sorted(named) if runner.invoke(main, [*words, "--help"]).exit_code != 0]

    assert missing == []
