"""How fast due occurrences are opened, beside PostgreSQL alone writing the same rows; and what age and emptiness cost.

uv run --group benchmarks python -m benchmarks.recurrence
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks import SECRET
from todo.access import Actor, worker_origin
from todo.cli.installation import opened
from todo.cli.migrate import install
from todo.database import Database
from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.preview import preview
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.tasks.schemas import Day, TaskIn
from todo.domain.tasks.series.jobs import materialize_due
from todo.domain.tasks.services.tasks import TaskService
from todo.embedded.server import Server
from todo.settings import load_settings

RULES = ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYDAY=-1FR")
SERIES = """
    INSERT INTO series (id, created_at, updated_at, version, owner_id, project_id, owner_timezone, status, rrule,
        start, kind, timezone, anchor, on_invalid_date, on_missed, opens, lead_seconds, max_open, holidays, pauses,
        exceptions, template, n, last_original_start, next_original_start, next_n, next_run_at, failures)
    SELECT gen_random_uuid(), now(), now(), 1, $1, $1, 'Europe/Berlin', 'active', ($2::text[])[1 + n % 4],
        date '2020-01-31' + n % 1000 * interval '1 minute', 'zoned', 'Europe/Berlin', 'schedule', 'backward',
        'skip_to_next', 'either', 0, 50, '{}', '[]', '{}',
        '{"title": "Water the plants", "notes": "", "priority": 1, "estimate_minutes": null}',
        100, date '2020-02-29', ($3::timestamptz AT TIME ZONE 'Europe/Berlin')::timestamp(0), 101, $3, 0
    FROM generate_series(1, $4::int) AS n"""
# The same rows, with interval arithmetic in place of rules: what PostgreSQL alone can do.
FLOOR = """
    WITH due AS MATERIALIZED (
        SELECT id, owner_id, next_original_start, next_n, template, gen_random_uuid() AS task_id FROM series
        WHERE next_run_at <= now() ORDER BY next_run_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    ), entered AS (
        INSERT INTO occurrences (id, created_at, updated_at, version, series_id, original_start, task_id, status)
        SELECT gen_random_uuid(), now(), now(), 1, id, next_original_start, task_id, 'open' FROM due
        ON CONFLICT DO NOTHING RETURNING task_id
    ), added AS (
        INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority, due, due_at, overdue_at, series_id, occurrence)
        SELECT task_id, now(), now(), 1, owner_id, owner_id, owner_id, template->>'title', '', 'open', 1,
            jsonb_build_object('kind', 'zoned', 'at', next_original_start, 'timezone', 'Europe/Berlin'),
            next_original_start AT TIME ZONE 'Europe/Berlin', next_original_start AT TIME ZONE 'Europe/Berlin', id,
            next_original_start::text
        FROM due JOIN entered USING (task_id)
        RETURNING id, to_jsonb(tasks) AS row
    ), task_events AS (
        INSERT INTO audit_events (id, at, actor, actor_kind, action, subject, subject_id, after, request_id, address,
            source)
        SELECT gen_random_uuid(), now(), 'worker', 'worker', 'tasks.open', 'tasks', id, row, '', '', 'worker' FROM added
    )
    UPDATE series SET n = due.next_n, last_original_start = due.next_original_start, next_n = due.next_n + 1,
        next_original_start = due.next_original_start + interval '1 day', next_run_at = next_run_at + interval '1 day'
    FROM due WHERE series.id = due.id"""


async def fill(connection: Any, owner: UUID, number: int, due_at: datetime) -> None:
    await connection.execute("TRUNCATE series, tasks, occurrences, audit_events CASCADE")
    await connection.execute(SERIES, owner, list(RULES), due_at, number)
    await connection.execute("VACUUM ANALYZE")


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


async def open_all(database: Database) -> None:
    while await materialize_due(database) == 0:
        pass


async def open_all_in_sql(connection: Any) -> None:
    while await connection.execute(FLOOR) != "UPDATE 0":
        pass


async def rates(database: Database, connection: Any, owner: UUID, number: int, rounds: int) -> dict[str, Any]:
    """Seconds for `number` due series, one worker, floor and ours in turn."""
    floor, ours = [], []
    for _ in range(rounds):
        soon = datetime.now(UTC) - timedelta(minutes=1)
        await fill(connection, owner, number, soon)
        floor.append(await timed(lambda: open_all_in_sql(connection)))
        await fill(connection, owner, number, soon)
        ours.append(await timed(lambda: open_all(database)))
        opened = await connection.fetchval("SELECT count(*) FROM tasks")
        if opened < number:  # some come a second time while it runs
            raise SystemExit(f"{opened} tasks for {number} due series.")
    ratio = median(mine / least for mine, least in zip(ours, floor, strict=True))
    return {"series": number, "floor_seconds": median(floor), "todo_seconds": median(ours), "ratio": ratio}


async def empty_ticks(database: Database, connection: Any, owner: UUID, number: int) -> dict[str, Any]:
    """Milliseconds of a look that finds nothing due among `number` series."""
    await fill(connection, owner, number, datetime.now(UTC) + timedelta(days=1))
    ticks = sorted([await timed(lambda: materialize_due(database)) * 1000 for _ in range(1000)])
    return {"series": number, "median_ms": median(ticks), "p99_ms": ticks[990]}


def previews() -> dict[str, float]:
    """Microseconds to preview 12 occurrences of a series that began long ago."""
    found = {}
    for year in (1976, 2026):
        plan = Plan.of(
            "FREQ=MONTHLY;BYMONTHDAY=31", datetime.fromisoformat(f"{year}-01-31T09:00"), timezone="Europe/Berlin"
        )
        found[str(year)] = min(_seconds(lambda plan=plan: preview(plan, 12, "UTC")) for _ in range(200)) * 1e6
    return found


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


async def completions(database: Database, connection: Any, owner: UUID) -> dict[str, float]:
    """Milliseconds (median of 100) to complete the open occurrence of a daily series that began in that year."""
    actor, found = Actor(owner, "owner", timezone="Europe/Berlin"), {}
    for year in (1976, 2026):
        await connection.execute("TRUNCATE series, tasks, occurrences CASCADE")
        data = TaskIn(title="Stretch", due=Day(date(year, 1, 1)), recurrence=Recurrence(rrule="FREQ=DAILY"))
        async with database.session(worker_origin()) as session:
            task_id = (await TaskService(session, actor).add(data)).id
        taken = []
        for _ in range(100):
            begin = time.perf_counter()
            async with database.session(worker_origin()) as session:
                done = await TaskService(session, actor).complete(task_id, None)
            taken.append((time.perf_counter() - begin) * 1000)
            task_id = done.next_task.id
        found[str(year)] = median(taken)
    return found


async def measure(url: str, options: argparse.Namespace) -> dict[str, Any]:
    settings = load_settings(_env_file=None, database_url=url, secret_key=SECRET)
    await install(settings, url)
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE quota_defaults SET limits = '{}'")  # one owner has all series
    async with opened(settings, url) as database:
        owner = uuid7()
        await connection.execute(
            "INSERT INTO users"
            " (id, created_at, updated_at, version, email, name, timezone, kind, status, credential_version)"
            " VALUES ($1, now(), now(), 1, 'owner@example.com', '', 'Europe/Berlin', 'person', 'active', 0)",
            owner,
        )
        return {
            "opening": await rates(database, connection, owner, options.series, options.rounds),
            "empty tick": await empty_ticks(database, connection, owner, options.asleep),
            "preview (us) by first year": previews(),
            "completion (ms) by first year": await completions(database, connection, owner),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100_000, help="due series")
    parser.add_argument("--asleep", type=int, default=1_000_000, help="series that are not due, for the empty tick")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="todo-benchmarks-") as folder, Server(Path(folder)) as server:
        print(json.dumps(asyncio.run(measure(server.url, options)), indent=2))


if __name__ == "__main__":
    main()
