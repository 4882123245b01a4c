"""Admin resources for operators: deliveries, audit log, jobs, schedules, workers and settings."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from inspect import signature
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import select

from todo.access import Actor
from todo.admin.declaration import ActionContext, Filter, ModelAdmin, Resource, RowsAdmin, action
from todo.admin.fields import label_of
from todo.audit import Event
from todo.database import Database, Query, columns
from todo.delivery import outbox
from todo.delivery.models import DELIVERY, PENDING, Delivery
from todo.errors import Conflict, Unavailable
from todo.http.health import Heartbeat
from todo.jobs import JobCatalog, Jobs, Schedule, what_it_does
from todo.setting_errors import PREFIX
from todo.settings import Settings, masked

_beats = columns(Heartbeat)
BEATS = Query(
    lambda name, seen, started, release, queue, counts: WorkerRow(
        name, seen, started, release, queue, msgspec.json.decode(counts)
    ),
    select(_beats.name, _beats.seen_at, _beats.started_at, _beats.release, _beats.queue, _beats.counts).order_by(
        _beats.name
    ),
)


QUEUED = "Queued as "  # followed by the key of the job
COUNTERS = ("deliveries_tried", "series_opened", "reminders_looked_at")  # of workers
NOT_FAILED = "This delivery has not failed: only failed ones can be retried."


class DeliveryAdmin(ModelAdmin[Delivery]):
    model = Delivery
    label, label_one = "Deliveries", "Delivery"
    icon, group = "send", "Operations"
    help = "Outgoing messages, by e-mail or other channels."
    display = "subject"
    columns = ("subject", "recipient", "channel", "attempts", "run_at", "done_at", "failed_at", "last_error")
    filters = (
        Filter(
            "state",
            {"waiting": PENDING, "delivered": DELIVERY.done_at.is_not(None), "failed": DELIVERY.failed_at.is_not(None)},
        ),
        "channel", "user_id", "run_at",
    )  # fmt: skip
    search = ("recipient", "subject")
    foreign = ("last_error",)
    hidden = ("payload", "lease_token")  # contains links that grant access to accounts
    verbs = ("view", "export")

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        return NOT_FAILED if verb == "retry" and row.failed_at is None else ""

    @action("Retry")
    async def retry(self, do: ActionContext, row: Delivery) -> None:
        """Send the message again, with all attempts available."""
        if not await outbox.retry(do.session, row.id):
            raise Conflict(NOT_FAILED)


class AuditAdmin(ModelAdmin[Event]):
    model = Event
    name, label, label_one = "audit", "Audit log", "Event"
    icon, group = "history", "Operations"
    help = "What was changed, by whom and from where. TODO_AUDIT_RETENTION_MONTHS says how long events are kept."
    display = "action"
    field_labels = {"at": "Time", "subject": "Resource", "subject_id": "Row"}
    large = True
    columns = ("at", "actor", "action", "subject", "subject_id", "source", "reason")
    types = {"actor_kind": Literal["user", "service", "worker", "operator", "anonymous"]}
    filters = ("action", "subject", "subject_id", "actor_id", "on_behalf_of", "at")
    search = ("actor", "action", "subject", "reason")
    date_hierarchy = "at"
    heavy = diff = ("before", "after")
    # Audit events contain personal data of all users.
    field_permissions = {"before": "audit.values", "after": "audit.values"}
    verbs = ("view", "export")


class JobRow(Struct):
    """A job in the queue. Finished jobs are kept for a week, scheduled ones for a minute."""

    id: str
    function: str
    status: Literal["new", "queued", "active", "aborting", "aborted", "failed", "complete"]
    arguments: dict[str, Any]
    attempts: int
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class JobAdmin(RowsAdmin):
    name, label, label_one = "jobs", "Jobs", "Job"
    icon, group = "queue", "Operations"
    help = "Queued, running and recent jobs."
    row = JobRow
    display = "function"
    columns = ("function", "status", "attempts", "queued_at", "finished_at", "error")
    filters = ("status", "function")
    search = ("function", "error")
    foreign = ("error",)
    sorts = ("queued_at",)
    verbs = ("view",)

    def __init__(self, catalog: JobCatalog) -> None:
        self._catalog = catalog

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        async with jobs_of(database, self._catalog) as jobs:
            found = await jobs.find(limit=1000)
        return [
            msgspec.convert({"id": job.key, **msgspec.structs.asdict(job)}, JobRow, from_attributes=True)
            for job in found
        ]

    def texts(self) -> Iterable[str]:
        """The names of arguments, in the data of jobs."""
        signatures = [signature(function) for function in self._catalog.functions]
        parameters = [one for found in signatures for one in found.parameters.values()]
        return [label_of(one.name) for one in parameters if one.kind is one.KEYWORD_ONLY]

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        over = row.status in {"complete", "failed", "aborted"}
        if verb == "abort" and over:
            return f"This job is {row.status}: only a waiting or running job can be aborted."
        return (
            f"This job is {row.status}: abort it, or wait until it has finished."
            if verb == "retry" and not over
            else ""
        )

    @action("Retry")
    async def retry(self, do: ActionContext, row: JobRow) -> None:
        """Run a finished job again."""
        async with jobs_of(do.database, self._catalog) as jobs:
            await jobs.retry(do.session.origin, row.id)

    @action("Abort", dangerous=True)
    async def abort(self, do: ActionContext, row: JobRow) -> None:
        """Stop a waiting or running job."""
        async with jobs_of(do.database, self._catalog) as jobs:
            await jobs.abort(do.session.origin, row.id)


class ScheduleRow(Schedule):
    """A scheduled job and its last run."""

    id: str = ""


class ScheduleAdmin(RowsAdmin):
    name, label, label_one = "schedules", "Schedules", "Schedule"
    icon, group = "clock", "Operations"
    help = "Scheduled jobs (UTC) and their last run."
    row = ScheduleRow
    field_labels = {"does": "Description", "last_seconds": "Duration"}
    translated = ("does",)
    columns = ("id", "does", "schedule", "next_at", "last_at", "last_success_at", "last_status", "failures")
    sums = ("runs", "failures")
    search = ("id", "does")
    verbs = ("view",)

    def __init__(self, catalog: JobCatalog) -> None:
        self._catalog = catalog

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        async with jobs_of(database, self._catalog) as jobs:
            found = await jobs.schedules()
        return [ScheduleRow(**msgspec.structs.asdict(one), id=one.function) for one in found]

    def texts(self) -> Iterable[str]:
        functions = [*(cron.function for cron in self._catalog.schedules), *self._catalog.functions]
        return map(what_it_does, functions)

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        """Jobs without a schedule need arguments."""
        by_hand = verb != "run_now" or bool(row.schedule)
        return "" if by_hand else "This job has no schedule: it runs when a request asks for it."

    @action("Run now")
    async def run_now(self, do: ActionContext, row: ScheduleRow) -> str:
        """Run the job once, in addition to its schedule."""
        async with jobs_of(do.database, self._catalog) as jobs:
            job = await jobs.run(do.session.origin, row.id)
        return f"{QUEUED}{job.key}."


class WorkerRow(Struct):
    """A worker process seen within the last day.

    `queue` is the address of its queue, empty for the database. `counts` are its counters since it started.
    """

    id: str
    seen_at: datetime
    started_at: datetime
    release: str
    queue: str | None
    counts: dict[str, int]


class WorkerAdmin(RowsAdmin):
    name, label, label_one = "workers", "Workers", "Worker"
    icon, group = "cpu", "Operations"
    help = "Processes that materialize tasks and send messages, with their last heartbeat."
    row = WorkerRow
    columns = ("id", "seen_at", "started_at", "release", "queue", "counts")
    verbs = ("view",)

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        return await database.reads.all(BEATS)

    def texts(self) -> Iterable[str]:
        return map(label_of, COUNTERS)


class SettingRow(Struct):
    """A setting: its variable, value (passwords hidden), description, and whether it is set."""

    id: str
    value: str
    means: str
    is_set: bool


class SettingAdmin(RowsAdmin):
    name, label, label_one = "settings", "Settings", "Setting"
    icon, group = "sliders", "Operations"
    help = "The environment variables of this process; passwords are hidden."
    row = SettingRow
    field_labels = {"means": "Description", "is_set": "Customized"}
    translated = ("means",)
    columns = ("id", "value", "means", "is_set")
    filters = ("is_set",)
    search = ("id", "means")

    async def rows(self, database: Database, actor: Actor) -> Sequence[Struct]:
        settings = database.settings
        return [
            SettingRow(
                PREFIX + name.upper(), masked(getattr(settings, name)), field.description or "",
                name in settings.model_fields_set,
            )
            for name, field in Settings.model_fields.items()
        ]  # fmt: skip

    def texts(self) -> Iterable[str]:
        return (field.description or "" for field in Settings.model_fields.values())


@asynccontextmanager
async def jobs_of(database: Database, catalog: JobCatalog) -> AsyncIterator[Jobs]:
    """Connect the queue for the duration of the block. Raise Unavailable when it cannot be reached."""
    from todo.saq_queue import UNREACHABLE, open_queue  # noqa: PLC0415 -- a server need not load its drivers to start

    queue = open_queue(database.settings, database.url)
    try:
        await queue.connect()
        yield Jobs(queue, database, catalog)
    except UNREACHABLE as error:
        raise Unavailable("The queue is temporarily unavailable.", retry_after=2) from error
    finally:
        with suppress(*UNREACHABLE):  # errors on disconnect do not matter
            await queue.disconnect()


def admins(catalog: JobCatalog) -> list[Callable[[], Resource]]:
    """Return the admin resources of operations, in the order of the navigation."""
    steered = [partial(kind, catalog) for kind in (JobAdmin, ScheduleAdmin)]
    return [*steered, WorkerAdmin, DeliveryAdmin, AuditAdmin, SettingAdmin]
