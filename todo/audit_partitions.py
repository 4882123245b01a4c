"""Monthly partitions of the audit log: created ahead, and dropped when `TODO_AUDIT_RETENTION_MONTHS` are over.

The ids of events are UUIDv7, which begin with the time in milliseconds, so a month is a range of ids. Events of a month
without a partition are stored in the default partition: an insert never fails.
"""

import asyncio
import re
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import column, func, select, table, text
from sqlalchemy.exc import DBAPIError

from todo.access import worker_origin
from todo.audit import Event
from todo.cleanup import Expired, delete_expired
from todo.database import Database, Query, WriteSession, columns, now
from todo.database_errors import sqlstate_of

AHEAD = 3  # months
LOCK_SECONDS = 1  # writes of other transactions wait behind a lock that waits
TRIES = 5
PAUSE = 2.0  # seconds between them
TOO_LATE = "55P03"  # timed out waiting for a lock
NAME = re.compile(r"audit_events_(\d{4})_(\d{2})")


class Partition(NamedTuple):
    """A partition and its size in bytes. `month` is None for the first one, before all months, and for the default."""

    name: str
    size: int

    @property
    def month(self) -> date | None:
        found = NAME.fullmatch(self.name)
        return date(int(found[1]), int(found[2]), 1) if found else None


_class = table("pg_class", column("oid"), column("relname"))
_inherits = table("pg_inherits", column("inhrelid"), column("inhparent"))
PARTITIONS = Query(
    Partition,
    select(_class.c.relname, func.pg_total_relation_size(_class.c.oid))
    .join(_inherits, _inherits.c.inhrelid == _class.c.oid)
    .where(_inherits.c.inhparent == func.to_regclass(Event.__tablename__))
    .order_by(_class.c.relname),
)


def month_of(day: date, plus: int = 0) -> date:
    """Return the first day of the month, `plus` months later."""
    years, month = divmod(day.month - 1 + plus, 12)
    return date(day.year + years, month + 1, 1)


def name_of(month: date) -> str:
    return f"audit_events_{month:%Y_%m}"


def first_id(month: date) -> UUID:
    """Return the lowest id that an event of this month can have."""
    begin = datetime(month.year, month.month, 1, tzinfo=UTC)
    return UUID(int=int(begin.timestamp() * 1000) << 80)


def missing(partitions: list[Partition], today: date, ahead: int = 1) -> list[date]:
    """Return the coming months that have no partition. Not even the next one: no worker has run for two months."""
    months = {partition.month for partition in partitions}
    return [month for plus in range(1, ahead + 1) if (month := month_of(today, plus)) not in months]


async def maintain_partitions(database: Database) -> None:
    """Create the partitions of the coming months, and delete events that are older than the retention.

    Raise DBAPIError when the locks cannot be had.
    """
    today, kept = now().date(), database.settings.audit_retention_months
    partitions = await database.primary.all(PARTITIONS)
    if months := missing(partitions, today, AHEAD):
        await _create(database, months)
    if kept:
        oldest = month_of(today, -kept)
        for partition in partitions:
            if partition.month and partition.month < oldest:
                await _briefly_locked(database, [f"DROP TABLE IF EXISTS {partition.name}"])
        await delete_expired(database, Expired(Event, columns(Event).id < first_id(oldest)))


async def _create(database: Database, months: list[date]) -> None:
    """Create partitions beside the table and attach them, which lets other transactions write meanwhile."""
    statements = ["LOCK TABLE audit_events_default IN ACCESS EXCLUSIVE MODE"]
    for month in months:
        name, begin, end = name_of(month), first_id(month), first_id(month_of(month, 1))
        where = f"id >= '{begin}' AND id < '{end}'"
        statements += [
            f"CREATE TABLE {name} (LIKE audit_events INCLUDING ALL)",
            f"WITH early AS (DELETE FROM audit_events_default WHERE {where} RETURNING *)"  # noqa: S608 -- ours
            f" INSERT INTO {name} SELECT * FROM early",
            f"ALTER TABLE audit_events ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')",
        ]
    await _briefly_locked(database, statements)


async def _briefly_locked(database: Database, statements: list[str]) -> None:
    """Run statements in a transaction that waits at most LOCK_SECONDS for a lock, and try again."""
    for attempt in range(1, TRIES + 1):
        try:
            async with database.session(worker_origin()) as session:
                await _run(session, [f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'", *statements])
            return
        except DBAPIError as error:
            if sqlstate_of(error) != TOO_LATE or attempt == TRIES:
                raise
        await asyncio.sleep(PAUSE)


async def _run(session: WriteSession, statements: list[str]) -> None:
    for statement in statements:
        await session.execute(text(statement))
