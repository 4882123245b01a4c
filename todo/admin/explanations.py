"""Why a row did or did not come up: one timeline out of what modules know of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, structs
from sqlalchemy import String, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.access import Actor
from todo.admin.context import AdminContext
from todo.admin.declaration import Id
from todo.admin.filters import local_time
from todo.admin.queries import Queries
from todo.database import Database, Query, now
from todo.queue import RUN

LATE = timedelta(minutes=5)  # since the last success of what runs every minute
LAST_RUNS = Query(
    lambda *values: values,
    select(RUN.function, RUN.succeeded_at, RUN.error).where(
        any_(bindparam("functions", type_=ARRAY(String))) == RUN.function
    ),
)


class ExplanationEntry(Struct, kw_only=True):
    """What happened or is planned at a time or, without `at`, holds now; and why.

    `local` is `at` in the time zone of the explanation. `blocks`: it keeps the row, or a message about it, from coming
    up. `resource` and `id` name the row that says so.
    """

    kind: str
    what: str
    why: str = ""
    at: datetime | None = None
    local: str | None = None
    blocks: bool = False
    resource: str = ""
    id: str = ""


class Explanation(Struct):
    """Why a row did or did not come up: what holds now, then the timeline, oldest first."""

    resource: str
    id: str
    display: str
    timezone: str
    entries: list[ExplanationEntry]


@dataclass(frozen=True)
class Subject:
    """The row to explain, as the admin shows it, who asks, and the time zone in which its dates are meant."""

    database: Database
    actor: Actor
    row: Any
    timezone: str


@dataclass(frozen=True)
class Explainer:
    """What a module knows of the rows of a resource, in a number of statements that does not depend on the rows."""

    resource: str
    read: Callable[[Subject], Awaitable[Sequence[ExplanationEntry]]]


class Explanations:
    """Explain rows of resources with the verb `explain`."""

    def __init__(self, context: AdminContext, queries: Queries):
        self._context, self._queries = context, queries

    async def of_row(self, resource: str, row_id: Id) -> Explanation:
        """Return why a row did or did not come up. Raise Forbidden or NotFound."""
        admin, database, actor = self._context.table(resource, "explain"), self._context.database, self._context.actor
        row = await self._queries.get(resource, row_id)
        timezone = await admin.timezone_of(database, actor, row)
        subject = Subject(database, actor, row, timezone)
        parts = await asyncio.gather(*(one.read(subject) for one in self._context.registry.explainers[resource]))
        entries = [_local(one, ZoneInfo(timezone)) for part in parts for one in part]
        standing, timed = ([one for one in entries if (one.at is None) is wanted] for wanted in (True, False))
        timed.sort(key=lambda one: one.at or now())
        return Explanation(resource, str(row.id), row.display, timezone, [*standing, *timed])


async def worker_entries(database: Database, *functions: str) -> list[ExplanationEntry]:
    """Return when these functions, which run every minute, last succeeded. Runs one statement."""
    last = {function: values for function, *values in await database.reads.all(LAST_RUNS, functions=list(functions))}
    return [_worker_entry(function, *last.get(function, (None, None))) for function in functions]


def entry(
    kind: str, what: str, why: str = "", at: datetime | None = None, *, blocks: bool = False,
    of: tuple[str, object] = ("", ""),
) -> ExplanationEntry:  # fmt: skip
    """Return an entry; `of` is the resource and the id of the row that says so."""
    resource, row_id = of
    return ExplanationEntry(kind=kind, what=what, why=why, at=at, blocks=blocks, resource=resource, id=str(row_id))


def _worker_entry(function: str, succeeded_at: datetime | None, error: str | None) -> ExplanationEntry:
    of = ("schedules", function)
    if succeeded_at is None:
        why = error or "No worker has reported it yet."
        return entry("worker", f"The schedule {function} has not succeeded yet", why, blocks=True, of=of)
    late = succeeded_at < now() - LATE
    why = error or ("It should run every minute: is the worker running?" if late else "It runs every minute.")
    blocks = late or error is not None
    return entry("worker", f"The schedule {function} last succeeded", why, succeeded_at, blocks=blocks, of=of)


def _local(one: ExplanationEntry, zone: ZoneInfo) -> ExplanationEntry:
    if one.at is None:
        return one
    return structs.replace(one, local=local_time(one.at, zone).isoformat(timespec="minutes"))
