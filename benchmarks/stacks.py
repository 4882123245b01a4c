"""Starts each stack as one process, and checks that they all answer the same."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import SECRET
from benchmarks.data import ENDPOINTS, Person, requests

UVICORN = (
    "-m uvicorn --no-access-log --log-level warning --loop uvloop --http httptools --timeout-keep-alive 75"
    " --port {port} benchmarks.peers."
)
# As Django's documentation deploys it: threads, each with a connection.
GUNICORN = (
    "-m gunicorn --worker-class gthread --threads 8 --keep-alive 75 --log-level warning -b 127.0.0.1:{port}"
    " benchmarks.peers."
)
OURS, FLOOR = "todo", "bare"
COMMANDS = {
    OURS: "-m todo server --port {port}",
    "FastAPI + SQLModel": UVICORN + "fastapi_sqlmodel:app",
    "its template": UVICORN + "fastapi_sqlmodel:app",
    "Litestar + ORM": UVICORN + "litestar_orm:app",
    "Django REST": GUNICORN + "django_rest:application",
    "django-ninja": GUNICORN + "ninja:application",
    FLOOR: UVICORN + "bare:app",
}
ENVIRONMENT = {
    "its template": {"PEER_LOADS_USER": "1"},
    "Django REST": {"PEER_URLS": "benchmarks.peers.django_rest"},
    "django-ninja": {"PEER_URLS": "benchmarks.peers.ninja"},
}
TICKS = os.sysconf("SC_CLK_TCK")
ASSIGNED = {"id", "version", "created_at", "updated_at", "completed_at"}  # by the stack, or by the requests before
UNLIMITED = "9999999/minute"  # counted, and never reached


class Stack(NamedTuple):
    """A running server process, and the requests it understands."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    requests: dict[str, list[str]]

    def cpu_seconds(self) -> float:
        """CPU time of the process and of those it started until now (Linux only)."""
        return tree_seconds(self.process.pid)


def tree_seconds(root: int) -> float:
    """CPU time of a process and its children until now (Linux only)."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(stat.parent.name) == root or int(fields[1]) == root:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


@contextmanager
def running(names: Sequence[str], url: str, people: list[Person], limit: str = UNLIMITED) -> Iterator[list[Stack]]:
    """These stacks, up and warm; stopped in the end. `limit` is our rate limit."""
    with ExitStack() as stop:
        stacks = [_start(name, url, people, stop, limit) for name in names]
        for stack in stacks:
            _wait(stack)
        yield stacks


def _start(name: str, url: str, people: list[Person], stop: ExitStack, limit: str) -> Stack:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TODO_")}
    own = {"DATABASE_URL": url, "TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_RATE_LIMIT": limit}
    own |= {"TODO_MAX_CONNECTIONS": "4000", "TODO_MAX_CONNECTIONS_PER_ADDRESS": "4000"}  # all come from one address
    own |= ENVIRONMENT.get(name, {})
    command = [sys.executable, *COMMANDS[name].format(port=port).split()]
    # Our log of requests is on, as it is by default, and read by nobody.
    process = subprocess.Popen(
        command,
        env=inherited | own,
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("SHOW") else subprocess.DEVNULL,
    )
    stop.callback(process.wait)
    stop.callback(process.terminate)
    return Stack(name, port, process, requests(people, name))


def _wait(stack: Stack) -> None:
    for _ in range(1200):
        if stack.process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", stack.port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"{stack.name} did not start.")


def check(stacks: list[Stack]) -> None:
    """Stop the run unless all stacks answer every endpoint alike: status, and every field that all of them have."""
    for endpoint in ENDPOINTS:
        answers = {stack.name: _ask(stack, endpoint) for stack in stacks}
        shared = set.intersection(*(set(answer.fields) for answer in answers.values()))
        shown = {name: (answer.status, _only(shared, answer.value)) for name, answer in answers.items()}
        first, *others = shown.values()
        if first[0] >= 300 or len(shared) < 15 or any(answer != first for answer in others):
            raise SystemExit(f"The stacks differ on {endpoint}: {json.dumps(shown, indent=2, default=str)[:5000]}")


class Answer(NamedTuple):
    status: int
    value: Any

    @property
    def fields(self) -> Sequence[str]:
        return list(self.value[0] if isinstance(self.value, list) else self.value)


def _only(names: set[str], value: Any) -> Any:
    if isinstance(value, list):
        return [_only(names, item) for item in value]
    return {name: value[name] for name in sorted(names - ASSIGNED)}


def _ask(stack: Stack, endpoint: str) -> Answer:
    """Status and body of the endpoint's first request, as far as they are comparable."""
    head, _, body = stack.requests[endpoint][0].partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, path, _ = line.split()
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=10)
    connection.request(method, path, body, dict(header.split(": ", 1) for header in headers))
    answer = connection.getresponse()
    value = json.load(answer)
    connection.close()
    if isinstance(value, dict):
        value = value.get("items", value.get("results", value))
    return Answer(answer.status, value)
