"""The audit log: each event is written in the same statement as the change it records."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Generic, Literal
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from advanced_alchemy.service import ModelDictT, SQLAlchemyAsyncRepositoryService, schema_dump
from msgspec.json import encode
from sqlalchemy import (
    CTE,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Insert,
    Result,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.selectable import ForUpdateArg
from sqlmodel import Field, SQLModel

from todo.access import SOURCES, Actor, Origin
from todo.actions import ACTIONS, Action
from todo.database import Database, M, Query, Row, WriteSession, new_id, now, table_of
from todo.errors import NotFound

Verb = Literal["create", "update", "delete"]
Extend = Callable[[Insert], Insert]
Condition = Select[Any] | ReturningInsert[Any]


class Event(SQLModel, table=True):
    """An audit event. Only an erasure changes it (`todo/erasure.py`), and only the retention deletes it.

    The table has a partition per month (`todo/audit_partitions.py`).
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "subject_id", "id"),
        Index("ix_audit_events_actor", "actor_id", "id"),
        Index("ix_audit_events_action", "action", "id"),
        Index("ix_audit_events_at", "at"),
        CheckConstraint(f"source IN ({', '.join(map(repr, SOURCES))})", "source"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    actor_id: UUID | None = None
    actor: str
    actor_kind: str
    on_behalf_of: UUID | None = None
    action: str
    subject: str
    subject_id: UUID | None = None
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    reason: str | None = None
    request_id: str
    address: str
    source: str


def event(
    origin: Origin,
    action: Action,
    subject: str,
    subject_id: UUID | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Return the values of an audit event. `before` and `after` hold only the fields that differ."""
    return _who(origin) | {
        "id": new_id(),
        "at": now(),
        "action": action,
        "subject": subject,
        "subject_id": subject_id,
        "before": before,
        "after": after,
        "reason": reason or origin.reason,
    }


def _who(origin: Origin) -> dict[str, Any]:
    """Return who acts, and from where, as audit events have it."""
    actor = origin.actor
    who = actor.by or actor
    return {
        "actor_id": who.id,
        "actor": who.name,
        "actor_kind": who.kind,
        "on_behalf_of": actor.id if actor.by else None,
        "reason": origin.reason,
        "request_id": origin.request_id,
        "address": origin.address,
        "source": origin.source,
    }


async def record(session: WriteSession, action: Action, subject: str, **details: Any) -> None:
    """Record an event that changes no row (a sign-in, a rejection) in the caller's transaction."""
    await session.execute(insert(Event).values(event(session.origin, action, subject, **details)))


async def record_changes(
    session: WriteSession,
    action: Action,
    subject: str,
    changes: Iterable[tuple[UUID, Mapping[str, Any] | None, Mapping[str, Any] | None]],
) -> None:
    """Record the changes of many rows (id, before, after) by one statement, in the caller's transaction."""
    entries = [
        event(session.origin, action, subject, row_id, before=before, after=after) for row_id, before, after in changes
    ]
    if entries:
        await session.execute(insert(table_of(Event)), entries)


async def name_actor(session: WriteSession) -> None:
    """Let what triggers end in this transaction be recorded as done by who acts: in the SQL function `audit_event`."""
    await session.execute(select(func.set_config("todo.origin", encode(_who(session.origin)).decode(), True)))


class Repository(SQLAlchemyAsyncRepository[M], Generic[M]):
    """advanced-alchemy's repository for reads only: its writes would not be audited, so they raise TypeError."""

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Use create, update or delete of the service: they write the audit event.")

    add = add_many = update = update_many = upsert = upsert_many = _refuse
    delete = delete_many = delete_where = get_or_upsert = get_and_update = _refuse


class AuditedService(SQLAlchemyAsyncRepositoryService[M, Repository[M]], Generic[M]):
    """advanced-alchemy's service for one table. `create`, `update` and `delete` also write the audit event.

    Each is a single statement, so one round trip; the session commits. The action defaults to that of the table, such
    as `tasks.change`. `actor` is the user whose rows and permissions apply; the audit log has the session's origin.
    Further options of advanced-alchemy have no effect.
    """

    table: ClassVar[Table]

    def __init_subclass__(cls, model: type[Row] | None = None, **options: Any):
        super().__init_subclass__(**options)
        if model is not None:
            cls.repository_type = type(f"{model.__name__}Repository", (Repository,), {"model_type": model})
            cls.table = table_of(model)

    def __init__(self, session: WriteSession, actor: Actor):
        self.session = session
        self.actor = actor

    @cached_property
    def repository(self) -> Repository[M]:
        """The reads of advanced-alchemy, built when they are first needed: what one statement does needs none."""
        # Exceptions as they are, so that a deadlock is retried and a silent database is a 503.
        return self.repository_type(session=self.session, auto_refresh=False, wrap_exceptions=False)

    async def locked(self, *where: Any) -> M:
        """Return the row that matches `where`, locked until the transaction ends. Raise NotFound.

        The lock is FOR NO KEY UPDATE, so that other transactions can refer to the row: a worker that sends a reminder
        of a task must not wait for a request that changes the task, which may itself wait for the worker's reminders.
        """
        row: M | None = await self.get_one_or_none(*where, with_for_update=ForUpdateArg(key_share=True))
        if row is None:
            raise NotFound
        return row

    async def create(
        self, data: "ModelDictT[M]", *, action: Action | None = None, reason: str | None = None, **_: Any
    ) -> M:
        """Store a new row."""
        row = data if isinstance(data, self.repository_type.model_type) else await self.to_model(data, "create")
        await self.create_with(row, action or self._plain("add"), _as_it_is, reason=reason)
        return row

    async def create_with(
        self, row: M, action: Action, extend: Extend, *, reason: str | None = None, **parameters: Any
    ) -> None:
        """Store a new row by a statement to which `extend`, a function of a module, adds what has its `parameters`."""
        values = row.model_dump()
        parameters |= _parameters(self.session.origin, row, action, values, reason, after=values)
        await self.session.write(_with_event(self.table, tuple(values), "create", extend), parameters)

    async def update(
        self,
        data: "ModelDictT[M]",
        item_id: M | UUID | None = None,
        *,
        action: Action | None = None,
        reason: str | None = None,
        **_: Any,
    ) -> M:
        """Update the row with this id, or a loaded and locked row. Without a difference nothing is written."""
        row = await self._row(item_id)
        values, diff = _changes(row, schema_dump(data))
        if not diff:
            return row
        action = action or self._plain("change")
        parameters = _parameters(self.session.origin, row, action, values, reason, **diff)
        await self.session.write(_with_event(self.table, tuple(values), "update"), parameters)
        _take_over(row, values)
        return row

    async def update_with(
        self, row: M, changes: Mapping[str, Any], action: Action, extend: Extend, **parameters: Any
    ) -> "Result[Any]":
        """Update a loaded and locked row by a statement to which `extend`, a function of a module, adds what has its
        `parameters`; return what that statement returns. Also without a difference the audit event is written.
        """
        values, diff = _changes(row, changes)
        parameters |= _parameters(self.session.origin, row, action, values, None, **diff)
        result = await self.session.execute(_with_event(self.table, tuple(values), "update", extend), parameters)
        _take_over(row, values)
        return result

    async def delete(self, item_id: Any, *, action: Action | None = None, reason: str | None = None, **_: Any) -> M:
        """Delete the row with this id, or a loaded and locked row. The audit log keeps its values."""
        row = await self._row(item_id)
        action, before = action or self._plain("delete"), row.model_dump()
        parameters = _parameters(self.session.origin, row, action, {}, reason, before=before)
        await self.session.write(_with_event(self.table, (), "delete"), parameters)
        self.session.expunge(row)
        return row

    async def _row(self, item: M | UUID | None) -> M:
        return item if isinstance(item, self.repository_type.model_type) else await self.locked(self.table.c.id == item)

    def _plain(self, verb: str) -> Action:
        return ACTIONS[f"{self.table.name}.{verb}"]


async def insert_in_one_statement(
    database: Database,
    origin: Origin,
    row: Row,
    action: Action,
    provided: Condition,
    **parameters: Any,
) -> bool:
    """Store a row and its audit event outside any session: one statement, its own transaction, one round trip.

    Insert only if the statement `provided` returns a row. Return whether the row was inserted.
    """
    values = row.model_dump()
    query = _compiled_insert(table_of(row), tuple(values), provided)
    change = _parameters(origin, row, action, values, None, after=values)
    return await database.primary.write(query, **change, **parameters)


async def update_in_one_statement(
    database: Database, origin: Origin, row: Row, action: Action, changes: Mapping[str, Any]
) -> bool:
    """Update a row that was read without a lock, and store the audit event, outside any session: one round trip.

    Update only if the row still has the version that was read. Return whether it has the new values now.
    """
    values, diff = _changes(row, changes)
    if not diff:
        return True
    parameters = _parameters(origin, row, action, values, None, **diff)
    query = _compiled_update(table_of(row), tuple(values))
    is_written = await database.primary.write(query, **parameters, read_version=row.version)
    if is_written:
        _take_over(row, values)
    return is_written


def _as_it_is(change: Insert) -> Insert:
    return change


@lru_cache(maxsize=500)
def _with_event(table: Table, columns: tuple[str, ...], verb: Verb, extend: Extend = _as_it_is) -> Insert:
    """Build the statement that writes a row and its audit event, cached by the shape of the change."""
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns}
    this = table.c.id == bindparam("row_id", type_=table.c.id.type)
    change = {
        "create": insert(table).values(values),
        "update": update(table).where(this).values(values),
        "delete": delete(table).where(this),
    }[verb].cte("change")
    events = table_of(Event)
    entry = {column.name: bindparam(f"event_{column.name}", type_=column.type) for column in events.c}
    return extend(insert(events).values(entry).add_cte(change))


@lru_cache(maxsize=100)
def _compiled_insert(table: Table, columns: tuple[str, ...], provided: Condition) -> Query[UUID]:
    """Compile `_with_event` for an insert that depends on another statement."""
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns}
    row = insert(table).from_select(list(values), select(*values.values()).select_from(provided.cte("provided")))
    return _compiled(row.returning(table.c.id).cte("change"))


