"""The history of a row from the audit log, and reverting changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select

from todo.admin.context import AdminContext, uuid_of
from todo.admin.declaration import Id, ModelAdmin
from todo.admin.editor import Editor
from todo.admin.fields import Field, label_of
from todo.admin.queries import Queries
from todo.admin.schemas import Change, Difference, HistoryPage, RowAsOf, SearchHit
from todo.audit import Event
from todo.database import Query, columns
from todo.errors import Conflict, NotFound
from todo.listing import Listing, Sort

EVENT = columns(Event)
PEOPLE = "users"  # the resource of actors, as of those of runs
SHOWN = (
    "id", "at", "actor_id", "actor", "actor_kind", "on_behalf_of", "action", "source", "reason", "before", "after",
)  # fmt: skip
_of_row = (
    EVENT.subject == bindparam("subject", type_=EVENT.subject.type),
    EVENT.subject_id == bindparam("subject_id", type_=EVENT.subject_id.type),
)


class Entry(msgspec.Struct):
    """An audit event as stored."""

    id: UUID
    at: Any
    actor_id: UUID | None
    actor: str
    actor_kind: str
    on_behalf_of: UUID | None
    action: str
    source: str
    reason: str | None
    before: Any
    after: Any


ENTRIES = Listing(
    Entry,
    select(*(EVENT[name] for name in SHOWN)).where(*_of_row),
    filters={},
    sorts={"id": Sort(EVENT.id, UUID, lambda entry: entry.id)},
    default="-id",
)
ONE = Query(Entry, select(*(EVENT[name] for name in SHOWN)).where(*_of_row, EVENT.id == bindparam("event")))
MOST_LATER = 1_000  # changes between then and now
LATER = Query(
    Entry,
    select(*(EVENT[name] for name in SHOWN))
    .where(*_of_row, EVENT.at > bindparam("at"))
    .order_by(EVENT.id.desc())
    .limit(MOST_LATER + 1),
)
MINE = Query(
    lambda subject, subject_id: (subject, subject_id),
    select(EVENT.subject, EVENT.subject_id)
    .where(EVENT.actor_id == bindparam("actor", type_=EVENT.actor_id.type), EVENT.subject_id.is_not(None))
    .order_by(EVENT.id.desc())
    .limit(100),
)


class History:
    """Read the history of rows, and revert changes."""

    def __init__(self, context: AdminContext, queries: Queries, editor: Editor):
        self._context, self._queries, self._editor = context, queries, editor

    async def of_row(self, resource: str, row_id: Id, cursor: str | None = None, limit: int = 50) -> HistoryPage:
        """Return the history of a row, newest first. Raise Forbidden or NotFound."""
        await self._queries.get(resource, row_id)
        admin = self._context.table(resource)
        subject, database = _subject(admin, row_id), self._context.database
        page = await ENTRIES.page(database.reads, {}, limit=limit, cursor=cursor, **subject)
        fields = {field.name: field for field in self._context.reads(admin).fields}
        actors = await self._actors(page.items)
        changes = [_change(admin, fields, entry, actor) for entry, actor in zip(page.items, actors, strict=True)]
        return HistoryPage(changes, page.next_cursor)

    async def _actors(self, entries: Sequence[Entry]) -> list[str]:
        """Return who made changes: other people by name, where this actor knows it, unless they may all be viewed."""
        actor, registry = self._context.actor, self._context.registry
        others = {str(entry.actor_id) for entry in entries if entry.actor_id not in (None, actor.id)}
        if not others or PEOPLE not in registry or registry.table(PEOPLE).shows_all(actor):
            return [entry.actor for entry in entries]
        known = await self._queries.names(PEOPLE, others)
        return [known.get(str(one.actor_id), "") if str(one.actor_id) in others else one.actor for one in entries]

    async def as_of(self, resource: str, row_id: Id, at: datetime) -> RowAsOf:
        """Return a row as it was then, by the audit log. Raise Forbidden or NotFound; Conflict for too many changes."""
        row = await self._queries.get(resource, row_id)
        admin = self._context.table(resource)
        later = await self._context.database.reads.all(LATER, at=at, **_subject(admin, row_id))
        if len(later) > MOST_LATER:
            raise Conflict(f"More than {MOST_LATER:,} changes have been made since. Choose a later time.")
        fields = [field for field in self._context.reads(admin).fields if not field.computed and field.kind != "secret"]
        now = {field.name: msgspec.to_builtins(getattr(row, field.name)) for field in fields}
        then, existed = dict(now), True
        for before, after in map(_sides, later):
            existed = not (after and not before and "id" in after)
            then |= {name: value for name, value in before.items() if name in now}
        labels = {field.name: field.label for field in fields}
        changed = [Difference(name, labels[name], then[name], now[name]) for name in now if then[name] != now[name]]
        return RowAsOf(at, existed, then if existed else {}, changed if existed else [])

    async def revert(self, resource: str, row_id: Id, event_id: UUID) -> Any:
        """Restore the fields of one change to their previous values, and return the row.

        Only writable fields are restored. Raise Forbidden, NotFound, or Conflict when they have changed since.
        """
        admin = self._context.table(resource, "change")
        async with self._context.transaction() as session:
            row = await self._context.locked(session, admin, row_id)  # checks visibility before any event is read
            entry = await self._context.database.primary.one_or_none(ONE, event=event_id, **_subject(admin, row_id))
            if entry is None:
                raise NotFound
            sent, after = self._undoing(admin, entry)
            if moved := [name for name in sent if msgspec.to_builtins(getattr(row, name)) != after[name]]:
                labels = ", ".join(admin.fields[name].label for name in moved)
                raise Conflict(f"These fields have changed again since: {labels}.")
            await self._editor.change_locked(session, admin, row, sent)
            return await self._context.read(session, admin, row.id)

    def _undoing(self, admin: ModelAdmin[Any], entry: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the previous and the resulting values of a change.

        Raise Conflict when none of its fields is writable.
        """
        before, after = _sides(entry)
        writable = {field.name for field in self._editor.writable(admin.name, adding=False)}
        names = sorted(name for name in before.keys() & after.keys() & writable if before[name] != after[name])
        if not names:
            raise Conflict("This change cannot be undone.", slug="protected")
        return self._editor.accept(admin, {name: before[name] for name in names}, adding=False), after

    async def recent(self, limit: int = 10) -> list[SearchHit]:
        """Return the rows this actor changed last, if they still exist and are visible."""
        if self._context.actor.id is None:
            return []
        touched = list(dict.fromkeys(await self._context.database.reads.all(MINE, actor=self._context.actor.id)))
        found: dict[tuple[str, str], SearchHit] = {}
        for admin in (one for one in self._context.resources() if isinstance(one, ModelAdmin)):
            ids = [str(row_id) for subject, row_id in touched if subject == admin.model.__tablename__]
            for row_id, display in (await self._queries.names(admin.name, ids)).items():
                found[str(admin.model.__tablename__), row_id] = SearchHit(admin.name, row_id, display)
        return [found[key] for subject, row_id in touched if (key := (subject, str(row_id))) in found][:limit]


