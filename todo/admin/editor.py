"""Add, change, delete and restore rows: authorize, validate, write with the audit event, return the row."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from todo.admin.conflicts import Conflicted, base_of
from todo.admin.context import AdminContext
from todo.admin.declaration import Id, ModelAdmin
from todo.admin.fields import Field
from todo.admin.previews import cascade_of
from todo.admin.schemas import CascadeItem, Option, Preview
from todo.admin.values import read_fields
from todo.database import WriteSession, columns
from todo.errors import Invalid

Versions = int | Collection[int] | None


class Editor:
    """Change rows, one at a time."""

    def __init__(self, context: AdminContext):
        self._context = context

    def writable(self, resource: str, *, adding: bool) -> list[Field]:
        """Return the fields that this actor may write, in the order of the declaration; first what a new row needs."""
        admin = self._context.registry.table(resource)
        hidden = admin.hidden_from(self._context.actor)
        needed = [name for name in admin.only_on_add if admin.fields[name].required]
        names = dict.fromkeys((*needed, *admin.editable, *admin.only_on_add))
        fields = [admin.fields[name] for name in names if name not in hidden]
        return [field for field in fields if (field.on_add if adding else field.on_change)]

    async def add(self, resource: str, values: Mapping[str, Any], *, lax: bool = False) -> Any:
        """Store and return a new row. Raise Forbidden, Invalid or Conflict."""
        admin = self._context.table(resource, "add")
        async with self._context.transaction() as session:
            return await self._context.read(session, admin, (await self.add_in(session, admin, values, lax=lax)).id)

    async def add_in(
        self, session: WriteSession, admin: ModelAdmin[Any], values: Mapping[str, Any], *, lax: bool = False
    ) -> Any:
        given = {name: default(self._context.actor) for name, default in admin.defaults.items() if name not in values}
        sent = self.accept(admin, values, adding=True, lax=lax)
        await self._check_references(session, admin, sent)
        return await admin.add_row(self._context.action_context(session), given | sent)

    async def change(
        self, resource: str, row_id: Id, values: Mapping[str, Any], *, version: Versions = None, lax: bool = False
    ) -> Any:
        """Change the given fields and return the row.

        Raise Forbidden, NotFound, Invalid, or Conflicted when `version` is not the current version.
        """
        admin = self._context.table(resource, "change")
        sent = self.accept(admin, values, adding=False, lax=lax)
        async with self._context.transaction() as session:
            row = await self._context.locked(session, admin, row_id)
            await self.check_version(session, admin, row, version, sent)
            await self.change_locked(session, admin, row, sent)
            return await self._context.read(session, admin, row.id)

    async def change_locked(
        self, session: WriteSession, admin: ModelAdmin[Any], row: Any, sent: dict[str, Any]
    ) -> None:
        """Set the validated values of `accept` on a locked row."""
        self._context.require(admin, "change", row)
        await self._check_references(session, admin, sent)
        await admin.change_row(self._context.action_context(session), row, dict(sent))

    async def delete(self, resource: str, row_id: Id, *, version: Versions = None) -> None:
        """Move a row to the trash. Delete it permanently if it is in the trash or there is none.

        Raise Forbidden, NotFound, Conflicted or Conflict.
        """
        admin = self._context.table(resource, "delete")
        async with self._context.transaction() as session:
            row = await self._context.locked(session, admin, row_id)
            await self.check_version(session, admin, row, version, {})
            await self.delete_locked(session, admin, row)

    async def delete_locked(self, session: WriteSession, admin: ModelAdmin[Any], row: Any) -> None:
        if admin.trash and getattr(row, admin.trash) is None:
            self._context.require(admin, "delete", row)
            await admin.trash_row(self._context.action_context(session), row)
            return
        self._context.require(admin, "purge" if admin.trash else "delete", row)
        await admin.delete_row(self._context.action_context(session), row)

    async def restore(self, resource: str, row_id: Id) -> Any:
        """Restore a row from the trash. Raise Forbidden, NotFound, or Invalid when it is not in the trash."""
        admin = self._context.table(resource, "delete")
        async with self._context.transaction() as session:
            row = await self._context.locked(session, admin, row_id)
            await self.restore_locked(session, admin, row)
            return await self._context.read(session, admin, row.id)

    async def restore_locked(self, session: WriteSession, admin: ModelAdmin[Any], row: Any) -> None:
        self._context.require(admin, "delete", row)
        if not admin.trash or getattr(row, admin.trash) is None:
            raise Invalid(f"This {admin.label_one.lower()} is not in the trash.")
        await admin.restore_row(self._context.action_context(session), row)

    async def preview(self, resource: str, ids: Collection[Id]) -> Preview:
        """Return what deleting these rows would also delete or change. Raise Forbidden or NotFound."""
        admin = self._context.table(resource, "delete")
        async with self._context.transaction() as session:
            rows = [await self._context.locked(session, admin, row_id) for row_id in ids]
            to_trash = bool(admin.trash) and all(getattr(row, admin.trash) is None for row in rows)
            row_ids = [row.id for row in rows]
            if to_trash:
                more = await admin.count_cascade(self._context.action_context(session), row_ids)
                taken = [CascadeItem(admin.name, admin.label, "deleted", more)] if more else []
            else:
                taken = await cascade_of(session, self._context.registry, admin, row_ids)
            names = await self._context.names(session, admin, row_ids)
            return Preview([Option(str(row.id), names.get(str(row.id), "")) for row in rows], to_trash, taken)

    def accept(
        self, admin: ModelAdmin[Any], values: Mapping[str, Any], *, adding: bool, lax: bool = False
    ) -> dict[str, Any]:
        """Convert the given values to the columns' types. Raise Invalid for all invalid fields."""
        fields = self.writable(admin.name, adding=adding)
        required = [field.name for field in fields if adding and field.required and field.name not in admin.defaults]
        return read_fields(fields, values, required, lax=lax)

    async def _check_references(self, session: WriteSession, admin: ModelAdmin[Any], sent: Mapping[str, Any]) -> None:
        """Check that references refer to rows visible to this actor, or to the actor. Raise Invalid."""
        actor = self._context.actor
        for name, value in sent.items():
            field = admin.fields[name]
            if field.kind != "reference" or value is None or value == actor.id:
                continue
            there = self._context.registry.table(field.reference)
            if not there.may(actor, "view") or not await self._is_visible(session, there, value):
                raise Invalid.field(f"body.{name}", f"There is no such {there.label_one.lower()}.", "not_found")

    async def _is_visible(self, session: WriteSession, admin: ModelAdmin[Any], row_id: UUID) -> bool:
        ids = columns(admin.model)["id"]
        found = select(ids).where(ids == row_id, *self._context.scope(admin)).params(actor=self._context.actor.id)
        return await session.once(("visible", admin.name, row_id), partial(session.scalar, found)) is not None

    async def check_version(
        self, session: WriteSession, admin: ModelAdmin[Any], row: Any, version: Versions, mine: Mapping[str, Any]
    ) -> None:
        known = {version} if isinstance(version, int) else version
        if known is None or row.version in known:
            return
        theirs = await self._context.read(session, admin, row.id)
        base = await base_of(session, row, max(known, default=row.version))
        raise Conflicted(theirs, base, dict(mine), self._context.reads(admin).fields)
