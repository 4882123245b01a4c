"""What every part of the admin works with: who is acting, on which database, with which rights."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select

from todo.access import Actor, Origin
from todo.admin.declaration import ENTER, ActionContext, Id, ModelAdmin, Resource
from todo.admin.reads import TableReads
from todo.admin.registry import Registry
from todo.database import Database, WriteSession, columns, now
from todo.errors import Forbidden, Invalid, NotFound
from todo.schema import ONE_LINE

MAX_REASON = 500


class AdminContext:
    """One actor in the admin. Without a `session`, each write is a transaction of its own."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        origin: Origin,
        session: WriteSession | None = None,
        reason: str | None = None,
    ):
        """Raises Forbidden for an actor who may not enter the admin, Invalid for a reason of several lines."""
        if reason is not None and (len(reason) > MAX_REASON or not re.search(ONE_LINE, reason)):
            raise Invalid.field("reason", f"Must be one line of at most {MAX_REASON} characters.")
        self.registry = registry
        self.database = database
        self.origin = origin if reason is None else replace(origin, reason=reason)
        self.actor: Actor = origin.actor
        self._session = session
        if not self.actor.may(ENTER):
            raise Forbidden(f"This needs the permission {ENTER}.")

    def resources(self) -> list[Resource]:
        """What this actor may see, in the order of the registry."""
        return [resource for resource in self.registry if resource.may(self.actor, "view")]

    def may(self, resource: str, verb: str, row: Any = None) -> bool:
        """Whether this actor may do that, to this row when one is given: for showing or hiding a button."""
        found = self.registry[resource]
        return found.may(self.actor, verb) and (row is None or found.has(self.actor, verb, row))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """The caller's transaction, or one of its own; the trail tells the reason, whichever verb writes it."""
        if self._session is not None:
            self._session.origin = self.origin
            yield self._session
            return
        async with self.database.session(self.origin) as session:
            yield session

    def action_context(self, session: WriteSession) -> ActionContext:
        return ActionContext(session, self.actor, self.database)

    def require(self, resource: Resource, verb: str, row: Any = None) -> None:
        """Raises Forbidden."""
        if not resource.may(self.actor, verb):
            raise Forbidden(f"This needs the permission {resource.name}.{verb}.")
        if row is not None and not resource.has(self.actor, verb, row):
            raise Forbidden(f"This {resource.label_one.lower()} does not allow that.")

    def resource(self, name: str, verb: str = "view") -> Resource:
        """Raises NotFound, Forbidden."""
        found = self.registry[name]
        self.require(found, verb)
        return found

    def table(self, name: str, verb: str = "view") -> ModelAdmin[Any]:
        """Raises NotFound, Forbidden."""
        admin = self.registry.table(name)
        self.require(admin, verb)
        return admin

    def reads(self, admin: ModelAdmin[Any]) -> TableReads:
        """The statements of a table as this actor sees it."""
        return self.registry.reads(admin, self.actor)

    def scope(self, admin: ModelAdmin[Any]) -> list[ColumnElement[bool]]:
        """The condition of the rows this actor may see; the statement needs `.params(actor=...)`."""
        scope = admin.scope(self.actor)
        return [] if scope is None else [scope]

    async def locked(self, session: WriteSession, admin: ModelAdmin[Any], row_id: Id) -> Any:
        """The row, loaded and locked; raises NotFound for what is not there or not theirs to see."""
        await admin.lock(self.action_context(session), uuid_of(row_id))
        found = select(admin.model).where(columns(admin.model)["id"] == uuid_of(row_id), *self.scope(admin))
        found = found.with_for_update(of=admin.model, key_share=True).execution_options(populate_existing=True)
        row = await session.scalar(found.params(actor=self.actor.id))
        if row is None:
            raise NotFound
        return row

    async def read(self, session: WriteSession, admin: ModelAdmin[Any], row_id: UUID) -> Any:
        """A row as this transaction has it; Forbidden when it would be out of the actor's sight."""
        reads = self.reads(admin)
        statement: Select[Any] = reads.row
        row = (await session.execute(statement, {"row": row_id, "actor": self.actor.id})).first()
        if row is None:
            raise Forbidden("This would not be among the rows you may see.")
        return reads.into_whole(*row)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.actor.timezone)

    @property
    def today(self) -> date:
        moment: datetime = now()
        return moment.astimezone(self.zone).date()


def uuid_of(row_id: Id) -> UUID:
    """Raises NotFound for what is no id: nothing is there."""
    try:
        return row_id if isinstance(row_id, UUID) else UUID(row_id)
    except ValueError:
        raise NotFound from None
