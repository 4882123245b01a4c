"""Who did what to which row, before and after: written in the same statement as the change itself."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Insert, Update, insert, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from todo.access import Actor
from todo.database import M, Row, Service, now, table_of
from todo.errors import NotFound


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change came from: the request (or job) and the address behind it."""

    request_id: str = ""
    address: str = ""
    face: str = "system"


ORIGIN: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 -- frozen


class Event(SQLModel, table=True):
    """One entry of the trail. Only ever inserted."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "subject_id", "id"),
        Index("ix_audit_events_actor", "actor_id", "id"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
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
    face: str


def event(
    actor: Actor,
    action: str,
    subject: str,
    subject_id: UUID | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """The values of one trail entry; `before` and `after` hold only what differs."""
    origin = ORIGIN.get()
    return {
        "id": uuid7(),
        "at": now(),
        "actor_id": actor.id,
        "actor": actor.name,
        "actor_kind": actor.kind,
        "on_behalf_of": None,
        "action": action,
        "subject": subject,
        "subject_id": subject_id,
        "before": before,
        "after": after,
        "reason": reason,
        "request_id": origin.request_id,
        "address": origin.address,
        "face": origin.face,
    }


async def record(session: AsyncSession, actor: Actor, action: str, subject: str, **details: Any) -> None:
    """Note something that changed no row of ours (a sign-in, a refusal) in the caller's transaction."""
    await session.execute(insert(Event).values(event(actor, action, subject, **details)))


class AuditedService(Service[M], Generic[M]):
    """A service whose every change leaves its trace: both are one statement."""

    def __init__(self, session: AsyncSession, actor: Actor):
        super().__init__(session=session, auto_refresh=False)
        self.session = session
        self.actor = actor
        self.table = table_of(self.model_type)

    async def locked(self, *where: Any) -> M:
        """The one row that `where` finds, locked until the transaction ends; raises NotFound."""
        row: M | None = await self.get_one_or_none(*where, with_for_update=True)
        if row is None:
            raise NotFound
        return row

    async def insert(self, row: M, action: str) -> M:
        """Store a new row and its trail entry, in one round trip."""
        values = row.model_dump()
        await self._write(insert(self.table).values(values), row, action, after=values)
        return row

    async def change(self, row: M, values: Mapping[str, Any], action: str) -> M:
        """Change the loaded, locked row and leave a trail entry, in one round trip; nothing when nothing differs."""
        after = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not after:
            return row
        before = {name: getattr(row, name) for name in after}
        values = after | {"updated_at": now(), "version": row.version + 1}
        statement = update(self.table).where(self.table.c.id == row.id).values(values)
        await self._write(statement, row, action, before=before, after=after)
        for name, value in values.items():
            set_committed_value(row, name, value)
        return row

    async def _write(self, statement: Insert | Update, row: Row, action: str, **diff: Mapping[str, Any]) -> None:
        secret = self.model_type.SECRET
        masked = {side: {k: "***" if k in secret else v for k, v in values.items()} for side, values in diff.items()}
        entry = event(self.actor, action, self.table.name, row.id) | masked
        await self.session.execute(insert(Event).values(entry).add_cte(statement.cte("change")))
