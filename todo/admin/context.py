"""The context of every admin operation: actor, database, permissions and reason."""

import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select

from todo.access import Actor, Origin
from todo.admin.counting import Counting
from todo.admin.dates import Dates
from todo.admin.declaration import ENTER, ActionContext, Id, ModelAdmin, Resource
from todo.admin.reads import TableReads
from todo.admin.registry import Registry
from todo.database import Database, WriteSession, columns, now
from todo.errors import Forbidden, Invalid, NotFound
from todo.schema import ONE_LINE

MAX_REASON = 500


class AdminContext:
    """One actor in the admin. Without a `session`, each write has its own transaction."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        origin: Origin,
        session: WriteSession | None = None,
        reason: str | None = None,
    ):
        """Raise Forbidden without access to the admin, and Invalid for a reason of several lines."""
        if reason is not None and (len(reason) > MAX_REASON or not re.search(ONE_LINE, reason)):
            raise Invalid.field("reason", f"The reason must be one line of at most {MAX_REASON} characters.")
        self.registry = registry
        self.database = database
        self.origin = origin if reason is None else replace(origin, reason=reason)
        self.actor: Actor = origin.actor
        self._session = session
        if not self.actor.may(ENTER):
            raise Forbidden(f"This needs the permission {ENTER}.", slug="permission-required")

    def resources(self) -> list[Resource]:
        """Return the resources this actor may see, in the order of the registry."""
        return [resource for resource in self.registry if resource.may(self.actor, "view")]

    def may(self, resource: str, verb: str, row: Any = None) -> bool:
        """Return whether the actor may do this (to the row, if given), to show or hide a button."""
        found = self.registry[resource]
        return found.may(self.actor, verb) and (row is None or not found.obstacle(self.actor, verb, row))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Use the caller's transaction, or open one. The reason is stored in its audit events."""
        if self._session is not None:
            self._session.origin = self.origin
            yield self._session
            return
        async with self.database.session(self.origin) as session:
            yield session

    def action_context(self, session: WriteSession) -> ActionContext:
        return ActionContext(session, self.actor, self.database)

    def require(self, resource: Resource, verb: str, row: Any = None) -> None:
        """Raise Forbidden unless the actor may do this and it applies to the row."""
        if not resource.may(self.actor, verb):
            raise Forbidden(f"This needs the permission {resource.name}.{verb}.", slug="permission-required")
        if row is not None and (obstacle := resource.obstacle(self.actor, verb, row)):
            raise Forbidden(obstacle)

    def resource(self, name: str, verb: str = "view") -> Resource:
        """Return a resource. Raise NotFound or Forbidden."""
        found = self.registry[name]
        self.require(found, verb)
        return found

    def table(self, name: str, verb: str = "view") -> ModelAdmin[Any]:
        """Return a resource that is a table. Raise NotFound or Forbidden."""
        admin = self.registry.table(name)
        self.require(admin, verb)
        return admin

    def reads(self, admin: ModelAdmin[Any]) -> TableReads:
        """Return the statements for a table as this actor sees it."""
        return self.registry.reads(admin, self.actor)

    def counting(self, admin: ModelAdmin[Any]) -> Counting:
        """Return what counts the rows of a table that this actor sees."""
        return _counting(self.reads(admin))

    def dates(self, admin: ModelAdmin[Any]) -> Dates:
        """Return the dates of a table as this actor sees it."""
        return _dates(self.reads(admin))

    def scope(self, admin: ModelAdmin[Any]) -> list[ColumnElement[bool]]:
        """Return the condition for rows this actor may see. The statement needs `.params(actor=...)`."""
        scope = admin.scope(self.actor)
        return [] if scope is None else [scope]

    async def hold(self, session: WriteSession, admin: ModelAdmin[Any], ids: Sequence[UUID]) -> None:
        """Load and lock those of these rows, of a batch, that `locked` need not find one by one."""
        if ids:
            await admin.hold(self.action_context(session), ids)

    async def locked(self, session: WriteSession, admin: ModelAdmin[Any], row_id: Id) -> Any:
        """Load and lock a row. Raise NotFound when it does not exist or is not visible."""
        if (held := admin.held(session, uuid_of(row_id))) is not None:
            return held
        await admin.lock(self.action_context(session), uuid_of(row_id))
        found = select(admin.model).where(columns(admin.model)["id"] == uuid_of(row_id), *self.scope(admin))
        found = found.with_for_update(of=admin.model, key_share=True).execution_options(populate_existing=True)
        row = await session.scalar(found.params(actor=self.actor.id))
        if row is None:
            raise NotFound
        return row

    async def read(self, session: WriteSession, admin: ModelAdmin[Any], row_id: UUID) -> Any:
        """Read a row in this transaction. Raise Forbidden when the actor may no longer see it."""
        reads = self.reads(admin)
        statement: Select[Any] = reads.row
        row = (await session.execute(statement, {"row": row_id, "actor": self.actor.id})).first()
        if row is None:
            raise Forbidden("You could not see the row after this change.")
        return reads.into_whole(*row)

    async def read_all(self, session: WriteSession, admin: ModelAdmin[Any], ids: Sequence[UUID]) -> list[Any]:
        """Read rows in this transaction. Raise as `read` for any of them."""
        reads = self.reads(admin)
        rows = (await session.execute(reads.rows, {"rows": ids, "actor": self.actor.id})).all()
        if len(rows) < len(ids):
            raise Forbidden("You could not see the row after this change.")
        return [reads.into_whole(*row) for row in rows]

    async def names(self, session: WriteSession, admin: ModelAdmin[Any], ids: Collection[UUID]) -> dict[str, str]:
        """Return the display names of rows by their ids, in this transaction."""
        named = await session.execute(self.reads(admin).naming, {"ids": list(ids), "actor": self.actor.id})
        return {row_id: name for row_id, name in named}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.actor.timezone)

    @property
    def today(self) -> date:
        moment: datetime = now()
        return moment.astimezone(self.zone).date()


@lru_cache(maxsize=500)
def _counting(reads: TableReads) -> Counting:
    return Counting(reads)


@lru_cache(maxsize=100)
def _dates(reads: TableReads) -> Dates:
    return Dates(reads, _counting(reads))


def uuid_of(row_id: Id) -> UUID:
    """Parse an id. Raise NotFound when it is not a UUID."""
    try:
        return row_id if isinstance(row_id, UUID) else UUID(row_id)
    except ValueError:
        raise NotFound from None