@lru_cache(maxsize=100)
def _compiled_update(table: Table, columns: tuple[str, ...]) -> Query[UUID]:
    """Compile `_with_event` for an update that depends on the version of the row."""
    values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in columns}
    this = table.c.id == bindparam("row_id", type_=table.c.id.type)
    row = update(table).where(this, table.c.version == bindparam("read_version")).values(values)
    return _compiled(row.returning(table.c.id).cte("change"))


def _compiled(change: CTE) -> Query[UUID]:
    entry = {column.name: bindparam(f"event_{column.name}", type_=column.type) for column in table_of(Event).c}
    events = insert(table_of(Event)).from_select(list(entry), select(*entry.values()).select_from(change))
    return Query(lambda event_id: event_id, events.returning(table_of(Event).c.id))


def _changes(row: Row, sent: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what to write, and `before` and `after` of the fields that differ: nothing when none does."""
    after = {name: value for name, value in sent.items() if getattr(row, name) != value}
    if not after:
        return {}, {}
    before = {name: getattr(row, name) for name in after}
    return after | {"updated_at": now(), "version": row.version + 1}, {"before": before, "after": after}


def _take_over(row: Row, values: Mapping[str, Any]) -> None:
    """Set what was written on the loaded row, which is then not changed again by a flush."""
    for name, value in values.items():
        set_committed_value(row, name, value)


def _parameters(
    origin: Origin, row: Row, action: Action, values: Mapping[str, Any], reason: str | None, **diff: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters of `_with_event`, with secrets masked in the audit event."""
    masked = {side: {k: "***" if k in row.SECRET else v for k, v in part.items()} for side, part in diff.items()}
    entry = event(origin, action, str(row.__tablename__), row.id, reason=reason) | masked
    given = {f"new_{name}": value for name, value in values.items()}
    return given | {f"event_{name}": value for name, value in entry.items()} | {"row_id": row.id}
