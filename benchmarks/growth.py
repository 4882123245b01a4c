"""How lists grow with the tasks of one person, and what each index of tasks costs a write.

    uv run python -m benchmarks.growth [--shared] [most]

With `--shared` the tasks are in 200 projects of that person, half of them in one, and somebody with whom all of these
are shared asks.
For 1,000 tasks of one person, for 100,000 and a million, up to `most`: the median time of each question, asked by one
connection through the service's own statements. Then what an insert and an update would save without each index: the
index is dropped in a transaction that is rolled back. CPU time is that of the server's process, where Linux tells it.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from hashlib import md5
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks import SECRET
from todo.access import Actor
from todo.cli.installation import opened
from todo.cli.migrate import install
from todo.domain.tasks.controllers.list_parameters import SORTS, filtered, filters_of
from todo.domain.tasks.includes import reads_of
from todo.domain.tasks.queries import TaskReads
from todo.embedded.server import Server
from todo.settings import load_settings

ZONE = "Europe/Berlin"
ASKED = (
    "status", "priority", "when", "days", "due_before", "due_after", "changed_since", "completed_before",
    "completed_after", "section_id", "label", "assignee", "blocked",
    "series_id", "parent_id", "q",
)  # fmt: skip
# Filters and options of a page. Most tasks are done; one in 100 is open, one in 5,000 is about the plumber
QUESTIONS: dict[str, dict[str, Any]] = {
    **{f"sort={sort}": {"sort": sort} for sort in SORTS if "position" not in sort},
    "sort=-priority,due_at": {"sort": "-priority,due_at"},
    "status=open": {"status": ["open"]},
    "status=open&sort=-priority": {"status": ["open"], "sort": "-priority"},
    "status=open&sort=due_at": {"status": ["open"], "sort": "due_at"},
    "when=overdue": {"when": "overdue"},
    "when=today": {"when": "today"},
    "when=upcoming": {"when": "upcoming"},
    "due_after=2999 (none)": {"due_after": "2999-01-01T00:00:00Z"},
    "due_before=1999 (none)": {"due_before": "1999-01-01T00:00:00Z"},
    "changed_since (ten)": {"changed_since": "{since}"},
    "completed_after (ten)": {"completed_after": "{since}"},
    "parent_id=none": {"parent_id": "none"},
    "include=series,subtasks": {"include": frozenset({"series", "subtasks"})},
    "count=true": {"count": True},
    "label=water": {"label": ["water"]},
    "label=often (a tenth)": {"label": ["often"]},
    "label=often&sort=due_at": {"label": ["often"], "sort": "due_at"},
    "assignee=me (a fifth)": {"assignee": "me"},
    "assignee=me&status=open": {"assignee": "me", "status": ["open"]},
    "assignee=me&sort=due_at": {"assignee": "me", "sort": "due_at"},
    "assignee=none": {"assignee": "none"},
    "label=often&status=open": {"label": ["often"], "status": ["open"]},
    "blocked=true (none)": {"blocked": True},
    "q=plumber": {"q": "plumber"},
    "q=plumber call": {"q": "plumber call"},
    "q=number (all)": {"q": "number"},
    "q=number&status=open": {"q": "number", "status": ["open"]},
    "q=call (a quarter)": {"q": "call"},
    "q=phone (a third, in notes)": {"q": "phone"},
    "q=number&sort=-created_at": {"q": "number", "sort": "-created_at"},
    "q=call&sort=due_at": {"q": "call", "sort": "due_at"},
    "q=plumber&sort=due_at": {"q": "plumber", "sort": "due_at"},
    "filter=label = often": {"filter": "label = often"},
    "filter=label = water and closed": {"filter": "label = water and closed"},
    "filter=assignee = me order by due": {"filter": "assignee = me order by due"},
}
FILL = """
    INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
        status, priority, due, due_at, overdue_at, completed_at, deadline, start, labels, assignee_ids)
    SELECT gen_random_uuid(), at, at, 1, $1, $1, $1, (ARRAY['Call', 'Pay', 'Ask', 'Meet'])[1 + n % 4]
            || CASE WHEN n % 5000 = 7 THEN ' the plumber' ELSE ' somebody' END || ' about number ' || n,
        CASE WHEN n % 3 = 0 THEN 'Some words about it, and what was said on the phone. ' || md5(n::text) ELSE '' END,
        CASE WHEN n % 100 = 2 THEN 'open' WHEN n % 1000 = 3 THEN 'waiting' ELSE 'done' END, n % 5,
        CASE WHEN n % 2 = 0 THEN jsonb_build_object('kind', 'floating', 'at', to_char(at, 'YYYY-MM-DD"T"HH24:MI')) END,
        CASE WHEN n % 2 = 0 THEN at + interval '7 days' END, CASE WHEN n % 2 = 0 THEN at + interval '7 days' END,
        CASE WHEN n % 100 <> 2 AND n % 1000 <> 3 THEN at END, CASE WHEN n % 10 = 1 THEN at::date END,
        CASE WHEN n % 10 = 3 THEN jsonb_build_object('kind', 'day', 'date', at::date) END,
        CASE WHEN n % 5000 = 7 THEN '{water}' WHEN n % 10 = 1 THEN '{often}' ELSE '{}' END::text[],
        CASE WHEN n % 10 IN (2, 5) THEN ARRAY[$1::uuid] ELSE '{}' END
    FROM (SELECT n, now() - (1 - (n - $2::int)::float / ($3 - $2)) * interval '3 years' AS at
        FROM generate_series($2 + 1, $3::int) AS n) AS rows"""
USER = """
    INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status, credential_version,
        quotas)
    SELECT $1, now(), now(), 1, $3, '', $2, 'person', 'active', 0, jsonb_object_agg(name, 0)
    FROM quota_defaults, jsonb_object_keys(limits) AS name"""
TENTH = "SELECT updated_at FROM tasks ORDER BY updated_at DESC OFFSET 9 LIMIT 1"
INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) / 1024 / 1024 AS mib,
        pg_get_indexdef(indexrelid) AS definition
    FROM pg_index
    WHERE indrelid = 'tasks'::regclass AND NOT indisprimary AND NOT indisunique ORDER BY 1"""
