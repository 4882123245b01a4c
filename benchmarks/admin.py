"""What the size of a table costs in the admin: the same lists of a thousand, twenty thousand, and a million tasks.

uv run --group benchmarks python -m benchmarks.admin
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks import SECRET
from todo.access import Actor, Origin
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.cli.migrate import install
from todo.database import Database, Direct, Query
from todo.embedded.server import Server
from todo.modules import REGISTRY
from todo.schema import encode_cursor
from todo.settings import load_settings

S = TypeVar("S")

PEOPLE = 200
LINE = "{:<36} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8}"
USERS = """
    INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status, credential_version)
    SELECT gen_random_uuid(), now(), now(), 1, 'user' || n || '@example.com', '', 'Europe/Berlin', 'person', 'active', 0
    FROM generate_series(1, $1::int) AS n"""
# Three years of work, most of it done: 1 in 1,000 waits, 1 in 50 lies in the trash, 1 in 5,000 is about the plumber.
# Whatever the number of rows, they spread over the same time, and ids follow it as those of the service do.
TASKS = """
    WITH people AS (SELECT array_agg(id ORDER BY email) AS ids FROM users),
    rows AS (SELECT n, now() - (1 - n::float / $1) * interval '3 years' AS at FROM generate_series(1, $1::int) AS n)
    INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
        status, priority, due, due_at, overdue_at, deleted_at)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
        at, at + n % 90 * interval '1 hour', 1, ids[1 + n % 199], ids[1 + n % 199], ids[1 + n % 199],
        (ARRAY['Call', 'Pay', 'Write to', 'Ask', 'Meet', 'Thank', 'Remind'])[1 + n % 7] || ' '
            || CASE WHEN n % 5000 = 7 THEN 'the plumber' ELSE
                (ARRAY['Ada', 'the bank', 'the landlord', 'Grace', 'the school', 'Alan', 'the team', 'everybody',
                'the neighbours', 'Barbara', 'the insurance'])[1 + n % 11] END || ' about number ' || n,
        CASE WHEN n % 3 = 0 THEN 'Some words about it, and what was said on the phone. ' || md5(n::text) ELSE '' END,
        CASE WHEN n % 1000 = 1 THEN 'waiting' WHEN n % 10 = 2 THEN 'open' WHEN n % 50 = 3 THEN 'in_progress'
            WHEN n % 20 = 4 THEN 'cancelled' ELSE 'done' END,
        CASE WHEN n % 400 = 1 THEN 4 WHEN n % 4 = 0 THEN n / 4 % 4 ELSE 0 END,
        CASE WHEN n % 2 = 0 THEN jsonb_build_object('kind', 'day', 'date', (at + interval '7 days')::date) END,
        CASE WHEN n % 2 = 0 THEN at + interval '7 days' END,
        CASE WHEN n % 2 = 0 THEN at + interval '8 days' END,
        CASE WHEN n % 50 = 5 THEN at + interval '1 day' END
    FROM rows, people"""


class Counting(Direct):
    """Statements run as before, and counted."""

    queries = 0

    def __init__(self, inner: Direct):
        self._inner = inner

    async def all(self, query: Query[S], **values: Any) -> list[S]:
        self.queries += 1
        return await self._inner.all(query, **values)

    async def one_or_none(self, query: Query[S], **values: Any) -> S | None:
        self.queries += 1
        return await self._inner.one_or_none(query, **values)


Work = Callable[[], Awaitable[Any]]


class Subject:
    """A database with so many tasks, and what an operator asks of it."""

    def __init__(self, database: Database, somebody: Any, nobody: Any, middle: Any):
        database.reads = self.reads = Counting(database.reads)
        root = Actor(uuid7(), "root", permissions=frozenset({"*"}))
        own = Actor(somebody, "somebody", permissions=frozenset({"admin.enter", "tasks.view"}))
        self._admin, self._own = (
            AdminService(REGISTRY, database, Origin(actor, "admin", "", "")) for actor in (root, own)
        )
        self._owners = str(somebody), str(nobody)
        self._middle = middle

    def work(self) -> dict[str, Work]:
        """What is measured, by what people would call it."""
        deep = encode_cursor("-created_at,-id", self._middle["created_at"], self._middle["id"])
        (somebody, nobody), task = self._owners, self._middle["id"]
        page = self._page
        return {
            "first page": page(facets=False),
            **{f"sorted by {sort}": page(sort=sort, facets=False) for sort in _sorts()},
            "a page in the middle": page(sort="-created_at", cursor=deep, facets=False),
            "trash": page(trash=True, facets=False),
            "first page, facets": page(),
            "a page in the middle, facets": page(sort="-created_at", cursor=deep),
            "trash, facets": page(trash=True),
            "open, facets": page(filters={"status": ["open"]}, sort="-created_at"),
            "waiting (rare), facets": page(filters={"status": ["waiting"]}, sort="-created_at"),
            "waiting and urgent, facets": page(filters={"status": ["waiting"], "priority": ["4"]}, sort="due_at"),
            "past 7 days, facets": page(filters={"created_at": ["past_7_days"]}, sort="-created_at"),
            "one owner, facets": page(filters={"owner_id": [somebody]}, sort="-created_at"),
            "owner of nothing, facets": page(filters={"owner_id": [nobody]}, sort="-created_at"),
            "in a series (none), facets": page(filters={"series_id": ["set"]}, sort="-created_at"),
            **{_label(name, value): page(filters={name: [value]}) for name, value in self._filters()},
            **{
                f"{_label(name, value)} by due_at": page(filters={name: [value]}, sort="due_at")
                for name, value in self._filters()
            },
            "search plumber (rare), facets": page(q="plumber"),
            "search school (common), facets": page(q="school", sort="-created_at"),
            "search zebra (nowhere), facets": page(q="zebra"),
            "search zq (two letters), facets": page(q="zq"),
            "own tasks only, facets": lambda: self._own.queries.page("tasks", ListQuery()),
            "date hierarchy": lambda: self._admin.queries.periods("tasks"),
            "date hierarchy of a year": lambda: self._admin.queries.periods(
                "tasks", ListQuery(filters={"created_at": ["2026"]})
            ),
            "search everywhere": lambda: self._admin.queries.search("plumber"),
            "one task": lambda: self._admin.queries.get("tasks", task),
            "its history": lambda: self._admin.history.of_row("tasks", task),
        }

    def _filters(self) -> Iterator[tuple[str, str]]:
        """Each filter of the list with a value, and where a field can be empty also with and without one."""
        tasks = REGISTRY["tasks"]
        for name in tasks.filter_names:
            field = tasks.filtered[name]
            choice = "done" if "done" in field.choices else "active"
            values = {"choice": choice, "text": "user7@", "integer": "2..3", "instant": "past_30_days"}
            yield name, values.get(field.kind, self._owners[0])
            if field.nullable:
                yield from ((name, "set"), (name, "empty"))

    def _page(self, **list_query: Any) -> Work:
        return lambda: self._admin.queries.page("tasks", ListQuery(**list_query))


def _label(name: str, value: str) -> str:
    return f"{name}={'somebody' if len(value) == 36 else value}"


def _sorts() -> list[str]:
    return [f"{sign}{name}" for name in REGISTRY["tasks"].sorts for sign in ("", "-")]


@asynccontextmanager
async def subject(url: str, number: int) -> AsyncIterator[Subject]:
    settings = load_settings(_env_file=None, database_url=url, secret_key=SECRET)
    await install(settings, url)
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE quota_defaults SET limits = '{}'")
    await connection.execute(USERS, PEOPLE)
    await connection.execute(TASKS, number, timeout=3600)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    owners = [row["id"] for row in await connection.fetch("SELECT id FROM users ORDER BY email")]
    middle = await connection.fetchrow(
        "SELECT id, created_at FROM tasks WHERE deleted_at IS NULL AND id >= (SELECT id FROM tasks ORDER BY id"
        " OFFSET $1 LIMIT 1) ORDER BY id LIMIT 1",
        number // 2,
    )
    await connection.close()
    database = await Database(settings, url).open()
    yield Subject(database, owners[0], owners[-1], middle)
    await database.close()


async def compare(subjects: list[Subject], name: str, rounds: int) -> dict[str, Any]:
    """Medians of milliseconds, and of the ratios within each round; A B C A B C, so that noise hits all alike."""
    works = [one.work()[name] for one in subjects]
    for work in works * 6:  # PostgreSQL plans the first five runs of a statement for their values
        await work()
    taken = [[await _milliseconds(work) for work in works] for _ in range(rounds)]
    found: dict[str, Any] = {
        "ms": [median(times) for times in zip(*taken, strict=True)],
        "ratios": [median(row[-1] / row[place] for row in taken) for place in range(len(works) - 1)],
        "queries": [await _queries(one, work) for one, work in zip(subjects, works, strict=True)],
    }
    return found


async def _milliseconds(work: Work) -> float:
    begin = time.perf_counter()
    await work()
    return (time.perf_counter() - begin) * 1000


async def _queries(one: Subject, work: Work) -> int:
    one.reads.queries = 0
    await work()
    return one.reads.queries


async def create(url: str, name: str) -> str:
    """Another database beside the first; its URL."""
    connection = await asyncpg.connect(url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return url.replace("/todo?", f"/{name}?")


async def measure(url: str, options: argparse.Namespace) -> dict[str, Any]:
    few, some, many = [
        subject(await create(url, f"tasks_{number}"), number) for number in (options.few, options.some, options.many)
    ]
    async with few as a, some as b, many as c:
        names = [name for name in a.work() if options.only in name]
        return {name: await compare([a, b, c], name, options.rounds) for name in names}


def show(results: dict[str, Any], options: argparse.Namespace) -> None:
    sizes = [f"{number:,}" for number in (options.few, options.some, options.many)]
    print(LINE.format("ms (medians)", *sizes, f"x {sizes[0]}", f"x {sizes[1]}", "queries"))
    for name, found in results.items():
        queries = "/".join(str(number) for number in dict.fromkeys(found["queries"]))
        dashboard = [f"{value:.1f}" for value in found["ms"]] + [f"{ratio:.2f}" for ratio in found["ratios"]]
        print(LINE.format(name, *dashboard, queries))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--some", type=int, default=20_000, help="about as many as counts go up to")
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="measure what has this text in its name")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="todo-benchmarks-") as folder,
        Server(Path(folder), settings={"synchronous_commit": "off"}) as server,
    ):
        results = asyncio.run(measure(server.url, options))
    if options.json:
        print(json.dumps(vars(options) | {"results": results}, indent=2))
    else:
        show(results, options)


if __name__ == "__main__":
    main()
