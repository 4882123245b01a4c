"""The nightly backup of a worker."""

import asyncio
import os
import sys


class BackupFailed(Exception):
    """The message is what `todo backup` said."""


async def run_backup(url: str) -> None:
    """Run `todo backup` for this database in a process of its own, which a worker that stops can end.

    Raise BackupFailed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "todo", "backup",
        env=os.environ | {"TODO_DATABASE_URL": url, "TODO_DATABASE_DIRECT_URL": ""},
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode:
        raise BackupFailed(said.decode(errors="replace").strip()[-500:])
