"""The bare function: what is left when there is no framework, no ORM, no real authentication. The floor."""

import os
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

LATE = "overdue_at IS NOT NULL AND overdue_at <= now() AND status <> 'done' AND status <> 'cancelled'"
FIELDS = (
    "id, version, title, notes, status, priority, due, due_at, overdue_at, {late}start, deadline, estimate_minutes,"
    " parent_id, series_id, occurrence, created_at, updated_at, completed_at, owner_id"
)
MINE = "FROM tasks WHERE owner_id = $1 AND deleted_at IS NULL"
LIST = f"SELECT {FIELDS.format(late=LATE + ', ')} {MINE} ORDER BY created_at DESC, id DESC LIMIT 50"
READ = f"SELECT {FIELDS.format(late=LATE + ', ')} {MINE} AND id = $2"
ADD = f"INSERT INTO tasks ({FIELDS.format(late='')}) VALUES ({', '.join(f'${n + 1}' for n in range(19))})"  # noqa: S608 -- names and numbers of our own


class TaskIn(msgspec.Struct):
    title: str
    notes: str = ""
    status: str = "open"
    priority: int = 0
    estimate_minutes: int | None = None


class Task(msgspec.Struct):
    id: UUID
    version: int
    title: str
    notes: str
    status: str
    priority: int
    due: msgspec.Raw | None
    due_at: datetime | None
    overdue_at: datetime | None
    overdue: bool
    start: msgspec.Raw | None
    deadline: date | None
    estimate_minutes: int | None
    parent_id: UUID | None
    series_id: UUID | None
    occurrence: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    created_by: UUID


pool: "asyncpg.Pool[asyncpg.Record]"
users: dict[bytes, UUID] = {}
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(TaskIn).decode


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


async def prepare(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=raw, format="text")


async def keep(_: Any) -> None:
    """Nothing to reset: saves a round trip for every request."""


@asynccontextmanager
async def opened() -> Any:
    global pool
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10, init=prepare, reset=keep)
    users.update({b"Bearer " + row["id"].hex.encode(): row["id"] for row in await pool.fetch("SELECT id FROM users")})
    yield
    await pool.close()


async def add(user: UUID, receive: Any) -> Task:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    new, now = decode(body), datetime.now(UTC)
    task = Task(
        uuid7(), 1, new.title, new.notes, new.status, new.priority, None, None, None, False, None, None,
        new.estimate_minutes, None, None, None, now, now, None, user,
    )  # fmt: skip
    await pool.execute(ADD, *(value for name, value in msgspec.structs.asdict(task).items() if name != "overdue"))
    return task


async def answer(scope: Any, receive: Any) -> tuple[int, Any]:
    user = users.get(dict(scope["headers"]).get(b"authorization", b""))
    if user is None:
        return 401, None
    if scope["method"] == "POST":
        return 201, await add(user, receive)
    if scope["path"] == "/api/tasks":
        return 200, [Task(*row) for row in await pool.fetch(LIST, user)]
    row = await pool.fetchrow(READ, user, UUID(scope["path"].rpartition("/")[2]))
    return (200, Task(*row)) if row else (404, None)


async def lifespan(receive: Any, send: Any) -> None:
    await receive()
    async with opened():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    status, value = await answer(scope, receive)
    body = encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
