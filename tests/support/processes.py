"""`todo` as a process of its own, the way an operator starts it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

CHEAP = {
    "TODO_ARGON2_MEMORY_KIB": "8",
    "TODO_DATABASE_POOL": "4",
    "TODO_DATABASE_OVERFLOW": "8",
    "TODO_DRAIN_SECONDS": "0",
}


def eventually(what: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether this comes true in time."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Process:
    """A running `todo ...`; `output` is what it has said so far, on both streams."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.log = folder / f"{arguments[0]}-{time.monotonic_ns()}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TODO_")}
        # Without compiled modules, two thirds of a start are spent on compiling them.
        compiled = {"PYTHONDONTWRITEBYTECODE": ""}
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "todo", *arguments],
                cwd=folder,
                env=kept | compiled | CHEAP | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def says(self, text: str, seconds: float = 60) -> bool:
        """Whether this is in the output in time; gives up when the process ends."""
        eventually(lambda: text in self.output or self.popen.poll() is not None, seconds)
        return text in self.output

    def children(self) -> dict[str, int]:
        """The pid of each `todo ...` below this one, by its command."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parent = stat.read_text().rpartition(")")[2].split()[1]
                words = (stat.parent / "cmdline").read_bytes().decode().split("\0")
                if parent == str(self.popen.pid) and words[1:3] == ["-m", "todo"]:
                    found[words[3]] = int(stat.parent.name)
        return found

    def helper(self) -> int:
        """The pid of the process that it starts with `in_own_process`, once that one runs."""
        found: list[int] = []

        def look() -> bool:
            for children in Path("/proc", str(self.popen.pid), "task").glob("*/children"):
                for pid in children.read_text().split():
                    with contextlib.suppress(OSError):
                        if b"spawn_main" in Path("/proc", pid, "cmdline").read_bytes():
                            found.append(int(pid))
            return bool(found)

        assert eventually(look), self.output
        return found[0]

    def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal and wait; the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(seconds)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextlib.contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    """A process for the time of the block."""
    process = Process(folder, *arguments, **environment)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait()


def worker_state(base: str) -> str:
    """What `/health/ready` says about the worker."""
    try:
        return str(httpx.get(f"{base}/health/ready").json()["worker"])
    except httpx.HTTPError:
        return "no server"


@contextlib.contextmanager
def frozen(data_dir: Path) -> Iterator[None]:
    """A PostgreSQL server that answers nothing and accepts nothing, for the time of the block."""
    pids = postgres_pids(data_dir)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def postgres_pids(data_dir: Path) -> set[int]:
    """Every living PostgreSQL process on this folder, found by where it works."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "(postgres) Z" not in (process / "stat").read_text() and (process / "cwd").readlink() == (
                data_dir.resolve() / "postgres"
            ):
                found.add(int(process.name))
        except OSError:
            continue
    return found
