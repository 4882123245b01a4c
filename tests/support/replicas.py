"""A streaming replica of a server, from the programs that come with the package."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from conftest import FAST, settings_for

from todo.cli.migrate import install
from todo.embedded.server import Server


async def fetch(server: Server, sql: str) -> list[Any]:
    connection = await asyncpg.connect(server.url)  # a socket in the file system, which has no host
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


def copy(primary_host: str, replica: Server) -> None:
    """Make the folder of a server that follows the one at this host."""
    cluster, programs = replica._cluster, replica._programs
    replica._make_private(cluster)
    done = programs.run(
        "pg_basebackup", "-R", "-c", "fast", "-h", primary_host, "-U", "todo", "-D", programs.seen(cluster)
    )
    assert done.returncode == 0, done.stderr


class Pair:
    """A primary and its replica, which can be stopped and made to wait."""

    def __init__(self, folder: Path) -> None:
        # Else a commit is on its way for a fifth of a second.
        self.primary = Server(folder / "primary", settings=FAST | {"synchronous_commit": "on"})
        self.replica = Server(folder / "replica", settings=FAST)

    async def start(self) -> None:
        self.primary.start()
        await install(settings_for(self.primary.url), self.primary.url)
        self.replica.data_dir.mkdir(mode=0o711)
        copy(str(self.primary._sockets), self.replica)
        self.replica.start()

    async def pause(self) -> None:
        """Let the replica receive changes without showing them."""
        await fetch(self.replica, "SELECT pg_wal_replay_pause()")
        while (await fetch(self.replica, "SELECT pg_get_wal_replay_pause_state()"))[0][0] != "paused":
            pass

    async def resume(self) -> None:
        await fetch(self.replica, "SELECT pg_wal_replay_resume()")


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    with TemporaryDirectory(prefix="todo-pair-") as folder, ExitStack() as stack:
        both = Pair(Path(folder))
        stack.callback(both.primary.stop)
        stack.callback(both.replica.stop)
        await both.start()
        yield both