INSERT = FILL.replace("$2", "0").replace("$3", "1000")
UPDATE = """
    UPDATE tasks SET title = title || '.', updated_at = now() WHERE id IN (SELECT id FROM tasks LIMIT 1000)"""


PROJECT = "md5('project ' || CASE WHEN n % 2 = 0 THEN 0 ELSE n % 200 END)::uuid"
FILL_PROJECTS = FILL.replace("$1, $1, $1,", f"$1, {PROJECT}, $1,").replace("ARRAY[$1::uuid]", "ARRAY[$4::uuid]")
SHARE = """
    WITH added AS (
        INSERT INTO projects (id, created_at, updated_at, version, owner_id, name, description)
        SELECT md5('project ' || n)::uuid, now(), now(), 1, $1, n::text, '' FROM generate_series(0, 199) AS n
        RETURNING id
    )
    INSERT INTO project_members (id, created_at, updated_at, version, project_id, user_id, role)
    SELECT gen_random_uuid(), now(), now(), 1, id, $2, 'viewer' FROM added"""
ACCESS = "SELECT rewrite_project_access(id) FROM projects WHERE id <> owner_id"
LARGEST = UUID(bytes=md5(b"project 0").digest())  # noqa: S324 -- as PostgreSQL makes it
OF_PROJECT = {f"project_id=...&{name}": asked | {"project_id": LARGEST} for name, asked in {
    "sort=-created_at": {}, "sort=due_at": {"sort": "due_at"}, "status=open": {"status": ["open"]},
    "q=plumber": {"q": "plumber"}, "label=water": {"label": ["water"]},
    "q=plumber&sort=due_at": {"q": "plumber", "sort": "due_at"},
}.items()}  # fmt: skip


async def ask(reads: Any, actor: UUID, question: dict[str, Any], since: str) -> Any:
    """Ask one question as the route does."""
    asked = {name: since if value == "{since}" else value for name, value in question.items()}
    options = {name: asked.pop(name) for name in ("sort", "count", "limit", "cursor") if name in asked}
    options["project_id"] = asked.pop("project_id", None)
    read = reads_of(asked.pop("include", frozenset()))
    person = Actor(id=actor, name="ada", timezone=ZONE)
    text = asked.pop("filter", None)
    filters = filters_of(person, **(dict.fromkeys(ASKED) | asked))
    options |= filtered(text, person, filters, options.get("sort"))
    if options["sort"] == "rank":
        return await read.search.page(reads, actor, filters, asked=asked, **options)
    return await TaskReads(reads, person).page(filters, read.lists, asked=asked, **options)


