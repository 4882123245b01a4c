"""Real poolers and queues between us and the server."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import url_of
from support.processes import eventually


def listens(port: int, address: str = "127.0.0.1") -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port)):
        return True
    return False


def program(*names: str) -> str:
    """The first of these programs that is installed."""
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path="/usr/sbin"):
            return found
    if os.environ.get("CI"):
        pytest.fail(f"{names[0]} is not installed")
    pytest.skip(f"{names[0]} is not installed")


@contextlib.contextmanager
def pgbouncer(port: int, **values: str) -> Iterator[str]:
    """A PgBouncer in front of this run's server, in transaction mode unless `values` say otherwise."""
    query = parse_qs(urlsplit(url_of("todo")).query)
    database = f"* = host={query['host'][0]} port={query['port'][0]} user=todo"
    with pooling(database, "127.0.0.1", port, **values) as url:
        yield url


@contextlib.contextmanager
def pooling(databases: str, address: str, port: int, **values: str) -> Iterator[str]:
    """A PgBouncer in transaction mode, two server connections for everybody, unless `values` say otherwise."""
    options = {"pool_mode": "transaction", "default_pool_size": "2"} | values
    folder = Path(tempfile.mkdtemp())  # pytest's own lies where only this account can look
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n{databases}\n"
        f"[pgbouncer]\nlisten_addr={address}\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\n"
        f"logfile={folder}/log\n" + "".join(f"{name}={value}\n" for name, value in options.items())
    )
    account = {}
    if os.geteuid() == 0:  # it refuses to run as root; the account of the embedded server may use its socket
        owner = pwd.getpwnam("nobody")
        account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        for path in (folder, config):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    command = [program("pgbouncer"), "-q", str(config)]
    process = subprocess.Popen(command, cwd=folder, **account)  # type: ignore[call-overload]  # mypy cannot see into **
    try:
        with _running(process, address, port):
            yield f"postgresql://todo@{address}:{port}"
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def redis(address: str, port: int) -> Iterator[str]:
    """A Redis or Valkey for everybody who reaches it, which keeps nothing on disk."""
    command = [program("redis-server", "valkey-server"), "--bind", address, "--port", str(port)]
    process = subprocess.Popen([*command, "--protected-mode", "no", "--save", ""], stdout=subprocess.DEVNULL)
    with _running(process, address, port):
        yield f"redis://{address}:{port}"


@contextlib.contextmanager
def _running(process: subprocess.Popen[bytes], address: str, port: int) -> Iterator[None]:
    """The program once it listens, ended with the block."""
    try:
        assert eventually(lambda: listens(port, address))
        yield
    finally:
        process.terminate()
        process.wait()
