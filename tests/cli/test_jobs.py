"""`todo jobs run`, with a worker at work."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.database import query
from conftest import SECRET
from support.processes import Process, started


@pytest.fixture
def worker(tmp_path: Path, url: str) -> Iterator[Process]:
    with started(tmp_path, "worker", TODO_DATABASE_URL=url, TODO_SECRET_KEY=SECRET) as process:
        yield process


def test_it_waits_for_the_end(todo, url: str, worker: Process) -> None:
    done = todo("jobs", "run", "empty_trash", "--wait", TODO_DATABASE_URL=url)
    as_json = todo("jobs", "run", "empty_trash", "--wait", "--json", TODO_DATABASE_URL=url)

    assert (done.exit_code, done.stdout) == (0, "empty_trash: complete.\n"), worker.output
    assert json.loads(as_json.stdout)["status"] == "complete"


def test_a_job_that_fails_is_exit_code_1(todo, url: str, worker: Process) -> None:
    query(url, "ALTER TABLE tasks RENAME COLUMN deleted_at TO gone_at")

    done = todo("jobs", "run", "empty_trash", "--wait", TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert done.stdout.startswith("empty_trash: failed. ")


def test_without_waiting_it_names_the_job(todo, url: str) -> None:
    done = todo("jobs", "run", "empty_trash", TODO_DATABASE_URL=url)
    unknown = todo("jobs", "run", "nothing", TODO_DATABASE_URL=url)

    key = query(url, "SELECT key FROM saq_jobs")[0]["key"]
    assert (done.exit_code, done.output) == (0, f"1 done.\nQueued as {key}.\n")
    assert unknown.exit_code == 3