async def measure(reads: Any, actor: UUID, since: str, questions: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the median milliseconds of each question; infinite, where it takes longer than a statement may."""
    found = {}
    for name, question in questions.items():
        try:
            found[name] = median([await _time_of(reads, actor, question, since) for _ in range(25)][5:])
        except asyncpg.QueryCanceledError:
            found[name] = inf
    return found


async def _time_of(reads: Any, actor: UUID, question: dict[str, Any], since: str) -> float:
    began = perf_counter()
    await ask(reads, actor, question, since)
    return (perf_counter() - began) * 1000


async def costs(connection: Any, actor: UUID) -> list[tuple[str, int, float, float]]:
    """Return each index, its MiB, and the microseconds of CPU that a row's insert and update take less without it."""
    with_all = [await _timed(connection, statement, actor) for statement in (INSERT, UPDATE)]
    found = []
    for name, mib, _ in await connection.fetch(INDEXES):
        without = [await _timed(connection, statement, actor, f"DROP INDEX {name}") for statement in (INSERT, UPDATE)]
        found.append((name, mib, with_all[0] - without[0], with_all[1] - without[1]))
    return [("all of them", 0, *with_all), *found]


async def fill(connection: Any, statement: str, *arguments: Any) -> None:
    """Add tasks with their words, but without what other triggers count, and build the indexes afterwards."""
    indexes = await connection.fetch(INDEXES)
    await connection.execute("ALTER TABLE tasks ENABLE ALWAYS TRIGGER tasks_set_words_insert")
    await connection.execute("SET session_replication_role = replica")
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(statement, *arguments, timeout=3600)
    for index in indexes:
        await connection.execute(index["definition"], timeout=3600)
    await connection.execute("SET session_replication_role = origin")
    await connection.execute("ALTER TABLE tasks ENABLE TRIGGER tasks_set_words_insert")
    await connection.execute("VACUUM ANALYZE tasks", timeout=3600)


async def _timed(connection: Any, statement: str, actor: UUID, first: str = "SELECT 1") -> float:
    """Return the least microseconds of CPU per row of five runs, each rolled back."""
    times, pid = [], await connection.fetchval("SELECT pg_backend_pid()")
    for _ in range(5):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(first)
        began = _cpu_of(pid)
        await connection.execute(statement, *([actor] if "$1" in statement else []))
        times.append((_cpu_of(pid) - began) / 1_000_000)
        await transaction.rollback()
    return min(times)


def _cpu_of(pid: int) -> int:
    """Return the nanoseconds that a process has run."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


async def run(url: str, sizes: Sequence[int], *, shared: bool) -> None:
    settings = load_settings(_env_file=None, database_url=url, secret_key=SECRET)
    await install(settings, url)
    owner, columns = uuid7(), []
    actor, questions = (uuid7(), QUESTIONS | OF_PROJECT) if shared else (owner, QUESTIONS)
    connection = await asyncpg.connect(url)
    for person, email in {owner: "ada@example.com", actor: "bob@example.com"}.items():
        await connection.execute(USER, person, ZONE, email)
    if shared:
        await connection.execute(SHARE, owner, actor)
        await connection.execute(ACCESS)
    async with opened(settings, url) as database:
        for before, size in zip([0, *sizes], sizes, strict=False):
            if shared:
                await fill(connection, FILL_PROJECTS, owner, before, size, actor)
            else:
                await fill(connection, FILL, owner, before, size)
            since = (await connection.fetchval(TENTH)).isoformat()
            columns.append(await measure(database.reads, actor, since, questions))
    print(f"| question | {' | '.join(f'{size:,}' for size in sizes)} | growth |\n|---|{'--:|' * (len(sizes) + 1)}")
    for name in questions:
        times = [column[name] for column in columns]
        print(f"| {name} | {' | '.join(f'{time:.2f}' for time in times)} | {times[-1] / times[0]:.2f} |")
    print("\n| index | MiB | insert | update |\n|---|--:|--:|--:|")
    for name, mib, insert, update in [] if shared else await costs(connection, owner):
        print(f"| {name} | {mib} | {insert:.1f} | {update:.1f} |")
    await connection.close()


def main() -> None:
    shared = "--shared" in sys.argv
    most = next((int(one) for one in sys.argv[1:] if one.isdigit()), 1_000_000)
    sizes = [size for size in (1_000, 100_000, 1_000_000) if size <= most]
    with (
        tempfile.TemporaryDirectory(prefix="todo-growth-") as folder,
        Server(Path(folder), settings={"synchronous_commit": "off", "maintenance_work_mem": "256MB"}) as server,
    ):
        asyncio.run(run(server.url, sizes, shared=shared))


if __name__ == "__main__":
    main()
