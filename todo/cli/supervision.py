"""Child processes that `todo up` keeps running, and that do not outlive it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from todo.cli import CommandError

SUPERVISOR = "TODO_SUPERVISOR_PID"


def follow_supervisor() -> None:
    """Stop this process when the `todo up` that started it is gone, however it went."""
    supervisor = os.environ.get(SUPERVISOR)
    if supervisor is None:
        return

    def watch() -> None:
        while os.getppid() == int(supervisor):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="follow-supervisor").start()


@dataclass
class Child:
    """One `todo ...` process; `revive` starts it again when it died, but not for ever."""

    command: str
    environment: Mapping[str, str]
    starts: list[float] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.starts = [*self.starts[-4:], time.monotonic()]
        environment = {**os.environ, **self.environment, SUPERVISOR: str(os.getpid())}
        # A session of its own: Ctrl-C reaches `todo up` alone, which then stops its children in order.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "todo", self.command], env=environment, start_new_session=True, stdin=subprocess.DEVNULL
        )

    def revive(self) -> bool:
        """True when it had died and was started again; raises CommandError when it dies again and again."""
        if self.process is None or self.process.poll() is None:
            return False
        if len(self.starts) == 5 and time.monotonic() - self.starts[0] < 30:
            raise CommandError(f"The {self.command} process does not stay up; its last words are above.")
        self.start()
        return True

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, seconds: float) -> None:
        """Wait for the end, then insist."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
