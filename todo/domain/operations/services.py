"""Health of the installation: database, migrations, worker, jobs and deliveries."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import column, func, select, table, text

from todo import __version__
from todo.access import Actor
from todo.actions import Permission
from todo.admin.dashboard import Card, Daily, Figure, Line, first_line, one
from todo.audit_partitions import PARTITIONS, missing
from todo.connection import AWAY
from todo.database import Database, Query, now
from todo.delivery import outbox
from todo.delivery.models import DELIVERY, PENDING, Delivery
from todo.deployment import Finding, unfit_for_production
from todo.errors import Problem
from todo.gauges import Gauge
from todo.http.health import Schedules, State, mixed_queue, schedules_of, state_of
from todo.jobs import JobCatalog
from todo.queue import RUN
from todo.revisions import head

VIEW: Permission = "operations.view"
JOBS = table("saq_jobs", column("status"))
WAITING, RUNNING, FAILED = (JOBS.c.status == status for status in ("queued", "active", "failed"))
JOB_COUNTS = one(select(*(func.count().filter(status) for status in (WAITING, RUNNING, FAILED))).select_from(JOBS))
DELIVERY_COUNTS = one(
    select(func.count().filter(PENDING), func.count().filter(DELIVERY.failed_at.is_not(None))).select_from(Delivery)
)
DELIVERED = Daily(DELIVERY.done_at)
LATEST = 3  # errors of a card
JOB_ERRORS = Query(
    lambda function, at, error: Line(function, at, f"/admin/schedules/{function}", first_line(error)),
    select(RUN.function, RUN.finished_at, RUN.error)
    .where(RUN.error.is_not(None), RUN.status != "complete")
    .order_by(RUN.finished_at.desc())
    .limit(LATEST),
)
MAIL_ERRORS = Query(
    lambda id, recipient, at, error: Line(recipient, at, f"/admin/deliveries/{id}", first_line(error)),
    select(DELIVERY.id, DELIVERY.recipient, DELIVERY.failed_at, DELIVERY.last_error)
    .where(DELIVERY.failed_at.is_not(None))
    .order_by(DELIVERY.failed_at.desc())
    .limit(LATEST),
)
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
    """A dependency of the installation."""

    label: str
    state: str  # ok | late | pending | away
    note: str
    since: datetime | None = None  # start of its uptime


@dataclass(frozen=True)
class Health:
    """The state of all parts, and the findings of the production checks."""

    parts: list[Part]
    findings: list[Finding]

    @property
    def is_well(self) -> bool:
        return all(part.state == "ok" for part in self.parts)


async def health(database: Database, catalog: JobCatalog) -> Health:
    """Check everything. Unavailable parts are reported, not raised."""
    parts = [*await _database(database, catalog), *await _work(database), *await _audit_log(database)]
    return Health(parts, unfit_for_production(database.settings))


async def _database(database: Database, catalog: JobCatalog) -> list[Part]:
    try:
        version, size, since, connections = await database.primary.one_or_none(SERVER) or ("", "", None, 0)
        state = await state_of(database)
        schedules = schedules_of(state, catalog)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        return [Part("Migrations", "pending", f"There is no schema yet, or an older one than {head()}.")]
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return [Part("Database", "away", "The database does not answer.")]
    age, revision = state.worker_age, state.revision
    beat = "No worker has reported yet." if age is None else f"Seen {int(age)} seconds ago."
    up = f"PostgreSQL {version.split(' ')[0]}, {size}, {connections} connections."
    migrated = state.is_migrated
    fit = "up to date with" if revision == head() else "newer than, and compatible with,"
    schema = f"At {revision}, {fit} version {__version__}." if migrated else f"At {revision}, not {head()}."
    late = not state.has_worker
    mixed = mixed_queue(state, database)
    busy, read_only = "Requests time out waiting for a connection. ", "The database is read-only. "
    full = "The disk of the database is full. " if database.watch.is_disk_full else ""
    problem = read_only if state.read_only else full or (busy if database.is_busy else "")
    return [
        Part("Database", "late" if problem else "ok", problem + up, since),
        Part("Migrations", "ok" if migrated else "pending", schema),
        Part("Worker", "late" if late else "ok", f"{beat}{' Is `todo worker` running?' if late else ''}"),
        _schedules(schedules),
        Part("Queue", "late" if mixed else "ok", mixed or "All workers have the queue of this process."),
    ]


def _schedules(found: Schedules) -> Part:
    late = [f"Late: {', '.join(found.late)}."] if found.late else []
    failed = [f"Failed on the last run: {', '.join(found.failed)}."] if found.failed else []
    note = " ".join(late + failed) or "All scheduled jobs run."
    return Part("Schedules", "late" if late or failed else "ok", note)


async def _work(database: Database) -> list[Part]:
    try:
        waiting, running, failed = await database.primary.one_or_none(JOB_COUNTS) or (0, 0, 0)
        pending, given_up = await database.primary.one_or_none(DELIVERY_COUNTS) or (0, 0)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return []
    return [
        Part("Jobs", "late" if failed else "ok", f"{waiting:,} waiting, {running:,} running, {failed:,} failed."),
        Part("Deliveries", "late" if given_up else "ok", f"{pending:,} pending, {given_up:,} failed."),
    ]


async def _audit_log(database: Database) -> list[Part]:
    try:
        partitions = await database.primary.all(PARTITIONS)
    except (*AWAY, asyncpg.PostgresError, TimeoutError, Problem):
        return []
    months, kept = missing(partitions, now().date()), database.settings.audit_retention_months
    size = f"{sum(partition.size for partition in partitions) / 1e6:,.0f} MB"
    lacks = f" No partition for {', '.join(f'{month:%Y-%m}' for month in months)}." if months else ""
    note = f"{size}, kept {f'for {kept} months besides this one' if kept else 'for ever'}.{lacks}"
    return [Part("Audit log", "late" if months else "ok", note)]


async def wellbeing(catalog: JobCatalog, database: Database, _: Actor) -> Figure:
    """Summarize the health."""
    found = await health(database, catalog)
    bad = [part.label.lower() for part in found.parts if part.state != "ok"]
    word, tone = ("Healthy", "good") if found.is_well else ("Check", "warn")
    return Figure(word, f"check: {', '.join(bad)}" if bad else "all checks pass", "/admin/health", tone)


async def jobs(database: Database, _: Actor) -> Figure:
    """Count the jobs in the queue."""
    waiting, running, failed = await database.reads.one_or_none(JOB_COUNTS) or (0, 0, 0)
    return Figure(waiting + running, f"{failed:,} failed", "/admin/jobs", "warn" if failed else "")


async def deliveries(database: Database, actor: Actor) -> Figure:
    """Count pending and failed deliveries, and those sent per day."""
    pending, failed = await database.reads.one_or_none(DELIVERY_COUNTS) or (0, 0)
    note = f"pending; {failed:,} failed" if failed else "pending"
    series = await DELIVERED.series(database, actor)
    return Figure(pending, note, "/admin/deliveries", "warn" if failed else "", series, "sent")


async def failed_jobs(database: Database, _: Actor) -> Figure:
    """Count failed jobs, with the last errors."""
    *_others, failed = await database.reads.one_or_none(JOB_COUNTS) or (0, 0, 0)
    lines = await database.reads.all(JOB_ERRORS) if failed else []
    return Figure(failed, "in the past week", "/admin/jobs?status=failed", "bad", lines=lines)


async def undelivered(database: Database, actor: Actor) -> Figure:
    """Count given up deliveries, with the last errors."""
    _, failed = await database.reads.one_or_none(DELIVERY_COUNTS) or (0, 0)
    shown = failed and actor.may("deliveries.view")
    lines = await database.reads.all(MAIL_ERRORS) if shown else []
    return Figure(failed, "given up after the last attempt", "/admin/deliveries?state=failed", "bad", lines=lines)


async def lagging(catalog: JobCatalog, database: Database, _: Actor) -> Figure:
    """Count the schedules that are late, or whose last run failed."""
    state = await state_of(database)
    found = schedules_of(state, catalog)
    failed = [name for name in found.failed if name not in found.late]
    lines = [_schedule_line(state, name, "late") for name in found.late]
    lines += [_schedule_line(state, name, "failed on its last run") for name in failed]
    return Figure(len(lines), "late or failed", "/admin/schedules", "bad", lines=lines[:LATEST])


def _schedule_line(state: State, name: str, what: str) -> Line:
    success, _ = state.runs.get(name, (None, None))
    since = "last success" if success else "never succeeded"
    return Line(f"{name}: {what}, {since}", success, f"/admin/schedules/{name}")


async def readiness(database: Database, _: Actor) -> Figure:
    """Count the settings that are not fit for production."""
    found = sorted(unfit_for_production(database.settings), key=lambda one: one.level)
    errors = sum(one.level == "error" for one in found)
    lines = [Line(one.message, href="/admin/health") for one in found[:LATEST]]
    return Figure(len(found), f"checks fail, {errors} of them errors", "/admin/health", "warn", lines=lines)


GAUGES = [
    Gauge("todo_outbox_waiting", "Pending deliveries, counted up to 10,000.", outbox.COUNT),
    Gauge("todo_outbox_lag_seconds", "Seconds by which the oldest pending delivery is late.", outbox.LAG),
]


def cards(catalog: JobCatalog) -> list[Card]:
    """Return the cards for the admin's dashboard."""
    return [
        Card("Failed jobs", "queue", VIEW, failed_jobs, is_alert=True),
        Card("Undelivered mail", "send", VIEW, undelivered, is_alert=True),
        Card("Schedules", "clock", VIEW, partial(lagging, catalog), is_alert=True),
        Card("Production readiness", "shield", VIEW, readiness, is_alert=True),
        Card("Health", "heart", VIEW, partial(wellbeing, catalog)),
        Card("Jobs", "queue", VIEW, jobs),
        Card("Deliveries", "send", VIEW, deliveries),
    ]
