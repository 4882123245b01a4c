"""Putting a task after another one, or first."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, select, tuple_, update

from todo.audit import record_changes
from todo.database import WriteSession, new_id, now, table_of
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.order.rules import MOST_KEY, NoKeyBetween, between, key_of_new, spread
from todo.domain.tasks.queries import position
from todo.errors import Contention, Invalid

FEWEST = 100  # tasks that get new keys at once


class Spot(NamedTuple):
    """Where a task has its place: those of a project with the same section and parent."""

    project_id: UUID
    section_id: UUID | None
    parent_id: UUID | None

    def others(self, task_id: UUID) -> list[ColumnElement[bool]]:
        return [
            TASK.project_id == self.project_id,
            TASK.section_id.is_(None) if self.section_id is None else TASK.section_id == self.section_id,
            TASK.parent_id.is_(None) if self.parent_id is None else TASK.parent_id == self.parent_id,
            TASK.deleted_at.is_(None),
            TASK.id != task_id,
        ]


class After(NamedTuple):
    """The task after which another one comes."""

    id: UUID
    key: str
    section_id: UUID | None


async def lock_order(session: WriteSession, project_id: UUID) -> None:
    """Lock the order of the tasks of a project: two moves to one place come after each other."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"order {project_id}", 0))))


async def find_after(session: WriteSession, task: Task, after_id: UUID) -> After:
    """The task to come after, which has the project and the parent of the one that is moved. Raises Invalid."""
    there = Spot(task.project_id, None, task.parent_id).others(task.id)
    del there[1]  # in any section
    found = (
        await session.execute(select(TASK.id, position, TASK.section_id).where(*there, TASK.id == after_id))
    ).first()
    if found is None:
        raise Invalid.field("body.after_id", "There is no such task with the same project and parent.", "not_found")
    return After(*found)


async def key_after(session: WriteSession, task: Task, spot: Spot, after: After | None) -> str:
    """A key for a task between its neighbors; where there is none, those after it get new ones."""
    low, rows = after.key if after else "", await _following(session, task, spot, after, 1)
    try:
        key = between(low, _end(low, rows))
        if len(key) <= MOST_KEY:
            return key
    except NoKeyBetween:
        pass
    number = FEWEST
    while True:
        rows = await _following(session, task, spot, after, number + 1)
        try:
            keys = spread(low, _end(low, rows[number:]), min(len(rows), number) + 1)
            if len(rows) <= number or max(map(len, keys)) <= MOST_KEY // 2:
                await _rewrite(session, rows[:number], keys[1:])
                return keys[0]
        except NoKeyBetween:
            if len(rows) <= number:
                raise Contention from None
        number *= 4


def _end(low: str, rows: Sequence[Any]) -> str:
    """The key of the next task or, after the last one, that of a task added now: those to come follow."""
    return rows[0].key if rows else max(key_of_new(new_id()), low + "z")


async def _following(session: WriteSession, task: Task, spot: Spot, after: After | None, number: int) -> Sequence[Any]:
    where = spot.others(task.id)
    if after:
        where.append(tuple_(position, TASK.id) > tuple_(after.key, after.id))
    found = select(TASK.id, position.label("key")).where(*where).order_by(position, TASK.id).limit(number)
    return (await session.execute(found)).all()


async def _rewrite(session: WriteSession, rows: Sequence[Any], keys: Sequence[str]) -> None:
    """Give tasks new keys, in the order that they have."""
    if not rows:
        return
    values = {"position": bindparam("key"), "updated_at": now(), "version": TASK.version + 1}
    change = update(table_of(Task)).where(TASK.id == bindparam("task", type_=TASK.id.type)).values(values)
    pairs = list(zip(rows, keys, strict=True))
    await session.execute(change, [{"task": row.id, "key": key} for row, key in sorted(pairs)])
    changes = ((row.id, {"position": row.key}, {"position": key}) for row, key in pairs)
    await record_changes(session, "tasks.order", "tasks", changes)
