"""The bare function: what is left when there is no framework, no ORM, no real authentication. The floor."""

import os
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

LATE = "overdue_at IS NOT NULL AND overdue_at <= now() AND status <> 'done' AND status <> 'cancelled'"
STORED = (
    "id, version, title, notes, status, priority, due, due_at, overdue_at, start, deadline, estimate_minutes,"
    " labels, assignee_ids, project_id, section_id, position, parent_id, series_id, occurrence, created_at, updated_at,"
    " completed_at, created_by, blocked"
)
DERIVED = ("overdue", "progress")
PLACE = " coalesce(position, 'U' || replace(id::text, '-', '')),"
PROGRESS = ", CASE WHEN subtasks_total > 0 THEN jsonb_build_object('done', subtasks_done, 'total', subtasks_total) END"
FIELDS = STORED.replace("overdue_at,", f"overdue_at, {LATE},").replace(" position,", PLACE) + PROGRESS
MINE = "FROM tasks WHERE owner_id = $1 AND deleted_at IS NULL"
ORDER = "ORDER BY created_at DESC, id DESC LIMIT 50"
CHANGED = "updated_at = now(), version = version + 1"
THIS = f"WHERE owner_id = $1 AND id = $2 RETURNING {FIELDS}"
LIST = f"SELECT {FIELDS} {MINE} {ORDER}"
FILTERED = f"SELECT {FIELDS} {MINE} AND status = $2 AND priority = $3 {ORDER}"
CHANGE = f"UPDATE tasks SET title = $3, {CHANGED} {THIS}"  # noqa: S608 -- names of our own
COMPLETE = f"UPDATE tasks SET status = 'done', completed_at = now(), {CHANGED} {THIS}"  # noqa: S608 -- names of our own
READ = f"SELECT {FIELDS} {MINE} AND id = $2"
VALUES = ", ".join(f"${n + 1}" for n in range(25))
ADD = f"INSERT INTO tasks ({STORED}, owner_id) VALUES ({VALUES}, $24)"  # noqa: S608 -- names and numbers of our own


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
    labels: list[str]
    assignee_ids: list[UUID]
    project_id: UUID
    section_id: UUID | None
    position: str
    parent_id: UUID | None
    series_id: UUID | None
    occurrence: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    created_by: UUID
    blocked: bool
    progress: msgspec.Raw | None


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


async def body_of(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    return body


async def add(user: UUID, body: bytes) -> Task:
    new, now = decode(body), datetime.now(UTC)
    task = Task(
        task_id := uuid7(), 1, new.title, new.notes, new.status, new.priority, None, None, None, False, None, None,
        new.estimate_minutes, [], [], user, None, f"U{task_id.hex}", None, None, None, now, now, None, user, False,
        None,
    )  # fmt: skip
    await pool.execute(ADD, *(value for name, value in msgspec.structs.asdict(task).items() if name not in DERIVED))
    return task


async def many(user: UUID, query: bytes) -> list[Task]:
    if not query:
        return [Task(*row) for row in await pool.fetch(LIST, user)]
    wanted = parse_qs(query.decode())
    return [Task(*row) for row in await pool.fetch(FILTERED, user, wanted["status"][0], int(wanted["priority"][0]))]


async def one(user: UUID, method: str, path: str, receive: Any) -> tuple[int, Any]:
    _, _, _, task_id, *verb = path.split("/")
    if verb:
        row = await pool.fetchrow(COMPLETE, user, UUID(task_id))
    elif method == "PATCH":
        row = await pool.fetchrow(CHANGE, user, UUID(task_id), decode(await body_of(receive)).title)
    else:
        row = await pool.fetchrow(READ, user, UUID(task_id))
    return (200, Task(*row)) if row else (404, None)


async def answer(scope: Any, receive: Any) -> tuple[int, Any]:
    user = users.get(dict(scope["headers"]).get(b"authorization", b""))
    if user is None:
        return 401, None
    if scope["path"] != "/api/tasks":
        return await one(user, scope["method"], scope["path"], receive)
    if scope["method"] == "POST":
        return 201, await add(user, await body_of(receive))
    return 200, await many(user, scope["query_string"])


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
