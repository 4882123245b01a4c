"""How much longer an ordinary user waits while somebody else sends hostile traffic.

    uv run python -m benchmarks.hostile [--seconds 0.5] [--repeat 1] [--most 50] [--only TEXT] [--write FILE]

One `todo server` with its default limits has a CPU of its own. On another one are PostgreSQL, users who list their
tasks and ask `/health/live` on new connections, and at the lowest priority an attacker: four connections from a new
address for each kind of traffic, as fast as they can. Windows without and with the attacker alternate. A kind fails
when the slowest hundredth waits more than 50 ms longer in the median of the windows, in each of three tries; then the
exit code is 1.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count, cycle
from pathlib import Path
from statistics import median
from subprocess import Popen
from typing import NamedTuple

import httpx

from benchmarks import SECRET
from benchmarks.hostile_kinds import KINDS
from todo.cli.migrate import install
from todo.embedded.server import Server
from todo.settings import load_settings

CONNECTIONS = 4
MOST_EXTRA = 50.0  # milliseconds, unless --most says otherwise
TRIES = 3
USERS = 24  # each may send 100 requests a minute
PAUSE = 0.02  # seconds between a user's requests
SERVER_CPU, *OTHER_CPUS = sorted(os.sched_getaffinity(0))
ADDRESSES = (f"127.9.{number // 250}.{number % 250 + 1}" for number in count())
MARKED = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


class Waits(NamedTuple):
    """The 99th percentile of two kinds of requests, in milliseconds."""

    tasks: float
    live: float


class Result(NamedTuple):
    """The medians of the windows of one kind, and how much longer the slower of both requests waits."""

    kind: str
    without: Waits
    beside: Waits
    extra: float


async def attack_once(port: int, address: str, parts: list[bytes]) -> None:
    """Send these bytes, and read what comes until the server closes the connection or a second is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(1):
            while await reader.read(65536):
                pass
    finally:
        writer.close()


async def attack(port: int, address: str, parts: list[bytes]) -> None:
    while True:
        with suppress(OSError, TimeoutError):
            await attack_once(port, address, parts)


def attacker(port: int, address: str, parts: list[bytes]) -> None:
    async def all_connections() -> None:
        await asyncio.gather(*(attack(port, address, parts) for _ in range(CONNECTIONS)))

    os.nice(19)
    asyncio.run(all_connections())


@contextmanager
def attacked(port: int, parts: list[bytes]) -> Iterator[None]:
    """Hostile traffic from a process of its own for the time of the block."""
    process = multiprocessing.get_context("fork").Process(
        target=attacker, args=(port, next(ADDRESSES), parts), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)] * 1000


async def ordinary(port: int, tokens: Iterator[str], seconds: float) -> Waits:
    """What ordinary users wait. Raises when a request is not answered with 200."""
    tasks, live = list[float](), list[float]()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        await client.get("/health/live")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            began = time.perf_counter()
            headers = {"Authorization": f"Bearer {next(tokens)}"}
            (await client.get("/api/tasks?limit=20", headers=headers)).raise_for_status()
            tasks.append(time.perf_counter() - began)
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with closing(writer):
                writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if not (await reader.read()).startswith(b"HTTP/1.1 200"):
                    raise RuntimeError("/health/live was not answered")
            live.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
    return Waits(p99(tasks), p99(live))


def windows(port: int, tokens: Iterator[str], kind: str, seconds: float, repeat: int) -> Result:
    """Measure without and with hostile traffic, in turn."""
    without, beside = list[Waits](), list[Waits]()
    for _ in range(repeat):
        without.append(asyncio.run(ordinary(port, tokens, seconds)))
        with attacked(port, KINDS[kind]):
            beside.append(asyncio.run(ordinary(port, tokens, seconds)))
    before, during = (Waits(*map(median, zip(*found, strict=True))) for found in (without, beside))
    return Result(kind, before, during, max(during.tasks - before.tasks, during.live - before.live))


def measure(port: int, tokens: Iterator[str], kind: str, seconds: float, repeat: int, most: float) -> Result:
    """Measure until a try is within the bound, at most TRIES times. Return the best."""
    found = list[Result]()
    while not found or (found[-1].extra > most and len(found) < TRIES):
        found.append(windows(port, tokens, kind, seconds, repeat))
    return min(found, key=lambda result: result.extra)


@contextmanager
def serving(folder: Path, url: str, port: int) -> Iterator[None]:
    """A `todo server` on a CPU of its own, if there are two."""
    environment = {
        "TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_PORT": str(port), "TODO_LOG_LEVEL": "ERROR",
        "TODO_ACCESS_TOKEN_SECONDS": "86400", "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    os.sched_setaffinity(0, {SERVER_CPU})  # inherited
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "todo", "server"]
        process = Popen(command, env=environment, cwd=Path(__file__).parent.parent, stdout=log, stderr=log)
    os.sched_setaffinity(0, OTHER_CPUS or {SERVER_CPU})
    try:
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def sign_up(port: int, number: int) -> str:
    """The access token of a user with ten tasks, who has an address of their own."""
    person = {"email": f"user{number}@example.com", "password": "correct horse battery staple"}
    transport = httpx.HTTPTransport(local_address=f"127.0.1.{number + 1}")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=30) as client:
        client.post("/api/auth/register", json=person).raise_for_status()
        token: str = client.post("/api/auth/login", json=person).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for task in range(10):
            client.post("/api/tasks", json={"title": f"Task {task}"}).raise_for_status()
    return token


def row(result: Result) -> str:
    """A row of the table. `*` marks a kind that was measured while the machine had other work."""
    noise = " *" if max(result.without) > MOST_EXTRA else ""
    numbers = (*result.without, *result.beside, result.extra)
    return f"| {result.kind}{noise} | " + " | ".join(f"{number:.0f}" for number in numbers) + " |"


def table(results: list[Result], seconds: float, repeat: int) -> str:
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}"
    return "\n".join([
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {machine},",
        f"in windows of {seconds:g} s: {repeat} with and {repeat} without.",
        "Milliseconds; `*`: the machine had other work even without the attack.", "",
        "| kind | tasks | live | tasks, attacked | live, attacked | extra |", "|---|---|---|---|---|---|",
        *map(row, results), "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a window")
    parser.add_argument("--repeat", type=int, default=1, help="windows with and without, for each kind")
    parser.add_argument("--most", type=float, default=MOST_EXTRA, help="how much longer users may wait, in ms")
    parser.add_argument("--only", default="", help="kinds whose names contain this")
    parser.add_argument("--port", type=int, default=8976)
    parser.add_argument("--write", type=Path, help="file whose table is replaced")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="todo-hostile-") as folder:
        os.sched_setaffinity(0, OTHER_CPUS or {SERVER_CPU})
        with Server(Path(folder)) as server:
            settings = load_settings(_env_file=None, database_url=server.url, secret_key=SECRET)
            asyncio.run(install(settings, server.url))
            with serving(Path(folder), server.url, options.port):
                tokens = cycle([sign_up(options.port, number) for number in range(USERS)])
                for kind in (kind for kind in KINDS if options.only in kind):
                    results.append(measure(options.port, tokens, kind, options.seconds, options.repeat, options.most))
                    print(row(results[-1]), flush=True)
    if options.write:
        text = options.write.read_text()
        options.write.write_text(MARKED.sub(lambda _: table(results, options.seconds, options.repeat), text))
    if failed := [result.kind for result in results if result.extra > options.most]:
        sys.exit(f"More than {options.most:.0f} ms: {', '.join(failed)}")


if __name__ == "__main__":
    main()
