"""The database all stacks are measured on: our embedded server and schema, people, tasks, a token for everybody."""

import asyncio
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
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DUE = '{"kind": "day", "date": "2026-12-31"}'


class Person(NamedTuple):
    """A user, some of their tasks, and the credential each stack knows them by."""

    tasks: list[UUID]
    credentials: dict[str, str]


@contextmanager
def database() -> Iterator[tuple[str, list[Person]]]:
    """The URL of a filled database, and its people. Commits do not wait for the disk, for any stack."""
    with (
        tempfile.TemporaryDirectory(prefix="todo-benchmarks-") as folder,
        Server(Path(folder), settings={"synchronous_commit": "off"}) as server,
    ):
        yield server.url, asyncio.run(_fill(server.url))


async def _fill(url: str) -> list[Person]:
    settings = load_settings(_env_file=None, database_url=url, secret_key=SECRET, access_token_seconds=86400)
    await install(settings, url)
    connection = await asyncpg.connect(url)
    try:
        tasks = await _insert(connection)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    ours = await _our_tokens(settings, url, list(tasks))
    return [Person(tasks[user], {"todo": ours[user], **_other_tokens(user)}) for user in tasks]


async def _insert(connection: Any) -> dict[UUID, list[UUID]]:
    users = [uuid7() for _ in range(USERS)]
    rows = [_task(n, users[n % USERS]) for n in range(TASKS)]
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
    return {user: [row["id"] for row in rows[n::USERS]] for n, user in enumerate(users)}


def _task(n: int, owner: UUID) -> dict[str, Any]:
    """Every second one has a due date, every third one notes."""
    at = BEGIN + timedelta(minutes=n)
    return {
        "id": uuid7(), "created_at": at, "updated_at": at, "version": 1, "owner_id": owner,
        "title": f"Task number {n} of them all", "notes": "Some words about it. " * 5 if n % 3 == 0 else "",
        "status": "open", "priority": n % 5, "due": DUE if n % 2 else None, "due_at": at if n % 2 else None,
        "overdue_at": at + timedelta(days=1) if n % 2 else None,
    }  # fmt: skip


async def _our_tokens(settings: Settings, url: str, users: list[UUID]) -> dict[UUID, str]:
    async with opened(settings, url) as database:
        keys = TokenKeys(database, settings, secret_key(settings))
        return {user: await keys.sign(user) for user in users}


def _other_tokens(user: UUID) -> dict[str, str]:
    claims = {"sub": str(user), "exp": datetime.now(UTC) + timedelta(days=1)}
    return {"fastapi+sqlmodel": jwt.encode(claims, SECRET, algorithm="HS256"), "bare": user.hex}


def requests(people: list[Person], stack: str) -> dict[str, list[str]]:
    """The raw HTTP requests of each endpoint, everybody in turn."""
    task = '{"title": "Pay the rent", "notes": "On the first of the month.", "priority": 2, "estimate_minutes": 5}'
    body = f"content-type: application/json\r\ncontent-length: {len(task)}"
    chosen = random.Random(1)
    found: dict[str, list[str]] = {"list": [], "read": [], "add": []}
    for person in people:
        credential = f"host: 127.0.0.1\r\nauthorization: Bearer {person.credentials[stack]}"
        found["list"].append(f"GET /api/tasks HTTP/1.1\r\n{credential}\r\n\r\n")
        found["add"].append(f"POST /api/tasks HTTP/1.1\r\n{credential}\r\n{body}\r\n\r\n{task}")
        found["read"] += [
            f"GET /api/tasks/{task_id} HTTP/1.1\r\n{credential}\r\n\r\n" for task_id in chosen.sample(person.tasks, 10)
        ]
    return found
