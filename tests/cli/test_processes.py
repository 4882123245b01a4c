"""`todo server` and `todo worker` on their own."""

import signal
from pathlib import Path

import pytest
from conftest import SECRET
from support.processes import eventually, started, worker_state


@pytest.fixture
def settings(url: str, free_port: int) -> dict[str, str]:
    return {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "PORT": str(free_port)}


def test_a_server_and_a_worker_work_together_and_stop_quietly(
    tmp_path: Path, settings: dict[str, str], free_port: int
) -> None:
    base = f"http://127.0.0.1:{free_port}"
    with started(tmp_path, "server", **settings) as server, started(tmp_path, "worker", **settings) as worker:
        assert eventually(lambda: worker_state(base) == "ok", 60), server.output + worker.output

        assert (server.end(signal.SIGINT), worker.end(signal.SIGTERM)) == (0, 0)
        assert (server.output, worker.output) == ("", "")


def test_a_server_brings_its_own_database_and_takes_it_away_again(todo, tmp_path: Path, free_port: int) -> None:
    assert todo("migrate").exit_code == 0
    own = {"TODO_DATA_DIR": str(tmp_path / "data"), "TODO_SECRET_KEY": SECRET, "TODO_PORT": str(free_port)}
    base = f"http://127.0.0.1:{free_port}"
    with started(tmp_path, "server", **own) as server:
        assert eventually(lambda: worker_state(base) == "late", 60), server.output
        assert todo("migrate", "--check").exit_code == 0, "a second command shares it"

        assert server.end() == 0
    assert not (tmp_path / "data/postgres/postmaster.pid").exists()
