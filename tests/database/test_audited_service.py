"""advanced-alchemy's verbs over SQLModel rows: what is written leaves its audit event, or is refused."""

import json
from typing import Any

import pytest
from support.factories import Person, origin_for

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import Database
from todo.domain.tasks.models import Task


class Tasks(AuditedService[Task], model=Task):
    """A service with nothing of its own."""


UNAUDITED: dict[str, Any] = {
    "create_many": lambda tasks, row: tasks.create_many([{"owner_id": row.owner_id, "title": "B"}]),
    "update_many": lambda tasks, row: tasks.update_many([{"id": row.id, "title": "B"}]),
    "upsert": lambda tasks, row: tasks.upsert({"id": row.id, "title": "B", "owner_id": row.owner_id}),
    "upsert_many": lambda tasks, row: tasks.upsert_many([{"id": row.id, "title": "B", "owner_id": row.owner_id}]),
    "get_or_upsert": lambda tasks, row: tasks.get_or_upsert(title="B", owner_id=row.owner_id),
    "get_and_update": lambda tasks, row: tasks.get_and_update(id=row.id, title="B"),
    "delete_many": lambda tasks, row: tasks.delete_many([row.id]),
    "delete_where": lambda tasks, row: tasks.delete_where(Task.id == row.id),
}


def actor_of(person: Person) -> Actor:
    return Actor(person.id, person.email)


def mine(person: Person) -> dict[str, Any]:
    """In the inbox of a person, written by them."""
    return dict.fromkeys(("owner_id", "project_id", "created_by"), person.id)


async def events(sql: Any, row_id: Any) -> list[tuple[str, Any, Any]]:
    rows = await sql.fetch("SELECT action, before, after FROM audit_events WHERE subject_id = $1 ORDER BY id", row_id)
    return [(row["action"], *(row[side] and json.loads(row[side]) for side in ("before", "after"))) for row in rows]


async def test_create_update_and_delete_leave_their_events(database: Database, ada: Person, sql: Any) -> None:
    async with database.session(origin_for(actor_of(ada))) as session:
        tasks = Tasks(session, actor_of(ada))
        row = await tasks.create(mine(ada) | {"title": "A", "notes": "keep me"})
        changed = await tasks.update({"title": "B"}, row.id)
        await tasks.update({"title": "B"}, row.id)
        await tasks.delete(row.id)

    added, updated, deleted = await events(sql, row.id)
    assert (changed.title, changed.notes, changed.version) == ("B", "keep me", 2)
    assert (added[0], updated, deleted[0]) == (
        "tasks.add",
        ("tasks.change", {"title": "A"}, {"title": "B"}),
        "tasks.delete",
    )
    assert (added[2]["title"], deleted[1]["title"], deleted[2]) == ("A", "B", None)


async def test_an_action_may_have_a_name_and_a_reason(database: Database, ada: Person, sql: Any) -> None:
    async with database.session(origin_for(actor_of(ada))) as session:
        tasks = Tasks(session, actor_of(ada))
        row = await tasks.create(
            Task(**mine(ada), title="A"),
            action="tasks.import",
            reason="Ticket 17",
        )

    assert [name for name, *_ in await events(sql, row.id)] == ["tasks.import"]
    assert await sql.fetchval("SELECT reason FROM audit_events WHERE subject_id = $1", row.id) == "Ticket 17"


@pytest.mark.parametrize("verb", UNAUDITED)
async def test_verbs_that_would_leave_no_event_are_refused(verb: str, database: Database, ada: Person) -> None:
    async with database.session(origin_for(actor_of(ada))) as session:
        tasks = Tasks(session, actor_of(ada))
        row = await tasks.create(mine(ada) | {"title": "A"})

        with pytest.raises(TypeError, match="audit event"):
            await UNAUDITED[verb](tasks, row)
