"""advanced-alchemy's write verbs on SQLModel rows: what our service must survive."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import Person

from todo.access import worker_origin
from todo.database import Database, Repository, Service
from todo.domain.tasks.models import Task


class Tasks(Service[Task]):
    class Repo(Repository[Task]):
        model_type = Task

    repository_type = Repo


async def stored(session: AsyncSession, owner: Person) -> Task:
    row = Task(owner_id=owner.id, title="A", notes="keep me")
    session.add(row)
    await session.flush()
    session.expunge_all()
    return row


VERBS: dict[str, Any] = {
    "update by id": lambda tasks, row: tasks.update({"title": "B"}, item_id=row.id),
    "update with id": lambda tasks, row: tasks.update({"id": row.id, "title": "B"}),
    "update many": lambda tasks, row: tasks.update_many([{"id": row.id, "title": "B"}]),
    "upsert": lambda tasks, row: tasks.upsert({"id": row.id, "title": "B", "owner_id": row.owner_id}),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_an_update_keeps_what_was_not_sent(verb: str, database: Database, ada: Person) -> None:
    async with database.session(worker_origin()) as session:
        before = await stored(session, ada)

        await VERBS[verb](Tasks(session), before)
        await session.flush()
        session.expunge_all()

        after = await Tasks(session).get_one(Task.id == before.id)
        assert (after.title, after.notes, after.created_at) == ("B", "keep me", before.created_at)
