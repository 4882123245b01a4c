"""Undo a background action as a whole: its rows get their values back, unless they have changed since.

Of an import, rows that it added go to the trash, or are deleted where there is none.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, null, select

from todo.admin.actions import sentence
from todo.admin.declaration import ModelAdmin
from todo.admin.models import IMPORT, Run
from todo.admin.previews import cascade_of
from todo.admin.service import AdminService
from todo.admin.several import process
from todo.audit import Event, record
from todo.database import WriteSession, columns
from todo.errors import Conflict, Problem

EVENT = columns(Event)
UNDOABLE = ("change", "delete", "restore")  # actions; others have counterparts, such as complete and reopen
SHOWN = 20  # rows that are named


def obstacle_of(run: Any) -> str:
    """Return why a run cannot be undone, or "". `run` is the row, or as the admin shows it."""
    if run.action not in (*UNDOABLE, IMPORT):
        return "Only imports, changes, deletions and restorations of many rows can be undone as a whole."
    if run.target.get("purge"):
        return "These rows were deleted permanently."
    if run.status == "draft":
        return "This import has not begun."
    return "" if run.status in {"done", "failed", "cancelled"} else "This is still running."


class Undone(Struct):
    """How far an undo is: the event that was undone last, how many rows, and the first of those that stay."""

    last: UUID | None = None
    removed: int = 0
    restored: int = 0
    stay: int = 0
    named: list[str] = []


async def undo_run(admin: AdminService, session: WriteSession, run: Run) -> str:
    """Restore the rows of a run in this transaction. Return how many, and which have changed since and stay.

    Raise Forbidden or NotFound.
    """
    so_far = Undone()
    await undo_part(admin, session, run, so_far, None)
    return await finish_undo(session, run, so_far)


async def undo_part(
    admin: AdminService, session: WriteSession, run: Run, so_far: Undone, limit: int | None
) -> bool:  # fmt: skip
    """Restore the next rows of a run, of an import at most `limit`. Return whether there may be more."""
    table = admin.registry.table(run.resource)
    undo = _Undo(admin, session, table, run)
    limit = limit if run.action == IMPORT else None
    events = await undo.read(so_far.last, limit)
    results = await process(session, events, undo.one, undo.hold)
    stay = [str(event.subject_id) for event, result in zip(events, results, strict=True) if isinstance(result, Problem)]
    names = await admin.queries.names(table.name, stay[:SHOWN])
    for event, result in zip(events, results, strict=True):
        if isinstance(result, Problem):
            so_far.stay += 1
            name = names.get(str(event.subject_id)) or event.subject_id
            so_far.named = [*so_far.named, f"{name}: {sentence(result)}"][:SHOWN]
        elif event.action == table.event("add"):
            so_far.removed += result
        else:
            so_far.restored += result
        so_far.last = event.id
    return limit is not None and len(events) == limit


async def finish_undo(session: WriteSession, run: Run, done: Undone) -> str:
    """Record an undo. Return what it did."""
    counts = {"removed": done.removed, "restored": done.restored, "not_restored": done.stay}
    await record(session, "runs.undo", Run.__tablename__, subject_id=run.id, after=counts)
    return _summary(run, done) if done.last else "Nothing to undo: this job changed no row."


def _summary(run: Run, done: Undone) -> str:
    removed, restored, kept = done.removed, done.restored, "; ".join(done.named)
    more = f" and {done.stay - SHOWN} more" if done.stay > SHOWN else ""
    parts = [f"{removed} removed."] if run.action == IMPORT else []
    parts += [f"{restored} restored."] if restored or not parts else []
    parts += [f"Not restored: {kept}{more}"] if kept else []
    return " ".join(parts)


class _Undo:
    """Undoes what a run did to single rows."""

    def __init__(self, admin: AdminService, session: WriteSession, table: ModelAdmin[Any], run: Run):
        self._admin, self._session, self._table, self._run = admin, session, table, run
        self._there: dict[UUID, Any] = {}  # rows that there are, and since when they are in the trash
        self._touched: dict[UUID, set[str]] = {}  # rows that something else has changed since, and which fields

    async def read(self, last: UUID | None, limit: int | None) -> list[Event]:
        """Return what the run did, in the order in which it is undone: rows that an import added, the last first.

        Those of an import after the event `last`, up to `limit`.
        """
        is_import = self._run.action == IMPORT
        actions = ("add", "change") if is_import else (self._run.action,)
        found = select(Event).where(
            EVENT.id >= self._run.id,  # ids are in the order of time: only these partitions are read
            EVENT.request_id == self._run.request_id,
            EVENT.subject == self._table.model.__tablename__,
            EVENT.action.in_([self._table.event(action) for action in actions]),
        )
        found = found if is_import else found.where(EVENT.source == "worker")
        found = found.where(EVENT.id < last) if last and is_import else found
        events = list(
            await self._session.scalars(found.order_by(EVENT.id.desc() if is_import else EVENT.id).limit(limit))
        )
        ids = [event.subject_id for event in events if event.subject_id]
        self._there = await self._read_trash(ids)
        self._touched = await self._read_touched(ids)
        return events

    async def hold(self, events: Sequence[Event]) -> None:
        """Lock the rows of some events."""
        ids = [event.subject_id for event in events if event.subject_id]
        await self._admin.context.hold(self._session, self._table, ids)

    async def one(self, event: Event) -> bool:
        """Undo what was done to one row. Return False when there is nothing left to do. Raise Conflict and others."""
        if event.action == self._table.event("add"):
            return await self._remove(event)
        row = await self._admin.context.locked(self._session, self._table, event.subject_id or "")
        if event.action == self._table.event("change"):
            await self._change_back(event, row)
        else:
            await self._restore(event, row)
        return True

    async def _remove(self, event: Event) -> bool:
        """Remove a row that an import added, unless it is gone."""
        context, table = self._admin.context, self._table
        if event.subject_id not in self._there or self._there[event.subject_id] is not None:
            return False
        row = await context.locked(self._session, table, event.subject_id)
        if row.id in self._touched:
            raise Conflict("It has changed since.")
        context.require(table, "delete", row)
        if await self._has_others(row.id):
            raise Conflict("Other rows depend on it.")
        await table.remove_added(context.action_context(self._session), row)
        return True

    async def _has_others(self, row_id: UUID) -> bool:
        """Return whether rows that were not imported with this one, or were kept, would go or change with it."""
        if self._table.trash:
            return bool(await self._table.count_cascade(self._admin.context.action_context(self._session), [row_id]))
        return bool(await cascade_of(self._session, self._admin.registry, self._table, [row_id]))

    async def _change_back(self, event: Event, row: Any) -> None:
        editor, before, after = self._admin.editor, event.before or {}, event.after or {}
        names = {field.name for field in editor.writable(self._table.name, adding=False)} & before.keys() & after.keys()
        is_same = all(msgspec.to_builtins(getattr(row, name)) == after[name] for name in names)
        if not is_same or names & self._touched.get(row.id, set()):
            raise Conflict("It has changed since.")
        sent = editor.accept(self._table, {name: before[name] for name in sorted(names)}, adding=False)
        await editor.change_locked(self._session, self._table, row, sent)

    async def _restore(self, event: Event, row: Any) -> None:
        """Move a row out of the trash, or back into it."""
        editor, then = self._admin.editor, (event.after or {}).get(self._table.trash)
        if msgspec.to_builtins(self._there[row.id]) != then:
            raise Conflict("It has changed since.")
        if msgspec.to_builtins(getattr(row, self._table.trash)) != then:
            return  # restored, or deleted, along with another row
        undo = editor.restore_locked if self._run.action == "delete" else editor.delete_locked
        await undo(self._session, self._table, row)

    async def _read_trash(self, ids: Collection[UUID]) -> dict[UUID, Any]:
        """Return when rows were put into the trash, before the first is restored, perhaps together with others."""
        rows = columns(self._table.model)
        since = rows[self._table.trash] if self._table.trash else null()
        found = await self._session.execute(select(rows["id"], since).where(rows["id"] == _any(ids)))
        return {row_id: moment for row_id, moment in found}

    async def _read_touched(self, ids: Collection[UUID]) -> dict[UUID, set[str]]:
        """Return the rows that something else has changed since, such as an undo, with the names of their fields."""
        names = func.array(select(func.jsonb_object_keys(EVENT.after)).correlate(Event).scalar_subquery())
        found = select(EVENT.subject_id, names).where(
            EVENT.id > self._run.id, EVENT.subject == self._table.model.__tablename__, EVENT.subject_id == _any(ids),
            EVENT.request_id != self._run.request_id,
        )  # fmt: skip
        touched = defaultdict[UUID, set[str]](set)
        for row_id, changed in await self._session.execute(found):
            touched[row_id] |= {*changed}
        return touched


def _any(ids: Collection[UUID]) -> Any:
    """Return what equals one of any number of ids: as one parameter, of which a statement has at most 32,767."""
    return any_(bindparam("ids", [*ids], type_=ARRAY(Uuid)))
