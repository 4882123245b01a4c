"""The embedded PostgreSQL server: start it, share it, stop it.

A data folder holds: postgres/ (the cluster), run/ (its socket), postgres.log, .lock, and bin-<version>/ when started as
root from a folder that the server's account cannot read. One process supervises; others connect to `Server(...).url`.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import socket
import stat
import struct
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from todo.embedded.programs import OWN_FOLDER, EmbeddedError, Programs

PORT = 5432  # only part of a file name in the private socket folder
SOCKET_PATH_LIMIT = 103  # bytes; the limit of Linux is 107
LOG_LIMIT = 10_000_000
PATIENCE = 300  # seconds to start, including recovery from a crash
NO_PROCESS = "2147483647"  # higher than any pid
# PostgreSQL's startup message (length, protocol 3.0, user), followed by a Terminate message.
WHO = struct.pack("!i", 3 << 16) + b"user\0todo\0database\0postgres\0\0"
HELLO = struct.pack("!i", 4 + len(WHO)) + WHO + b"X\0\0\0\4"
CREATE_DATABASE = (
    "SELECT 'CREATE DATABASE todo' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'todo') \\gexec"
)
DEFAULTS = {"listen_addresses": "", "port": str(PORT), "unix_socket_permissions": "0700", "max_connections": "200"}
# changing: starting or stopping. silent: running but not answering, e.g. on a suspended machine.
State = Literal["up", "changing", "silent", "down"]


class Server:
    """A PostgreSQL server for one data folder: role `todo`, database `todo`, reachable by a private unix socket only.

    When started as root, the server runs as the owner of its files, initially `nobody`: any process of that account can
    read them. Children made with a bare fork inherit the lock and keep it when this process dies.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] = {}, programs: Path | None = None) -> None:
        """Set further server options (`fsync`, ...) with `settings`. A running server keeps the options it has.

        `programs` is the folder of another version's programs.
        """
        self.data_dir = Path(data_dir).resolve()
        self.settings = settings
        self._cluster = self.data_dir / "postgres"
        self._programs = Programs(self.data_dir, self._cluster, programs)
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the URL for clients, for asyncpg and libpq. The server need not be running."""
        return f"postgresql://todo@/todo?host={quote(str(self._sockets))}&port={PORT}"

    def state(self) -> State:
        """Return the state, found by connecting since a zombie has a pid too.

        Waits up to five seconds for an answer.
        """
        try:
            reply = self._ask()
        except (TimeoutError, BlockingIOError):  # the server does not even accept connections
            return "silent"
        if b"C57P03" in reply:
            return "changing"
        return "up" if reply else "down"

    def is_alive(self) -> bool:
        """Return True when the server accepts connections."""
        return self.state() == "up"

    def start(self) -> None:
        """Start the server, or adopt the one whose supervisor died. Raise EmbeddedError on failure.

        Recovers after a crash, and waits for a server that hangs. Call it again when `state` is "down".
        """
        try:
            self._take_lock()
            self._check_cluster()
            if not self._settled():
                self._launch()
            self._create_database()
        except OSError as error:
            self.stop()
            raise EmbeddedError(
                f"The data folder {self.data_dir} cannot be used ({error.filename or self.data_dir}: {error.strerror});"
                " make it writable or set TODO_DATA_DIR to another folder."
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and release the folder, if `start` took it. May be called twice."""
        if self._lock is None:
            return
        try:
            sockets = self._sockets
            if self.state() != "down":
                self._shut_down()
            with contextlib.suppress(OSError):
                sockets.rmdir()
        finally:
            os.close(self._lock)
            self._lock = None

    def _shut_down(self) -> None:
        for mode in ("fast", "immediate"):
            done = self._programs.run("pg_ctl", "stop", "-s", "-w", "-m", mode, "-t", "60")
            if done.returncode == 0:
                return
        raise EmbeddedError(f"PostgreSQL in {self._cluster} does not stop: {_useful(done.stderr)}")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        # When started as root, the server's account needs to enter the folder.
        self.data_dir.mkdir(mode=0o700 if self._programs.account is None else 0o711, parents=True, exist_ok=True)
        lock = os.open(self.data_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 20).decode().strip()
            os.close(lock)
            who = f" (process {pid})" if pid else ""
            raise EmbeddedError(
                f"Another `todo up`{who} already uses the data folder {self.data_dir}:"
                " stop it, or set TODO_DATA_DIR to another folder."
            ) from None
        self._lock = lock
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())

    def _check_cluster(self) -> None:
        if theirs := self.has_version():
            if theirs != (ours := self._programs.major):
                raise EmbeddedError(
                    f"{self._cluster} was written by PostgreSQL {theirs}, but {ours} is installed:"
                    " run `todo db upgrade`."
                )
        elif self._cluster.exists() and any(self._cluster.iterdir()):
            raise EmbeddedError(
                f"{self._cluster} is not empty and not a PostgreSQL data folder (it has no PG_VERSION):"
                " move it away, or set TODO_DATA_DIR to another folder."
            )
        elif self.former():
            raise EmbeddedError(f"The upgrade of {self._cluster} was interrupted: run `todo db upgrade` again.")
        else:
            self._create_cluster()

    def former(self) -> list[Path]:
        """Return the folders that upgrades have left behind, such as `postgres-17`."""
        return sorted(self.data_dir.glob("postgres-[0-9][0-9]"))

    @property
    def major(self) -> str:
        """Return the major version of the server's programs."""
        return self._programs.major

    def has_version(self) -> str:
        """Return the major version of PostgreSQL that wrote the cluster, or "" when there is none."""
        file = self._cluster / "PG_VERSION"
        return file.read_text().strip() if file.is_file() else ""

    def _create_cluster(self) -> None:
        part = self.data_dir / "postgres.part"  # renamed when complete, so that a kill leaves no partial cluster
        if part.exists():
            shutil.rmtree(part)
        self._make_private(part)
        options = "-U todo -A trust --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums"
        done = self._programs.run("initdb", *options.split(), "--no-instructions", folder=part)
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL cannot create its files in {self.data_dir}: {_useful(done.stderr)}")
        part.rename(self._cluster)
        parent = os.open(self.data_dir, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)

    def _create_database(self) -> None:
        options = ["-Xq", "-v", "ON_ERROR_STOP=1", "-h", str(self._sockets), "-p", str(PORT), "-U", "todo", "postgres"]
        done = self._programs.run("psql", *options, stdin=CREATE_DATABASE)
        if done.returncode:
            raise EmbeddedError(f"The database `todo` in {self._cluster} cannot be created: {_useful(done.stderr)}")

    def _launch(self) -> None:
        self._forget_dead()
        sockets = self._choose_sockets()
        self._make_private(sockets)
        (sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)  # names the same dead process
        options = ["-D", self._programs.seen(self._cluster)]
        for name, value in {**DEFAULTS, "unix_socket_directories": str(sockets), **self.settings}.items():
            options += ["-c", f"{name}={value}"]
        for _ in range(20):
            failure = self._start_once(shlex.join(options))
            if "shared memory block" not in failure:
                break
            time.sleep(0.5)  # backends of a killed server exit when their statement ends
        if failure:
            raise EmbeddedError(
                f"PostgreSQL did not start on {self._cluster}; {self.data_dir / 'postgres.log'} ends:\n"
                + _useful(failure)
            )

    def _start_once(self, options: str) -> str:
        """Start the server once. Return what it logged when it did not start, or ""."""
        log = self.data_dir / "postgres.log"
        log.touch(mode=0o600)
        self.rotate_log()
        with log.open("ab") as out:
            begin = out.tell()
            # The log is passed as an open file, so the server's account needs no access to root's folder.
            done = self._programs.run("pg_ctl", "start", "-s", "-w", "-t", str(PATIENCE), "-o", options, output=out)
        return log.read_bytes()[begin:].decode(errors="replace") if done.returncode else ""

    def rotate_log(self) -> None:
        """Move a log that has grown large to postgres.log.1. The server goes on writing to the same file."""
        log = self.data_dir / "postgres.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            former = log.with_name("postgres.log.1")
            former.touch(mode=0o600)
            shutil.copyfile(log, former)
            os.truncate(log, 0)  # it is open for appending, so the next line is its first

    def _forget_dead(self) -> None:
        """Clear the pid of a dead server, so that a zombie or a reused pid does not count as a running server.

        The file itself stays: PostgreSQL uses it to find old backends that still use its shared memory.
        """
        lines = self._pid_file()
        if not lines or not Path(OWN_FOLDER).exists():
            return
        try:
            running = re.search(r"\(postgres\) [^ZX]", Path("/proc", lines[0], "stat").read_text())
        except OSError:
            running = None
        if not running:
            (self._cluster / "postmaster.pid").write_text("\n".join([NO_PROCESS, *lines[1:], ""]))

    def _pid_file(self) -> list[str]:
        """Return pid, folder, start time, port, socket folder, ... of the running or crashed server."""
        with contextlib.suppress(OSError):
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        return []

    @property
    def _sockets(self) -> Path:
        """Return the socket folder that the running server wrote down, or else that of the next server."""
        lines = self._pid_file()
        return Path(lines[4]) if len(lines) > 4 else self._choose_sockets()

    def _choose_sockets(self) -> Path:
        name = f"todo-{hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]}"
        short = "/tmp"  # noqa: S108 -- the folder made there is refused unless its owner and mode are ours
        shorter = [os.environ.get("XDG_RUNTIME_DIR") or short, tempfile.gettempdir(), short]
        for folder in (self.data_dir / "run", *(Path(place, name) for place in shorter)):
            length = len(os.fsencode(folder / f".s.PGSQL.{PORT}"))
            # Both ends read a comma as a separator of folders.
            if length <= SOCKET_PATH_LIMIT and "," not in str(folder) and self._programs.enters(folder.parent):
                return folder
        raise EmbeddedError(
            f"No folder fits the socket of {self.data_dir}: set XDG_RUNTIME_DIR to a folder with a short path."
        )

    def _make_private(self, folder: Path) -> None:
        """Create a folder of the server's account, or accept an existing one, but never one of another user."""
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        owners = {os.geteuid(), self._programs.account[0] if self._programs.account else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
            raise EmbeddedError(f"{folder} is accessible to other users or belongs to one: remove it and start again.")
        if self._programs.account:
            os.chown(folder, *self._programs.account, follow_symlinks=False)

    def _settled(self) -> bool:
        """Wait until the server has finished starting, stopping or hanging. Return whether it runs."""
        deadline = time.monotonic() + PATIENCE
        while (state := self.state()) in {"changing", "silent"}:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"PostgreSQL in {self._cluster} neither starts nor stops: see postgres.log in the data folder."
                )
            time.sleep(0.1)
        return state == "up"

    def _ask(self) -> bytes:
        """Return the server's first message, or b"" when it is not running.

        SQLSTATE 57P03 in it means starting or stopping. Raise TimeoutError or BlockingIOError when it does not answer.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(str(self._sockets / f".s.PGSQL.{PORT}"))
                connection.sendall(HELLO)
                reply = connection.recv(8192)
                with contextlib.suppress(OSError):
                    while connection.recv(8192):  # read to the end, or the server logs a broken connection
                        pass
                return reply
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            return b""


def _useful(output: str) -> str:
    lines = output.strip().splitlines()
    important = [line for line in lines if re.search(r"FATAL|PANIC|ERROR|HINT|DETAIL|error:", line)]
    return "\n".join((important or lines)[-5:])