def _subject(admin: ModelAdmin[Any], row_id: Id) -> dict[str, Any]:
    return {"subject": admin.model.__tablename__, "subject_id": uuid_of(row_id)}


def _sides(entry: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
    sides = [
        msgspec.json.decode(side) if isinstance(side, msgspec.Raw) else side for side in (entry.before, entry.after)
    ]
    return sides[0] or {}, sides[1] or {}


def _change(admin: ModelAdmin[Any], fields: Mapping[str, Field], entry: Entry, actor: str) -> Change:
    """Convert an event for this actor: hidden fields are removed; values that are not fields (a role) are kept."""
    before, after = _sides(entry)
    names = [
        name
        for name in {**before, **after}
        if name in fields or name not in {column.name for column in columns(admin.model)}
    ]
    differences = [
        Difference(name, fields[name].label if name in fields else label_of(name), before.get(name), after.get(name))
        for name in names
    ]
    # An action is reverted by its counterpart, e.g. complete by reopen.
    by_action = entry.action.rpartition(".")[2] in admin.actions
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]  # none in an erased event
    undoable = not by_action and any(name in fields and fields[name].on_change for name in changed)
    return Change(
        entry.id, entry.at, actor, entry.actor_kind, entry.on_behalf_of, entry.action, entry.source, entry.reason,
        differences, undoable,
    )  # fmt: skip
