"""Short ways to say what the tests of series say often."""

import asyncio
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import httpx
from sqlalchemy import select
from support.factories import Person

from todo.access import worker_origin
from todo.database import Database
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.materialize import materialize_series
from todo.loops import run_once
from todo.modules import LOOPS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]


def day(date: str) -> Json:
    return {"kind": "day", "date": date}


def floating(at: str) -> Json:
    return {"kind": "floating", "at": at}


async def begin(person: Person, date: str, rrule: str = "FREQ=DAILY", **recurrence: Any) -> Json:
    """The first occurrence of a series of days."""
    return await person.add(due=day(date), recurrence={"rrule": rrule} | recurrence)


async def act(person: Person, task: Json, verb: str, body: Json | None = None, **options: Any) -> Json:
    """A verb on a task, which must succeed."""
    body_of = {} if body is None else {"json": body}
    answer = await person.http.post(f"/api/tasks/{task['id']}/{verb}", **body_of, **options)
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def patch(person: Person, task: Json, body: Json, scope: str | None = None) -> httpx.Response:
    query = f"?scope={scope}" if scope else ""
    return await person.http.patch(f"/api/tasks/{task['id']}{query}", json=body)


async def changed(person: Person, task: Json, body: Json, scope: str | None = None) -> Json:
    answer = await patch(person, task, body, scope)
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def series_of(person: Person, task: Json) -> Json:
    answer = await person.http.get(f"/api/series/{task['series_id']}")
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def steer(person: Person, task: Json, verb: str, body: Json | None = None) -> httpx.Response:
    return await person.http.post(f"/api/series/{task['series_id']}/{verb}", **({} if body is None else {"json": body}))


async def series_occurrences(person: Person, task: Json) -> list[tuple[str, str]]:
    """Occurrences and what became of them, the first first."""
    answer = await person.http.get(f"/api/series/{task['series_id']}/occurrences?sort=occurrence&limit=200")
    assert answer.status_code == 200, answer.text
    return [(entry["occurrence"], entry["status"]) for entry in answer.json()["items"]]


async def open_occurrences(person: Person) -> list[str]:
    found = await person.http.get("/api/tasks?status=open&sort=due_at&limit=200")
    return [task["occurrence"] for task in found.json()["items"] if task["occurrence"]]


async def everything(sql: Sql, *but: str) -> Json:
    """All series, occurrences and tasks, without what counts or tells of changes."""
    ignored = {"version", "updated_at", *but}
    return {
        table: sorted(
            (str(row["id"]), *(str(value) for name, value in row.items() if name not in ignored))
            for row in await sql.fetch(f"SELECT * FROM {table}")
        )
        for table in ("series", "occurrences", "tasks")
    }


async def work(database: Database, workers: int = 1) -> None:
    """What workers do now."""
    async with asyncio.timeout(20):
        await asyncio.gather(*(run_once(database, LOOPS) for _ in range(workers)))


async def work_at(database: Database, moment: datetime) -> None:
    """What the worker does with every series that is not paused or ended, at this moment."""
    async with database.session(worker_origin()) as session:
        found = (await session.scalars(select(Series).where(SERIES.status == "active").with_for_update())).all()
        await materialize_series(session, found, moment)


def fields(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]
