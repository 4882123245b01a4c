"""How an installation is: its database, its migrations, its worker, its jobs and its mail."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import column, func, select, table, text

from todo import __version__
from todo.access import Actor
from todo.admin.dashboard import Card, Daily, Figure, one
from todo.connection import AWAY
from todo.database import Database, Query, columns
from todo.deployment import Finding, unfit_for_production
from todo.errors import Problem
from todo.http.health import Schedules, schedules_of, state_of
from todo.jobs import JobCatalog
from todo.mail import Mail
from todo.migrate import head

VIEW = "operations.view"
MAIL = columns(Mail)
JOBS = table("saq_jobs", column("status"))
WAITING, RUNNING, FAILED = (JOBS.c.status == status for status in ("queued", "active", "failed"))
JOB_COUNTS = one(select(*(func.count().filter(status) for status in (WAITING, RUNNING, FAILED))).select_from(JOBS))
MAIL_COUNTS = one(
    select(
        func.count().filter(MAIL.sent_at.is_(None), MAIL.failed_at.is_(None)),
        func.count().filter(MAIL.failed_at.is_not(None)),
    ).select_from(Mail)
)
SENT = Daily(MAIL.sent_at)
SERVER: Query[tuple[Any, ...]] = one(
    select(
        func.current_setting("server_version"),
        func.pg_size_pretty(func.pg_database_size(func.current_database())),
        func.pg_postmaster_start_time(),
        select(func.count()).select_from(text("pg_stat_activity")).where(text("datname = current_database()"))
        .scalar_subquery(),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One thing the installation depends on."""

    label: str
    state: str  # ok | late | pending | away
    note: str
    since: datetime | None = None  # how long it is up


@dataclass(frozen=True)
class Health:
    """All of them, and what a look at the settings found."""

    parts: list[Part]
    findings: list[Finding]

    @property
    def is_well(self) -> bool:
        return all(part.state == "ok" for part in self.parts)


async def health(database: Database, catalog: JobCatalog) -> Health:
    """Look at everything; never raises for what is away, since that is the news."""
    parts = [*await _database(database, catalog), *await _work(database)]
    return Health(parts, unfit_for_production(database.settings))


async def _database(database: Database, catalog: JobCatalog) -> list[Part]:
    try:
        version, size, since, connections = await database.primary.one_or_none(SERVER) or ("", "", None, 0)
        state = await state_of(database)
        schedules = schedules_of(state, catalog)
    except asyncpg.UndefinedTableError:
        return [Part("Migrations", "pending", f"There is no schema yet, {head()} is wanted.")]
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return [Part("Database", "away", "It does not answer.")]
    age, revision = state.worker_age, state.revision
    beat = "It was never seen." if age is None else f"Seen {int(age)} seconds ago."
    up = f"PostgreSQL {version.split(' ')[0]}, {size}, {connections} connections."
    migrated = revision == head()
    schema = (
        f"At {revision}, as this version ({__version__}) wants it." if migrated else f"At {revision}, not {head()}."
    )
    late = not state.has_worker
    busy, read_only = "Requests wait for a connection in vain. ", "It takes no changes. "
    problem = read_only if state.read_only else busy if database.is_busy else ""
    return [
        Part("Database", "late" if problem else "ok", problem + up, since),
        Part("Migrations", "ok" if migrated else "pending", schema),
        Part("Worker", "late" if late else "ok", f"{beat}{' Is `todo worker` running?' if late else ''}"),
        _schedules(schedules),
    ]


def _schedules(found: Schedules) -> Part:
    late = [f"Not run in time: {', '.join(found.late)}."] if found.late else []
    failed = [f"Failed the last time: {', '.join(found.failed)}."] if found.failed else []
    note = " ".join(late + failed) or "All of them run."
    return Part("Schedules", "late" if late or failed else "ok", note)


async def _work(database: Database) -> list[Part]:
    try:
        waiting, running, failed = await database.primary.one_or_none(JOB_COUNTS) or (0, 0, 0)
        unsent, lost = await database.primary.one_or_none(MAIL_COUNTS) or (0, 0)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return []
    return [
        Part("Jobs", "late" if failed else "ok", f"{waiting:,} wait, {running:,} run, {failed:,} failed."),
        Part("Mail", "late" if lost else "ok", f"{unsent:,} to be sent, {lost:,} given up."),
    ]


async def wellbeing(catalog: JobCatalog, database: Database, _: Actor) -> Figure:
    """Health in a word."""
    found = await health(database, catalog)
    bad = [part.label.lower() for part in found.parts if part.state != "ok"]
    word, tone = ("Well", "good") if found.is_well else ("Look", "warn")
    return Figure(word, f"look at: {', '.join(bad)}" if bad else "everything answers", "/admin/health", tone)


async def jobs(database: Database, _: Actor) -> Figure:
    """What waits to be done in the background."""
    waiting, running, failed = await database.reads.one_or_none(JOB_COUNTS) or (0, 0, 0)
    return Figure(waiting + running, f"{failed:,} failed", "/admin/jobs", "warn" if failed else "")


async def mail(database: Database, actor: Actor) -> Figure:
    """Mail that has not gone out yet, and what went out a day."""
    unsent, lost = await database.reads.one_or_none(MAIL_COUNTS) or (0, 0)
    note = f"to be sent; {lost:,} given up" if lost else "to be sent"
    series = await SENT.series(database, actor)
    return Figure(unsent, note, "/admin/mails", "warn" if lost else "", series, "mails sent")


def cards(catalog: JobCatalog) -> list[Card]:
    """What the first page of the admin says of operations."""
    well = partial(wellbeing, catalog)
    return [Card("Health", "heart", VIEW, well), Card("Jobs", "queue", VIEW, jobs), Card("Mail", "mail", VIEW, mail)]
