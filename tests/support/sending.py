"""Reminders whose time has come, and the worker that tells them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
from support.factories import Person

from todo.database import Database
from todo.domain.notifications.jobs import LOOPS
from todo.loops import run_once

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
AT_DUE = {"kind": "relative", "to": "due"}


def ago(**units: float) -> datetime:
    """So long before now; negative for later."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**units)


def zoned(moment: datetime) -> dict[str, str]:
    """A due at this instant."""
    return {"kind": "zoned", "at": f"{moment:%Y-%m-%dT%H:%M:%S}", "timezone": "UTC"}


async def remind(person: Person, task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Set a reminder over HTTP, at the due unless told otherwise."""
    answer = await person.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": AT_DUE} | fields)
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


async def arrive(sql: Sql) -> None:
    """Let every reminder have waited for its time, whenever that was."""
    await sql.execute("UPDATE reminders SET run_at = to_timestamp(0) WHERE task_id IS NOT NULL")


async def due_reminder(person: Person, sql: Sql, title: str = "Water the plants", **past: float) -> dict[str, Any]:
    """A task with a reminder whose time came some minutes ago (five unless told otherwise)."""
    task = await person.add(title, due=zoned(ago(**(past or {"minutes": 5}))))
    reminder = await remind(person, task)
    await sql.execute("UPDATE reminders SET run_at = to_timestamp(0) WHERE id = $1", reminder["id"])
    return task


async def work(database: Database, workers: int = 1) -> None:
    """Do all that is due."""
    async with asyncio.timeout(20):
        await asyncio.gather(*(run_once(database, LOOPS) for _ in range(workers)))


async def sent(person: Person) -> list[str]:
    """The titles in a person's list, oldest first."""
    items = (await person.http.get("/api/notifications?limit=200")).json()["items"]
    return [item["title"] for item in reversed(items)]


async def confirm(sql: Sql, *people: Person) -> None:
    """Let these people's addresses be confirmed, so that mail goes to them."""
    await sql.execute("UPDATE users SET email_verified_at = now() WHERE id = ANY($1)", [p.id for p in people])


async def email_templates(sql: Sql) -> list[asyncpg.Record]:
    """The e-mails of notifications in the order they were written; registration writes others."""
    content = ", ".join(f"payload->'{name}' AS {name}" for name in ("headers", "attachments"))
    content += ", " + ", ".join(f"payload->>'{name}' AS {name}" for name in ("text", "html"))
    query = f"SELECT id, recipient, subject, {content} FROM deliveries WHERE dedup_key IS NOT NULL ORDER BY id"
    return await sql.fetch(query)
