"""Creating the tasks of due occurrences: many series, their tasks and audit events in one transaction.

A killed worker leaves nothing behind: its rows are unlocked at once and still due. Two workers never lock the same
series, and the unique (series, original start) of occurrences prevents every other duplicate.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from asyncpg import Record
from msgspec.structs import astuple
from sqlalchemy import ARRAY, Column, String, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

from todo.access import Origin
from todo.audit import Event, event
from todo.connection import Connection
from todo.database import DIALECT, WriteSession, table_of, to_json
from todo.domain.accounts.models import USER
from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.plan import OnMissed
from todo.domain.recurrence.rules.timing import unmoved
from todo.domain.tasks import rules
from todo.domain.tasks.models import Task
from todo.domain.tasks.series.locks import unlocked_owners
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.rules import ScheduleState
from todo.domain.tasks.series.statements import DOUBLE_QUOTA
from todo.domain.tasks.subtasks import copy_subtasks, load_copied

log = logging.getLogger(__name__)

BATCH = 1_000  # series: their locks are held for about a tenth of a second
# A suspended worker gives its series back: the server ends what is idle, other workers what waits for its client.
NAME = "todo occurrences"
FROZEN = """
    SELECT set_config('idle_in_transaction_session_timeout', '30s', true),
        set_config('application_name', :name, true), set_config(:double_quota, 'on', true)"""
FREE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = :name
        AND wait_event_type = 'Client' AND xact_start < now() - interval '30 seconds'"""

OPEN = """
    SELECT occurrence.series_id, original_start, task.due, task.start
    FROM occurrences AS occurrence LEFT JOIN tasks AS task ON task.id = task_id
    WHERE occurrence.series_id = ANY($1) AND occurrence.status = 'open' ORDER BY original_start"""
# The task of each series' last occurrence, where it has subtasks that the next occurrence copies.
PARENTS = """
    SELECT series.id, last.task_id FROM series CROSS JOIN LATERAL (
        SELECT task_id FROM occurrences WHERE series_id = series.id AND task_id IS NOT NULL
            AND original_start <= coalesce(last_original_start, 'infinity')  -- done early, it may be before older ones
        ORDER BY original_start DESC LIMIT 1
    ) AS last WHERE series.id = ANY($1) AND EXISTS (SELECT FROM tasks WHERE parent_id = last.task_id)"""
AS_JSON = (JSONB, ARRAY)  # types of columns that are sent as JSON
ENTER = """
    INSERT INTO occurrences (id, created_at, updated_at, version, series_id, original_start, task_id, status, closed_at)
    SELECT id, $1::timestamptz, $1, 1, series_id, original_start, task_id, status,
        CASE WHEN status <> 'open' THEN $1 END
    FROM unnest($2::uuid[], $3::uuid[], $4::timestamp[], $5::uuid[], $6::text[])
        AS entry (id, series_id, original_start, task_id, status)
    ON CONFLICT (series_id, original_start) DO NOTHING RETURNING task_id"""
MISS = """
    UPDATE occurrences AS occurrence
    SET status = 'missed', closed_at = $1::timestamptz, updated_at = $1, version = version + 1
    FROM unnest($2::uuid[], $3::timestamp[]) AS late (series_id, original_start)
    WHERE occurrence.series_id = late.series_id AND occurrence.original_start = late.original_start
        AND occurrence.status = 'open'
    RETURNING occurrence.task_id"""
CANCEL = """
    WITH late AS (SELECT id, status FROM tasks WHERE id = ANY($2) AND status <> ALL($3) FOR UPDATE)
    UPDATE tasks SET status = 'cancelled', completed_at = $1::timestamptz, updated_at = $1, version = version + 1
    FROM late WHERE tasks.id = late.id RETURNING tasks.id, late.status"""
SAVE_STATES = """
    UPDATE series SET status = state.status, last_original_start = state.last_original_start, n = state.n, failures = 0,
        updated_at = now(),
        next_original_start = state.next_original_start, next_n = state.next_n,
        next_run_at = state.next_run_at, last_error = NULL,
        end_notice_at = CASE state.status WHEN 'ended' THEN now() END
    FROM unnest($1::uuid[], $2::text[], $3::timestamp[], $4::int[], $5::timestamp[], $6::int[], $7::timestamptz[])
        AS state (id, status, last_original_start, n, next_original_start, next_n, next_run_at)
    WHERE series.id = state.id"""
# The triggers that compare tasks with occurrences, which would otherwise fail the commit of all series.
CHECK = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
NOBODY = UUID(int=0)
# Building a model for every row would double the time.
BLANK = Task(title="", owner_id=NOBODY, project_id=NOBODY, created_by=NOBODY).model_dump()


