"""Processes behind a pooler in transaction mode, several at once and started again."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import SECRET
from support.factories import PASSWORD
from support.poolers import pgbouncer
from support.processes import Process, eventually, started, worker_state
from support.servers import free_port

PLAIN: dict[str, str] = {}
RESET = {"server_reset_query": "DEALLOCATE ALL", "server_reset_query_always": "1"}  # the usual advice


@pytest.fixture(params=[PLAIN, RESET], ids=["plain", "reset"])
def pooled(request: pytest.FixtureRequest, free_port: int, url: str) -> Iterator[dict[str, str]]:
    """The settings of every process: the pooler's URL and the server's own."""
    with pgbouncer(free_port, default_pool_size="4", **request.param) as pooler:
        yield {
            "TODO_DATABASE_URL": f"{pooler}{urlsplit(url).path}", "TODO_DATABASE_DIRECT_URL": url,
            "TODO_SECRET_KEY": SECRET, "TODO_LOG_LEVEL": "WARNING",
        }  # fmt: skip


@pytest.fixture
def two_ports() -> list[int]:
    """Ports nobody listens on just now."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return [one.getsockname()[1], other.getsockname()[1]]


def run(folder: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    with started(folder, *arguments, **settings) as process:
        return process.popen.wait(120), process.output


def signs_in(base: str) -> bool:
    credentials = {"email": "ada@example.com", "password": PASSWORD}
    return httpx.post(f"{base}/api/auth/login", json=credentials).status_code == 200


def test_many_processes_start_again_and_again(tmp_path: Path, pooled: dict[str, str], two_ports: list[int]) -> None:
    for command in (["migrate", "--check"], ["check"]):
        assert run(tmp_path, *command, **pooled)[0] == 0
    new = {"TODO_ADMIN_EMAIL": "ada@example.com", "TODO_ADMIN_PASSWORD": PASSWORD}
    code, output = run(tmp_path, "createsuperuser", "--noinput", **pooled, **new)
    assert code == 0, output
    bases = [f"http://127.0.0.1:{port}" for port in two_ports]
    for _ in range(2):
        with (
            started(tmp_path, "server", PORT=str(two_ports[0]), **pooled) as one,
            started(tmp_path, "server", PORT=str(two_ports[1]), **pooled) as other,
            started(tmp_path, "worker", **pooled) as worker,
            started(tmp_path, "worker", **pooled) as another,
        ):
            running: list[Process] = [one, other, worker, another]
            ready = eventually(lambda: all(worker_state(base) == "ok" for base in bases), 90)
            assert ready, "".join(process.output for process in running)
            assert all(signs_in(base) for base in bases)
            assert [process.end(signal.SIGTERM) for process in running] == [0, 0, 0, 0]
            assert "".join(process.output for process in running) == ""


@pytest.mark.parametrize("command", [["worker"], ["migrate"], ["up"]])
def test_without_the_way_round_it_a_worker_is_refused_in_a_sentence(
    todo, pooled: dict[str, str], command: list[str]
) -> None:
    done = todo(*command, **(pooled | {"TODO_DATABASE_DIRECT_URL": "", "TODO_PORT": str(free_port())}))

    assert done.exit_code == 1
    assert done.output == (
        "Error: TODO_DATABASE_URL leads to a pooler in transaction mode, which migrations and workers cannot use:"
        " set TODO_DATABASE_DIRECT_URL to the URL of the PostgreSQL server itself.\n"
    )
