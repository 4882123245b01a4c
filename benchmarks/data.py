"""The database all stacks are measured on: our embedded server and schema, people, tasks, a token for everybody."""

import asyncio
import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import jwt
from uuid_utils.compat import uuid7

from benchmarks import SECRET
from todo.cli.installation import opened
from todo.cli.migrate import install
from todo.domain.accounts.services.keys import TokenKeys
from todo.embedded.server import Server
from todo.settings import Settings, load_settings, secret_key

USERS, TASKS = 200, 40_000
PEERS = ("FastAPI + SQLModel", "its template", "Litestar + ORM", "Django REST", "django-ninja")
ENDPOINTS = ("list", "filtered list", "read", "add", "change", "complete")
NEW = {"title": "Pay the rent", "notes": "On the first of the month.", "priority": 2, "estimate_minutes": 5}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DUE = '{"kind": "day", "date": "2026-12-31"}'


class Person(NamedTuple):
    """A user, some of their tasks, and the credential each stack knows them by."""

    tasks: list[UUID]
    credentials: dict[str, str]


@contextmanager
def database(
    *, durable: bool = False, users: int = USERS, tasks: int = TASKS
) -> Iterator[tuple[str, list[Person], int]]:
    """The URL of a database with these numbers of users and tasks, its people, and the server's process id.

    Unless `durable`, commits do not wait for the disk, for any stack.
    """
    commit = {"synchronous_commit": "on" if durable else "off"}
    with (
        tempfile.TemporaryDirectory(prefix="todo-benchmarks-") as folder,
        Server(Path(folder), settings=commit | {"max_connections": "300"}) as server,
    ):
        people = asyncio.run(_fill(server.url, users, tasks))
        yield server.url, people, int((Path(folder) / "postgres" / "postmaster.pid").read_text().split()[0])


async def open_again(url: str) -> None:
    """Open what was completed, so that it can be completed again."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE tasks SET status = 'open', completed_at = NULL WHERE status = 'done'")
        await connection.execute("VACUUM ANALYZE tasks")
    finally:
        await connection.close()


async def _fill(url: str, users: int, tasks: int) -> list[Person]:
    settings = load_settings(_env_file=None, database_url=url, secret_key=SECRET, access_token_seconds=86400)
    await install(settings, url)
    connection = await asyncpg.connect(url)
    try:
        owned = await _insert(connection, [uuid7() for _ in range(users)], tasks)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    ours = await _our_tokens(settings, url, list(owned))
    return [Person(owned[user], {"todo": ours[user], **_other_tokens(user)}) for user in owned]


async def _insert(connection: Any, users: list[UUID], tasks: int) -> dict[UUID, list[UUID]]:
    rows = [_task(n, users[n % len(users)], n // len(users)) for n in range(tasks)]
    await connection.executemany(
        "INSERT INTO users"
        " (id, created_at, updated_at, version, email, name, timezone, kind, status, credential_version)"
        " VALUES ($1, now(), now(), 1, $2, '', 'Europe/Berlin', 'person', 'active', 0)",
        [(user, f"user{n}@example.com") for n, user in enumerate(users)],
    )
    await connection.execute("INSERT INTO user_roles SELECT u.id, r.id FROM users u, roles r WHERE r.name = 'member'")
    await connection.copy_records_to_table(
        "tasks", records=[tuple(row.values()) for row in rows], columns=list(rows[0])
    )
    return {user: [row["id"] for row in rows[n :: len(users)]] for n, user in enumerate(users)}


def _task(n: int, owner: UUID, number: int) -> dict[str, Any]:
    """The task with this number of its owner. Every second one has a due date, every third one notes."""
    at = BEGIN + timedelta(minutes=n)
    return {
        "id": uuid7(), "created_at": at, "updated_at": at, "version": 1, "owner_id": owner,
        "project_id": owner, "created_by": owner,
        "title": f"Task number {n} of them all", "notes": "Some words about it. " * 5 if n % 3 == 0 else "",
        "status": "open", "priority": number % 5, "due": DUE if n % 2 else None, "due_at": at if n % 2 else None,
        "overdue_at": at + timedelta(days=1) if n % 2 else None,
    }  # fmt: skip


async def _our_tokens(settings: Settings, url: str, users: list[UUID]) -> dict[UUID, str]:
    async with opened(settings, url) as database:
        keys = TokenKeys(database, settings, secret_key(settings))
        return {user: await keys.sign(user) for user in users}


def _other_tokens(user: UUID) -> dict[str, str]:
    until = datetime.now(UTC) + timedelta(days=1)
    signed = jwt.encode({"sub": str(user), "exp": until}, SECRET, algorithm="HS256")
    simple = {"sub": str(user), "exp": until, "token_type": "access", "jti": user.hex}
    return dict.fromkeys(PEERS, signed) | {
        "Django REST": jwt.encode(simple, SECRET, algorithm="HS256"),
        "bare": user.hex,
    }


def requests(people: list[Person], stack: str) -> dict[str, list[str]]:
    """The raw HTTP requests of each endpoint, everybody in turn."""
    chosen = random.Random(1)
    found: dict[str, list[str]] = {name: [] for name in (*ENDPOINTS, "mixed")}
    for person in people:
        ask = _Asker(person.credentials[stack])
        some = chosen.sample(person.tasks, 10)
        found["list"].append(ask("GET", "/api/tasks"))
        found["filtered list"].append(ask("GET", "/api/tasks?status=open&priority=2"))
        found["read"] += [ask("GET", f"/api/tasks/{task}") for task in some]
        found["add"].append(ask("POST", "/api/tasks", NEW))
        # A title that is the same would change nothing.
        found["change"] += [ask("PATCH", f"/api/tasks/{task}", {"title": title}) for title in "AB" for task in some]
        found["complete"] += [ask("POST", f"/api/tasks/{task}/complete") for task in person.tasks[50:150]]
        found["mixed"] += _mixed(found, chosen)
    return found


def _mixed(found: dict[str, list[str]], chosen: random.Random) -> list[str]:
    """Ten requests of the person whose requests were added last: seven reads, two changes, one new task."""
    requests = found["list"][-1:] * 3 + found["read"][-4:] + found["change"][-2:] + found["add"][-1:]
    chosen.shuffle(requests)
    return requests


class _Asker:
    def __init__(self, credential: str):
        self._head = f"host: 127.0.0.1\r\nauthorization: Bearer {credential}\r\n"

    def __call__(self, method: str, path: str, body: object = None) -> str:
        text = "" if body is None else json.dumps(body)
        typed = "" if body is None else "content-type: application/json\r\n"
        length = "" if method == "GET" else f"content-length: {len(text)}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._head}{typed}{length}\r\n{text}"
