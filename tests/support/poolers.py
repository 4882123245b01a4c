"""Real poolers between us and the server."""

import contextlib
import os
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


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextlib.contextmanager
def pgbouncer(port: int, **values: str) -> Iterator[str]:
    """A PgBouncer in transaction mode, two server connections for everybody, unless `values` say otherwise."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is not installed")
        pytest.skip("pgbouncer is not installed")
    options = {"pool_mode": "transaction", "default_pool_size": "2"} | values
    server = urlsplit(url_of("todo"))
    query = parse_qs(server.query)
    folder = Path(tempfile.mkdtemp())  # pytest's own lies where only this account can look
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={query['host'][0]} port={query['port'][0]} user=todo\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\nauth_type=any\n"
        f"logfile={folder}/log\n" + "".join(f"{name}={value}\n" for name, value in options.items())
    )
    root = os.geteuid() == 0
    if root:  # it refuses to run as root; the account that owns the server's socket will do
        owner = Path(query["host"][0]).stat()
        for path in (folder, config):
            os.chown(path, owner.st_uid, owner.st_gid)
    command = [program, "-q", str(config)]
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if root else {}
    process = subprocess.Popen(command, cwd=folder, **account)  # type: ignore[call-overload]  # mypy cannot see into **
    try:
        assert eventually(lambda: listens(port))
        yield f"postgresql://todo@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)