class Closing(NamedTuple):
    """An occurrence that a person closes now, so that it is not missed. `jump`: what is late and not open yet, is."""

    original_start: datetime
    jump: bool = False


@dataclass
class Batch:
    """What a number of series need written: tasks to add, occurrences to record or close, and new schedule states."""

    moment: datetime
    tasks: list[dict[str, Any]] = field(default_factory=list)
    entries: list[tuple[UUID, datetime, UUID | None, str]] = field(default_factory=list)
    closes: list[tuple[UUID, datetime]] = field(default_factory=list)
    states: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, series: Series, rows: Sequence[Record], closing: Closing | None = None) -> None:
        """Decide what becomes of one series, where a person closes an occurrence; raises what its rule raises.

        `rows`: its open occurrences, by `OPEN`.
        """
        plan = series.plan()
        still_open = [series.open_occurrence(plan, row["original_start"], row[series.repeats_by]) for row in rows]
        decided = replace(plan, on_missed=OnMissed.KEEP_ONE) if closing and closing.jump else plan
        decision = decide_missed(decided, series.coming, still_open, self.moment, series.last)
        for occurrence in decision.opens:
            task: dict[str, Any] = {"id": uuid7(), "created_at": self.moment, "updated_at": self.moment}
            task |= series.new_task_values(plan, occurrence.original_start)
            self.tasks.append(BLANK | task)
            self.entries.append((series.id, occurrence.original_start, task["id"], "open"))
        for status, occurrences in (("missed", decision.missed), ("paused", decision.paused)):
            self.entries += [(series.id, occurrence.original_start, None, status) for occurrence in occurrences]
        closes = [
            original_start
            for original_start in decision.closes
            if not closing or original_start != closing.original_start
        ]
        self.closes += [(series.id, original_start) for original_start in closes]
        last = decision.last or series.last
        staying = [occurrence for occurrence in still_open if occurrence.original_start not in closes]
        staying += [unmoved(plan, occurrence.original_start) for occurrence in decision.opens]
        state = ScheduleState.after(plan, last, decision.next, staying, self.moment)
        is_past = state.next_run_at is not None and state.next_run_at <= self.moment
        if is_past and closing is None:  # it would be evaluated for ever
            raise ValueError(f"the series stands still at {last.original_start}")
        self.states.append((series.id, *astuple(state)))


async def materialize_batch(session: WriteSession, limit: int = BATCH) -> int:
    """Open every due occurrence of up to `limit` series that no other worker has locked; return how many series."""
    await session.execute(text(FROZEN), {"name": NAME, "double_quota": DOUBLE_QUOTA})
    # The clock that says what is due is the database's.
    due = select(Series, func.now()).where(SERIES.next_run_at <= func.now())
    claimed = (
        await session.execute(due.order_by(SERIES.next_run_at).limit(limit).with_for_update(skip_locked=True))
    ).all()
    # Not in one query with the series: that would sort all that are due.
    unlocked = unlocked_owners({series.owner_id for series, _ in claimed}).with_only_columns(USER.id)
    owners = set(await session.scalars(unlocked)) if claimed else set()
    free = [series for series, _ in claimed if series.owner_id in owners]
    if free:
        await materialize_series(session, free, claimed[0][1])
    return len(free)


async def end_stalled_transactions(session: WriteSession) -> None:
    """End transactions of workers that have stalled for half a minute, so that others can open what they locked."""
    await session.execute(text(FREE), {"name": NAME})


async def materialize_series(session: WriteSession, claimed: Sequence[Series], moment: datetime) -> None:
    """Open what is due at `moment` of these locked series; set aside a series that fails.

    All of them together or, when one fails, each half by itself: one series must not stop the others.
    """
    first, failures = claimed[0].id, claimed[0].failures
    try:
        async with session.begin_nested():
            await _open_together(session, claimed, moment)
            await (await _driver(session)).execute(CHECK)
    except Exception as error:
        if len(claimed) == 1:
            log.exception("series %s is set aside", first)
            await _set_aside(session, first, failures + 1, error)
            return
        half = len(claimed) // 2
        await materialize_series(session, claimed[:half], moment)
        await materialize_series(session, claimed[half:], moment)


async def catch_up(session: WriteSession, series: Series, moment: datetime, closing: Closing | None) -> list[UUID]:
    """Do for one locked series what the worker would have done by this moment, but close none that a person closes
    then; the ids of the tasks that opened.
    """
    await session.execute(select(func.set_config(DOUBLE_QUOTA, "on", True)))
    opened = await _open_together(session, [series], moment, closing)
    await session.refresh(series)
    return opened


