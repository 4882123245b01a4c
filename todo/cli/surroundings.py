"""What `todo check` finds around the installation: the server, its clock, poolers, disks, the queue and what waits."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from todo.access import worker_origin
from todo.cli.installation import require_sessions
from todo.cli.lazy import CommandError
from todo.database import Database, now
from todo.deployment import Finding
from todo.saq_queue import UNREACHABLE, connected, open_queue

OLDEST = 15  # PostgreSQL
CLOCK_SECONDS = 5.0
FREE_SHARE, FREE_BYTES = 0.05, 2**30  # a disk with less than either is a warning
LATE = "10 minutes"
SERVER = "SELECT current_setting('server_version_num')::int / 10000, clock_timestamp()"
CONNECTIONS = "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
# What should have been done some minutes ago.
BACKLOG = {
    "deliveries": (
        "e-mails wait to be sent",
        "run_at < now() - interval '{late}' AND done_at IS NULL AND failed_at IS NULL",
    ),
    "waiting_jobs": ("jobs wait to be queued", "created_at < now() - interval '{late}'"),
    "series": ("series wait for their next task", "next_run_at < now() - interval '{late}' AND status = 'active'"),
}


async def surroundings(database: Database) -> list[Finding]:
    """Find what is wrong around a migrated database. Raise what the database raises."""
    found = [*await _server(database), *_disks(database), *await _queue(database)]
    try:
        await require_sessions(database.settings, database.url)
    except CommandError as error:
        found.append(Finding("database.pooler", "error", str(error)))
    if database.replica is not None and not await database.replica.succeeds():
        message = "TODO_DATABASE_READ_URL is away, far behind, or not a replica: reads go to the primary."
        found.append(Finding("database.replica", "warning", message))
    return found


async def _server(database: Database) -> list[Finding]:
    found = []
    async with database.session(worker_origin()) as session:
        version, clock = (await session.execute(text(SERVER))).one()
        skew = abs((now() - clock).total_seconds())
        used, most = (await session.execute(text(CONNECTIONS))).one()
        for table, (meaning, due) in BACKLOG.items():
            query = f"SELECT count(*) FROM {table} WHERE {due.format(late=LATE)}"  # noqa: S608 -- ours
            if count := await session.scalar(text(query)):
                found.append(Finding(f"backlog.{table}", "warning", f"{count:,} {meaning} for more than {LATE}."))
    if version < OLDEST:
        message = f"PostgreSQL {version} is too old: {OLDEST} or newer is needed."
        found.append(Finding("database.version", "error", message))
    if skew > CLOCK_SECONDS:
        message = f"The clocks of this machine and the database differ by {skew:.0f} seconds: set both by NTP."
        found.append(Finding("clock", "warning", message))
    if used > 0.9 * most:
        message = f"{used} of {most} connections are used: raise max_connections, or lower TODO_DATABASE_POOL."
        found.append(Finding("database.connections", "warning", message))
    return found


def _disks(database: Database) -> Iterator[Finding]:
    settings = database.settings
    folders = {
        "TODO_DATA_DIR": None if settings.database_url else settings.data_dir,
        "TODO_BACKUP_DIR": settings.backup_dir,
    }
    for name, folder in folders.items():
        if folder and Path(folder).is_dir():
            disk = shutil.disk_usage(folder)
            if disk.free < max(FREE_BYTES, FREE_SHARE * disk.total):
                message = f"{disk.free / 1e9:.1f} GB are free in {folder} ({name}): free some space."
                yield Finding("disk", "warning", message)


async def _queue(database: Database) -> list[Finding]:
    try:
        async with connected(open_queue(database.settings, database.url)):
            return []
    except UNREACHABLE as error:
        return [Finding("queue.away", "error", f"The queue of TODO_QUEUE_URL cannot be used: {error}.")]
