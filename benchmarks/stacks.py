"""Starts each stack as one uvicorn process, and checks that they all answer the same."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import SECRET
from benchmarks.data import Person, requests

UVICORN = "uvicorn --no-access-log --log-level warning --loop uvloop --http httptools --port {port} "
COMMANDS = {
    "todo": "todo server --port {port}",
    "fastapi+sqlmodel": UVICORN + "benchmarks.fastapi_sqlmodel:app",
    "bare": UVICORN + "benchmarks.bare:app",
}
ASSIGNED = {"id", "created_at", "updated_at"}  # by the stack, to each new task


class Stack(NamedTuple):
    """A running server process, and the requests it understands."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    requests: dict[str, list[str]]

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of the process until now (Linux only)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(url: str, people: list[Person]) -> Iterator[list[Stack]]:
    """All stacks, up and warm; stopped in the end."""
    with ExitStack() as stop:
        stacks = [_start(name, url, people, stop) for name in COMMANDS]
        for stack in stacks:
            _wait(stack)
        yield stacks


def _start(name: str, url: str, people: list[Person], stop: ExitStack) -> Stack:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TODO_")}
    own = {"DATABASE_URL": url, "TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET}
    # Our limiter counts, with a limit that is never reached; nobody writes a line for each request.
    own |= {"TODO_RATE_LIMIT": "9999999/minute", "TODO_LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", *COMMANDS[name].format(port=port).split()]
    process = subprocess.Popen(command, env=inherited | own)
    stop.callback(process.wait)
    stop.callback(process.terminate)
    return Stack(name, port, process, requests(people, name))


def _wait(stack: Stack) -> None:
    for _ in range(300):
        if stack.process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", stack.port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"{stack.name} did not start.")


def check(stacks: list[Stack]) -> None:
    """Stops the run unless all stacks answer every endpoint alike. Ours wraps its list in a page: `items`."""
    for endpoint in stacks[0].requests:
        answers = {stack.name: _ask(stack, endpoint) for stack in stacks}
        first, *others = answers.values()
        if first[0] >= 300 or any(answer != first for answer in others):
            raise SystemExit(f"The stacks differ on {endpoint}: {json.dumps(answers, indent=2)[:5000]}")
        if endpoint == "list" and len(first[1]) != 50:
            raise SystemExit(f"The list has {len(first[1])} items, not 50.")


def _ask(stack: Stack, endpoint: str) -> tuple[int, Any]:
    """Status and body of the endpoint's first request, as far as they are comparable."""
    head, _, body = stack.requests[endpoint][0].partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, path, _ = line.split()
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=10)
    connection.request(method, path, body, dict(header.split(": ", 1) for header in headers))
    answer = connection.getresponse()
    value = json.load(answer)
    connection.close()
    if endpoint == "list" and isinstance(value, dict):
        value = value.get("items", value)
    if endpoint == "add":
        value = {key: "..." if key in ASSIGNED else field for key, field in value.items()}
    return answer.status, value
