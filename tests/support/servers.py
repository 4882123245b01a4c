"""A `todo server` process that answers on a port of its own."""

import http.client
import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from support.processes import eventually, started


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, environment: dict[str, str], files: tuple[int, int] | None = None) -> Iterator[int]:
    """The port of a `todo server` that may open so many files (soft and hard limit)."""
    port = free_port()
    with started(folder, "server", **environment, TODO_PORT=str(port)) as process:
        if files:
            resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, files)
        assert eventually(lambda: answers(port), 60), process.output
        yield port
        assert "Traceback" not in process.output, process.output
        if files:
            assert resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE)[0] == files[1]


def answers(port: int) -> bool:
    """Whether an ordinary request is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException), closing(connection):
        connection.request("GET", "/health/live")
        with connection.getresponse() as response:
            return response.status == HTTPStatus.OK
    return False
