"""Migrate a database to the schema of this version."""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations.ops import MigrationScript
from alembic.script import Script
from sqlalchemy import Connection, text

from todo.connection import Route, direct_url, find_route
from todo.engine import SlowLog, create_engine
from todo.migration_plan import compatible_with, config
from todo.revisions import COMMENT, REVISION, MigrationError, folder, head, is_newer, require_known
from todo.settings import Settings
from todo.watch import Monitor, Watch

T = TypeVar("T")
LOCK = 7_031_001


def is_ours(table: str) -> bool:
    """Whether a model describes this table: not for SAQ's, and not for partitions."""
    return not table.startswith(("saq_", "audit_events_"))


def current(connection: Connection) -> str | None:
    """Return the revision of the database, or None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


async def upgrade(settings: Settings, url: str | None = None, revision: str = "head") -> bool:
    """Upgrade to `revision`. Return whether anything changed. Concurrent upgrades wait for each other.

    A newer schema that is compatible with this version is left as it is. Raise MigrationError for other newer ones.
    """
    return await _change(settings, url, command.upgrade, revision)


async def downgrade(settings: Settings, url: str | None, revision: str) -> bool:
    """Undo all migrations after `revision`, with what their tables and columns hold. Otherwise like `upgrade`."""
    return await _change(settings, url, command.downgrade, revision)


async def _change(settings: Settings, url: str | None, change: Callable[[Config, str], None], revision: str) -> bool:
    def work(connection: Connection) -> bool:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        if connection.scalar(text("SHOW transaction_read_only")) == "on":
            raise MigrationError("The database is read-only: it is a replica, or a failover is in progress.")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        before = current(connection)
        if is_newer(before):
            require_known(*connection.execute(text(REVISION)).one())
            return False
        change(config(connection), revision)
        after = current(connection)
        if after and after != before:
            connection.execute(text(COMMENT.format(revision=after, compatible_with=compatible_with(after))))
        return after != before

    return await run(settings, work, direct_url(settings, url or ""))


async def run(settings: Settings, work: Callable[[Connection], T], url: str | None = None) -> T:
    """Run synchronous `work(connection)` in its own transaction, without a time limit."""
    route = await find_route(url or settings.database_url, settings)
    patient = Route({**route.arguments, "command_timeout": None}, route.prepared)
    engine = create_engine(patient, 1, Watch(Monitor(route), settings.database_wait), SlowLog(0))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def is_packaged() -> bool:
    """Whether the migrations are inside the installed package, where nobody adds one."""
    return folder().parent == Path(__file__).parent


async def revise(settings: Settings, url: str, message: str, *, write: bool = True) -> tuple[bool, Path | None]:
    """Whether the models differ from this database, and the migration that was written for it into the checkout."""
    changed: list[bool] = []

    def inspect(_: MigrationContext, __: object, directives: list[MigrationScript]) -> None:
        changed.extend(not one.upgrade_ops.is_empty() for one in directives if one.upgrade_ops)
        if not (write and any(changed)):
            directives.clear()

    def work(connection: Connection) -> list[Script | None]:
        settled = config(connection)
        settled.cmd_opts = Namespace(quiet=True)
        number = f"{int(head()) + 1:04}"
        written = command.revision(
            settled, message, autogenerate=True, rev_id=number, process_revision_directives=inspect
        )
        return written if isinstance(written, list) else [written]

    paths = [Path(script.path) for script in await run(settings, work, direct_url(settings, url)) if script]
    for path in paths:
        _format(path)
    return any(changed), paths[0] if paths else None


def _format(path: Path) -> None:
    """Bring what alembic wrote into the format of the project."""
    for arguments in (["check", "--fix-only"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--quiet", str(path)]
        subprocess.run(ruff, cwd=folder().parent, check=True)
