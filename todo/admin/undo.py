"""Undo a background action as a whole: its rows get their values back, unless they have changed since."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from todo.admin.actions import sentence
from todo.admin.declaration import ModelAdmin
from todo.admin.models import Run
from todo.admin.service import AdminService
from todo.audit import Event, record
from todo.contention import is_contention
from todo.database import WriteSession, columns
from todo.database_errors import problem_from
from todo.errors import Conflict, Problem

EVENT = columns(Event)
UNDOABLE = ("change", "delete", "restore")  # actions; others have counterparts, such as complete and reopen
SHOWN = 20  # rows that are named


def obstacle_of(run: Any) -> str:
    """Return why a run cannot be undone, or "". `run` is the row, or as the admin shows it."""
    if run.action not in UNDOABLE:
        return "Only changes, deletions and restorations of many rows can be undone as a whole."
    if run.target.get("purge"):
        return "These rows were deleted permanently."
    return "" if run.status in {"done", "failed"} else "This is still running."


async def undo_run(admin: AdminService, session: WriteSession, run: Run) -> str:
    """Restore the rows of a run in this transaction. Return how many, and which have changed since and stay.

    Raise Forbidden or NotFound.
    """
    table = admin.registry.table(run.resource)
    events = await _events(session, table, run)
    left = await _as_left(session, table, [event.subject_id for event in events if event.subject_id])
    restored, kept = 0, []
    for event in events:
        try:
            async with session.begin_nested():
                await _undo(admin, session, table, run.action, event, left)
            restored += 1
        except Exception as error:
            problem = error if isinstance(error, Problem) else problem_from(error)
            if problem is None or is_contention(error):
                raise
            kept.append(f"{event.subject_id}: {sentence(problem)}")
    counts = {"restored": restored, "not_restored": len(kept)}
    await record(session, "runs.undo", Run.__tablename__, subject_id=run.id, after=counts)
    if not events:
        return "Nothing to undo: this job changed no row."
    more = f" and {len(kept) - SHOWN} more" if len(kept) > SHOWN else ""
    left_out = [f"Not restored: {'; '.join(kept[:SHOWN])}{more}"] if kept else []
    return " ".join([f"{restored} restored.", *left_out])


async def _events(session: WriteSession, table: ModelAdmin[Any], run: Run) -> list[Event]:
    """Return what a run did, in the order in which it is undone."""
    found = select(Event).where(
        EVENT.id >= run.id,  # ids are in the order of time: only these partitions are read
        EVENT.request_id == run.request_id,
        EVENT.source == "worker",
        EVENT.subject == table.model.__tablename__,
        EVENT.action == table.event(run.action),
    )
    return list(await session.scalars(found.order_by(EVENT.id)))


async def _as_left(session: WriteSession, table: ModelAdmin[Any], ids: list[UUID]) -> dict[UUID, Any]:
    """Return when rows were put into the trash, before the first is restored, perhaps together with others."""
    if not table.trash:
        return {}
    rows = columns(table.model)
    found = await session.execute(select(rows["id"], rows[table.trash]).where(rows["id"].in_(ids)))
    return {row_id: moment for row_id, moment in found}


async def _undo(
    admin: AdminService, session: WriteSession, table: ModelAdmin[Any], action: str, event: Event,
    left: dict[UUID, Any],
) -> None:  # fmt: skip
    row = await admin.context.locked(session, table, event.subject_id or "")
    before, after = event.before or {}, event.after or {}
    if action == "change":
        names = {field.name for field in admin.editor.writable(table.name, adding=False)} & before.keys() & after.keys()
        if any(msgspec.to_builtins(getattr(row, name)) != after[name] for name in names):
            raise Conflict("It has changed since.")
        sent = admin.editor.accept(table, {name: before[name] for name in sorted(names)}, adding=False)
        await admin.editor.change_locked(session, table, row, sent)
        return
    if msgspec.to_builtins(left[row.id]) != after.get(table.trash):
        raise Conflict("It has changed since.")
    if msgspec.to_builtins(getattr(row, table.trash)) != after.get(table.trash):
        return  # restored, or deleted, along with another row
    undo = admin.editor.restore_locked if action == "delete" else admin.editor.delete_locked
    await undo(session, table, row)