async def _open_together(
    session: WriteSession, claimed: Sequence[Series], moment: datetime, closing: Closing | None = None
) -> list[UUID]:
    driver, ids = await _driver(session), [series.id for series in claimed]
    batch, still_open = Batch(moment), defaultdict(list)
    for row in await driver.fetch(OPEN, ids):
        still_open[row["series_id"]].append(row)
    parents = {series_id: task_id for series_id, task_id in await driver.fetch(PARENTS, ids)}
    for series in claimed:
        batch.add(series, still_open[series.id], closing)
    events = await _close(driver, batch, session.origin) if batch.closes else []
    opened, opening = await _enter(driver, batch, session.origin) if batch.entries else ([], [])
    await _insert(driver, Event, events + opening)
    pairs = [(parents[task["series_id"]], task["id"]) for task in opened if task["series_id"] in parents]
    if pairs:
        await copy_subtasks(session, await load_copied(session, pairs))
    await driver.execute(SAVE_STATES, *zip(*batch.states, strict=True))
    return [task["id"] for task in opened]


async def _close(driver: Connection, batch: Batch, origin: Origin) -> list[dict[str, Any]]:
    """Close open occurrences as missed, and their tasks as cancelled; return the audit events."""
    task_ids = [row["task_id"] for row in await driver.fetch(MISS, batch.moment, *zip(*batch.closes, strict=True))]
    after = {"status": "cancelled", "completed_at": batch.moment}
    return [
        event(origin, "tasks.miss", "tasks", task_id, before={"status": status, "completed_at": None}, after=after)
        for task_id, status in await driver.fetch(CANCEL, batch.moment, task_ids, list(rules.CLOSED))
    ]


async def _enter(driver: Connection, batch: Batch, origin: Origin) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Insert the rows of occurrences and the tasks of those that are new; return these tasks and their audit events."""
    ids = [uuid7() for _ in batch.entries]
    entered = {
        row["task_id"] for row in await driver.fetch(ENTER, batch.moment, ids, *zip(*batch.entries, strict=True))
    }
    tasks = [task for task in batch.tasks if task["id"] in entered]
    await _insert(driver, Task, tasks)
    return tasks, [event(origin, "tasks.open", "tasks", task["id"], after=task) for task in tasks]


async def _insert(driver: Connection, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """All rows in one statement; in the midst of a COPY no timeout would free what a suspended worker holds."""
    columns = [
        [to_json(row[name]) if is_json and row[name] is not None else row[name] for row in rows]
        for name, is_json in ((column.name, isinstance(column.type, AS_JSON)) for column in _stored(model))
    ]
    await driver.execute(_insertion(model), *columns)


def _stored(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns that no trigger writes."""
    return [column for column in table_of(model).columns if column.name in model.model_fields]


@lru_cache
def _insertion(model: type[SQLModel]) -> str:
    """Arrays come as JSON: `unnest` would take one of arrays apart."""
    types, read = [], []
    for column in _stored(model):
        is_array = isinstance(column.type, ARRAY)
        plain = "text" if isinstance(column.type, String) else column.type.compile(DIALECT)
        types.append("jsonb" if is_array else plain)
        read.append(f"ARRAY(SELECT jsonb_array_elements_text({column.name}))::{plain}" if is_array else column.name)
    names = ", ".join(column.name for column in _stored(model))
    arrays = ", ".join(f"${number}::{type}[]" for number, type in enumerate(types, 1))
    rows = f"unnest({arrays}) AS new ({names})"
    return f"INSERT INTO {model.__tablename__} ({names}) SELECT {', '.join(read)} FROM {rows}"  # noqa: S608 -- names of ours


async def _set_aside(session: WriteSession, series_id: UUID, failures: int, error: Exception) -> None:
    """Note why a series could not be opened, and evaluate it again later: in 2, 4, 8 ... minutes, at most a day."""
    pause = timedelta(minutes=min(2**failures, 1440))
    values = {
        "failures": failures,
        "last_error": repr(error)[:500],
        "next_run_at": func.now() + pause,
        "updated_at": func.now(),
    }
    await session.execute(update(Series).where(SERIES.id == series_id).values(values))


async def _driver(session: WriteSession) -> Connection:
    """asyncpg's own connection, inside the session's transaction: SQLAlchemy speaks no COPY."""
    raw = await (await session.connection()).get_raw_connection()
    return cast(Connection, raw.driver_connection)
