"""Fills a running service, by its data folder and URL, with rows of every table."""

import asyncio
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
from conftest import settings_for
from sqlalchemy import text
from support.admin_rows import Rows

from todo.access import worker_origin
from todo.admin.declaration import ModelAdmin
from todo.database import Database, now
from todo.embedded.server import Server
from todo.modules import REGISTRY

ADMIN = "admin@example.com"
EACH = 20
WITHOUT = {
    "audit": "every write has an event",
    "series": "its fields depend on each other: `add_series` has the service make them, with their occurrences",
    "occurrences": "as series",
    "signing_keys": "its private key belongs to the secret of the service, which has one",
}
# In turn, so that each action has a row that it can be carried out on.
VALUES: dict[str, list[dict[str, Any]]] = {
    "users": [{}, {"status": "disabled"}],
    "projects": [{}, {"archived_at": now()}],
    "runs": [
        {"resource": "tasks", "action": "change", "status": status, "target": {}} for status in ("done", "running")
    ],
    "deliveries": [{"failed_at": now()}],
    "invitations": [{"email": f"guest-{number}@example.com"} for number in range(EACH)],
}


async def fill(url: str) -> None:
    """Add rows to every table of the admin, as the administrator's."""
    database = await Database(settings_for(url)).open()
    try:
        async with database.session(worker_origin()) as session:
            owner_id = await session.scalar(text("SELECT id FROM users WHERE email = :email"), {"email": ADMIN})
        rows = Rows(REGISTRY, database, owner_id)
        for resource in REGISTRY:
            if isinstance(resource, ModelAdmin) and resource.name not in WITHOUT:
                for values in islice(cycle(VALUES.get(resource.name, [{}])), EACH):
                    await rows.of(resource, **values)
    finally:
        await database.close()


def add_series(base: str) -> None:
    """Add series, each with the task that is open."""
    with httpx.Client(base_url=base) as http:
        credentials = {"email": ADMIN, "password": "seven tall ships at sea"}
        token = http.post("/api/auth/login", json=credentials).raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        due, recurrence = {"kind": "day", "date": "2031-01-31"}, {"rrule": "FREQ=DAILY"}
        for _ in range(EACH):
            task = {"title": "Water the plants", "due": due, "recurrence": recurrence}
            http.post("/api/tasks", json=task).raise_for_status()


if __name__ == "__main__":
    add_series(sys.argv[2])
    asyncio.run(fill(Server(Path(sys.argv[1])).url))
