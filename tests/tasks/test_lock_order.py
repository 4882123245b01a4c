"""Every verb locks users, series and tasks in this order, as its statements show."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from support.factories import Person
from support.series import Json, Sql, act, begin, day, patch, steer, work

from todo.access import EVERYTHING, Actor, worker_origin
from todo.database import Database
from todo.database_errors import problem_from
from todo.domain.accounts.services.account_deletion import erase_due
from todo.domain.accounts.services.account_status import disable
from todo.domain.accounts.services.roles import grant, revoke
from todo.domain.tasks.series.models import SERIES
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.domain.tasks.services.purging import purge
from todo.errors import Unavailable

ORDER = {"users": 0, "roles": 1, "series": 1, "occurrences": 2, "tasks": 3}
TABLE = f"({'|'.join(ORDER)})"
# Whoever holds the series writes its occurrences, so these need no order among themselves and tasks.
HELD_BY_SERIES = {"occurrences", "tasks"}
WRITTEN = re.compile(rf"\b(?:UPDATE|DELETE FROM) {TABLE}\b")
REFERRED = re.compile(r"\bINSERT INTO (?:tasks|series|deliveries|reminders|comments)\b")  # checks that the user exists
LOCKED = re.compile(rf"\bFROM {TABLE}\b")
OF = re.compile(rf"\bFOR [A-Z ]+ OF {TABLE}\b")
LATER = "2031-03-01"
SOON = str(datetime.now(UTC).date() + timedelta(days=2))


def tables(statement: str) -> list[str]:
    """The tables whose rows a statement locks."""
    if re.search(r"\bFOR (NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b", statement):
        return OF.findall(statement) or LOCKED.findall(statement)[:1]
    return ["users"] * bool(REFERRED.search(statement)) + WRITTEN.findall(statement)


@pytest.fixture
def transactions(database: Database) -> Iterator[list[list[str]]]:
    """The tables for whose rows each transaction may have waited, each once, in order."""
    found: list[list[str]] = []
    current: dict[int, tuple[list[str], set[str]]] = {}

    def begin_one(connection: Any) -> None:
        current[id(connection)] = ([], set())
        found.append(current[id(connection)][0])

    def note(connection: Any, _: Any, statement: str, *__: Any) -> None:
        waited, held = current.setdefault(id(connection), ([], set()))
        for table in tables(statement):
            if table not in held and "SKIP LOCKED" not in statement:
                waited.append(table)
            held.add(table)

    engine = database.engine.sync_engine
    event.listen(engine, "begin", begin_one)
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "begin", begin_one)
    event.remove(engine, "before_cursor_execute", note)


def out_of_order(transactions: list[list[str]]) -> list[list[str]]:
    def ranks(locked: list[str]) -> list[int]:
        return [3 if table in HELD_BY_SERIES else ORDER[table] for table in locked]

    return [locked for locked in transactions if ranks(locked) != sorted(ranks(locked))]


Verb = Callable[[Person, Json, Database], Awaitable[Any]]


async def wait_for_another(ada: Person, task: Json, _: Database) -> None:
    other = await ada.add()
    body = {"blocker_id": other["id"]}
    assert (await ada.http.post(f"/api/tasks/{task['id']}/dependencies", json=body)).status_code == 201


async def close_and_reopen(ada: Person, task: Json, _: Database) -> None:
    await act(ada, task, "complete")
    await act(ada, task, "reopen")


async def close_and_reopen_all(ada: Person, task: Json, _: Database) -> None:
    await act(ada, task, "complete?children=complete")
    await act(ada, task, "reopen")


async def restore(ada: Person, task: Json, _: Database) -> None:
    await ada.http.delete(f"/api/tasks/{task['id']}")
    assert (await ada.http.post(f"/api/trash/{task['id']}/restore")).status_code == 200


async def make_subtask(ada: Person, task: Json, _: Database) -> None:
    other = await ada.add("Sweep", due=day(LATER))
    assert (await patch(ada, other, {"parent_id": task["id"]})).status_code == 200


async def change_zone(ada: Person, _: Json, database: Database) -> None:
    assert (await ada.http.patch("/api/auth/me", json={"timezone": "Asia/Tokyo"})).status_code == 200
    await work(database)


async def empty_trash(ada: Person, task: Json, database: Database) -> None:
    await ada.http.delete(f"/api/tasks/{task['id']}?scope=all")
    async with database.session(worker_origin()) as session:
        assert await purge(session, timedelta(0), 10) == 2


async def in_session(database: Database, change: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    async with database.session(worker_origin()) as session:
        await change(session, Actor(None, "operator", permissions=frozenset({EVERYTHING})), *arguments)


async def roles(ada: Person, _: Json, database: Database) -> None:
    for name in ("member", "superuser"):
        await in_session(database, grant, ada.id, name)
    await in_session(database, revoke, ada.id, "member")


async def delete_account(ada: Person, _: Json, database: Database) -> None:
    await in_session(database, disable, ada.id)
    async with database.session(worker_origin()) as session:
        await session.execute(text("UPDATE users SET status = 'leaving', deletion_at = now() - interval '1 day'"))
    await erase_due(database, worker_origin())


def patched(body: Json, scope: str) -> Verb:
    return lambda ada, task, _: patch(ada, task, body, scope)


def steered(verb: str, body: Json | None) -> Verb:
    return lambda ada, task, _: steer(ada, task, verb, body)


VERBS: dict[str, Verb] = {
    "complete and reopen": close_and_reopen,
    "complete and reopen with subtasks": close_and_reopen_all,
    "skip": lambda ada, task, _: act(ada, task, "skip"),
    "move": lambda ada, task, _: act(ada, task, "move", {"due": day("2031-03-02")}),
    "restore": restore,
    "subtask": make_subtask,
    **{f"delete {scope}": lambda ada, task, _, scope=scope: ada.http.delete(f"/api/tasks/{task['id']}?scope={scope}")
       for scope in ("this", "following", "all")},
    **{f"title of {scope}": patched({"title": "x"}, scope) for scope in ("following", "all")},  # of this: no lock
    "due of following": patched({"due": day("2031-03-03")}, "following"),
    "rule": patched({"recurrence": {"rrule": "FREQ=WEEKLY"}}, "all"),
    "no rule": patched({"recurrence": None}, "all"),
    "rule of series": lambda ada, task, _: ada.http.patch(f"/api/series/{task['series_id']}", json={"title": "y"}),
    **{verb: steered(verb, {}) for verb in ("pause", "skip-missed")},
    "end": steered("end", {"open": "cancel"}),
    "wait": wait_for_another,
    "comment": lambda ada, task, _: ada.http.post(f"/api/tasks/{task['id']}/comments", json={"text": "@ada"}),
    "vacation": lambda ada, _, __: ada.http.post("/api/me/vacation", json={"until": SOON}),
    "time zone": change_zone,
    "worker": lambda _, __, database: work(database),
    "trash": empty_trash,
    "roles": roles,
    "account": delete_account,
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
async def test_every_verb_locks_in_the_one_order(
    ada: Person, database: Database, transactions: list[list[str]], verb: str
) -> None:
    task = await begin(ada, "2026-01-01", on_missed="backfill", max_open=3)
    await ada.add("Sweep", parent_id=task["id"])
    transactions.clear()

    answer = await VERBS[verb](ada, task, database)

    assert not hasattr(answer, "status_code") or answer.status_code < 300, answer.text
    assert any(transactions)
    assert out_of_order(transactions) == []


async def test_a_lock_that_does_not_come_is_said_as_it_is(ada: Person, sql: Sql, database: Database) -> None:
    """So that a deadlock is retried, and a database that is away is a 503."""
    task = await begin(ada, LATER)
    async with sql.transaction():
        await sql.execute("SELECT FROM series FOR UPDATE")
        async with database.session(worker_origin()) as session:
            await session.execute(text("SET LOCAL lock_timeout = '10ms'"))
            with pytest.raises(DBAPIError) as caught:
                await SeriesService(session, session.origin.actor).locked(SERIES.id == task["series_id"])
            await session.rollback()

    assert isinstance(problem_from(caught.value), Unavailable)
