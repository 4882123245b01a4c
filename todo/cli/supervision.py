"""Child processes that `todo up` keeps running and that do not outlive it, and what all of them do at a signal."""

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from todo.cli.lazy import CommandError
from todo.settings import SUPERVISED, unknown_variables

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
T = TypeVar("T")


class Stop:
    """Whether somebody asked this process to stop; a pipe, because a lock could be held when the signal comes."""

    def __init__(self) -> None:
        self._asked, writer = os.pipe()
        for number in SIGNALS:
            signal.signal(number, lambda *_: os.write(writer, b"."))

    def wait(self, seconds: float) -> bool:
        """Wait for the signal, but no longer than this; True when it has come."""
        return bool(select.select([self._asked], [], [], seconds)[0])


def exit_on_signals() -> None:
    """Let Ctrl-C and SIGTERM end this process tidily and with exit code 0."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))


def warn_of_unknown_variables() -> None:
    """Log a warning for each `TODO_*` variable that is no setting; `todo up` does so for its children."""
    for sentence in () if SUPERVISED in os.environ else unknown_variables():
        log.warning(sentence)


def follow_supervisor() -> None:
    """Stop this process when the `todo up` that started it is gone, however it went: then its standard input ends."""
    if SUPERVISED not in os.environ:
        return

    def watch() -> None:
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="follow-supervisor").start()


def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """Run a function in a process that ends with it, or with this one; return or raise what it does."""
    with ProcessPoolExecutor(1, get_context("spawn"), _end_with_parent) as process:
        # The process takes over what is blocked: a Ctrl-C reaches it too, perhaps before it ignores signals.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            result = process.submit(function, *arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return result.result()


def _end_with_parent() -> None:
    """Leave signals to the parent, which waits for this process, and stop when the parent is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    parent = parent_process()

    def watch() -> None:
        if parent:
            wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def reap_orphans() -> None:
    """Collect ended processes of a killed PostgreSQL server, which become those of process 1 of a container."""
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                if "(postgres) Z" in Path("/proc", pid, "stat").read_text():
                    os.waitpid(int(pid), os.WNOHANG)


@dataclass
class Child:
    """One `todo ...` process; `revive` starts it again when it died, but not for ever."""

    command: str
    environment: Mapping[str, str]
    lifeline: int
    starts: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.starts = [*self.starts[-4:], time.monotonic()]
        # A session of its own: Ctrl-C reaches `todo up` alone, which then stops its children in order.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "todo", self.command],
            env=self.environment,
            stdin=self.lifeline,
            start_new_session=True,
        )

    def revive(self) -> bool:
        """True when it had died and was started again; raises CommandError when it dies again and again."""
        if self.process.poll() is None:
            return False
        if len(self.starts) == 5 and time.monotonic() - self.starts[0] < 30:
            raise CommandError(f"The {self.command} process does not stay up: see above for its last words.")
        self.start()
        return True

    def stop(self, seconds: float) -> None:
        """Wait for the end, then insist."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(commands: Sequence[str], environment: Mapping[str, str]) -> Iterator[list[Child]]:
    """The children for the time of the block; all are asked to stop together, and waited for."""
    lifeline, ours = os.pipe()  # nobody writes: what counts is that our end closes with this process
    environment = {**os.environ, **environment, SUPERVISED: "1"}
    children = [Child(command, environment, lifeline) for command in commands]
    started = []
    try:
        for child in children:
            child.start()
            started.append(child)
        yield children
    finally:
        for child in started:
            child.process.terminate()
        for child in started:
            child.stop(10)
        os.close(lifeline)
        os.close(ours)
