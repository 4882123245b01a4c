"""A server that is asked to stop: proxies see it first, then its connections end, then it closes."""

import http.client
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SECRET, create_database
from support.processes import Process, eventually, started
from support.servers import answers, free_port


@pytest.fixture
async def url(worker_id_or_main: str) -> str:
    return await create_database(f"todo_drain_{worker_id_or_main}", "todo_template")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, url: str, port: int) -> Iterator[Process]:
    """One that serves for five more seconds."""
    environment = {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_DRAIN_SECONDS": "5"}
    with started(tmp_path, "server", **environment, TODO_PORT=str(port)) as process:
        assert eventually(lambda: answers(port), 120), process.output
        yield process


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str | None]:
    """The status, and whether the connection ends."""
    connection.request("GET", path)
    with connection.getresponse() as answer:
        answer.read()
        return answer.status, answer.headers["connection"]


def test_after_sigterm_it_is_unready_and_ends_each_connection_with_an_answer(server: Process, port: int) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    before = ask(kept, "/health/live")
    server.popen.send_signal(signal.SIGTERM)

    def is_unready() -> bool:
        return ask(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/health/ready")[0] == 503

    assert eventually(is_unready, 4)
    assert before == (200, None)
    assert ask(kept, "/health/live") == (200, "close")
    assert answers(port), "a new connection is served"
    assert server.popen.wait(30) == 0
    assert not answers(port)
    assert server.output == ""


def test_ctrl_c_stops_it_without(server: Process, port: int) -> None:
    assert server.end(signal.SIGINT, 4.5) == 0
