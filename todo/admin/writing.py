"""Adding, changing, deleting: authorize, validate, write with its trace, and read back what is there now."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select

from todo.admin.conflicts import Conflicted, base_of
from todo.admin.declaration import Id, ModelAdmin
from todo.admin.fields import Field
from todo.admin.previews import taken_along
from todo.admin.reading import Reading
from todo.admin.schemas import Option, Preview, Taken
from todo.admin.values import read_fields
from todo.database import WriteSession, columns
from todo.errors import Invalid

Versions = int | Collection[int] | None


class Writing(Reading):
    """The part of the service that changes rows, one at a time."""

    def writable(self, resource: str, *, adding: bool) -> list[Field]:
        """The fields that this actor may fill in."""
        admin = self.registry.table(resource)
        hidden = admin.hidden_from(self.actor)
        fields = [field for field in admin.fields.values() if field.name not in hidden]
        return [field for field in fields if (field.on_add if adding else field.on_change)]

    async def add(self, resource: str, values: Mapping[str, Any], *, lax: bool = False) -> Any:
        """Store a new row, and give it back. Raises Forbidden, Invalid, Conflict."""
        admin = self.table(resource, "add")
        async with self.transaction() as session:
            return await self.read(session, admin, (await self.add_within(session, admin, values, lax=lax)).id)

    async def add_within(
        self, session: WriteSession, admin: ModelAdmin[Any], values: Mapping[str, Any], *, lax: bool = False
    ) -> Any:
        given = {name: default(self.actor) for name, default in admin.defaults.items() if name not in values}
        sent = self.accept(admin, values, adding=True, lax=lax)
        await self._check_references(session, admin, sent)
        return await admin.add_row(self.doing(session), given | sent)

    async def change(
        self, resource: str, row_id: Id, values: Mapping[str, Any], *, version: Versions = None, lax: bool = False
    ) -> Any:
        """Change the fields that are sent, and give the row back.

        Raises Forbidden, NotFound, Invalid, and Conflicted when `version` is not the row's any more.
        """
        admin = self.table(resource, "change")
        sent = self.accept(admin, values, adding=False, lax=lax)
        async with self.transaction() as session:
            row = await self.locked(session, admin, row_id)
            await self.check_version(session, admin, row, version, sent)
            await self.change_within(session, admin, row, sent)
            return await self.read(session, admin, row.id)

    async def change_within(
        self, session: WriteSession, admin: ModelAdmin[Any], row: Any, sent: dict[str, Any]
    ) -> None:
        """Change a locked row to values that `accept` has read."""
        self.require(admin, "change", row)
        await self._check_references(session, admin, sent)
        await admin.change_row(self.doing(session), row, dict(sent))

    async def delete(self, resource: str, row_id: Id, *, version: Versions = None) -> None:
        """Move a row to the trash where there is one; from there, and elsewhere, delete it for good.

        Raises Forbidden, NotFound, Conflicted, Conflict.
        """
        admin = self.table(resource, "delete")
        async with self.transaction() as session:
            row = await self.locked(session, admin, row_id)
            await self.check_version(session, admin, row, version, {})
            await self.delete_within(session, admin, row)

    async def delete_within(self, session: WriteSession, admin: ModelAdmin[Any], row: Any) -> None:
        if admin.trash and getattr(row, admin.trash) is None:
            self.require(admin, "delete", row)
            await admin.trash_row(self.doing(session), row)
            return
        self.require(admin, "purge" if admin.trash else "delete", row)
        await admin.delete_row(self.doing(session), row)

    async def restore(self, resource: str, row_id: Id) -> Any:
        """Take a row out of the trash. Raises Forbidden, NotFound, Invalid when it is not in there."""
        admin = self.table(resource, "delete")
        async with self.transaction() as session:
            row = await self.locked(session, admin, row_id)
            await self.restore_within(session, admin, row)
            return await self.read(session, admin, row.id)

    async def restore_within(self, session: WriteSession, admin: ModelAdmin[Any], row: Any) -> None:
        self.require(admin, "delete", row)
        if not admin.trash or getattr(row, admin.trash) is None:
            raise Invalid(f"This {admin.label_one.lower()} is not in the trash.")
        await admin.restore_row(self.doing(session), row)

    async def preview(self, resource: str, ids: Collection[Id]) -> Preview:
        """What a delete of these rows would take along. Raises Forbidden, NotFound."""
        admin = self.table(resource, "delete")
        async with self.transaction() as session:
            rows = [await self.locked(session, admin, row_id) for row_id in ids]
            to_trash = bool(admin.trash) and all(getattr(row, admin.trash) is None for row in rows)
            row_ids = [row.id for row in rows]
            if to_trash:
                more = await admin.goes_along(self.doing(session), row_ids)
                taken = [Taken(admin.name, admin.label, "deleted", more)] if more else []
            else:
                taken = await taken_along(session, self.registry, admin, row_ids)
            return Preview([Option(str(row.id), str(getattr(row, admin.display))) for row in rows], to_trash, taken)

    # -- what was sent

    def accept(
        self, admin: ModelAdmin[Any], values: Mapping[str, Any], *, adding: bool, lax: bool = False
    ) -> dict[str, Any]:
        """What was sent, as the columns' types; raises Invalid that names every field that is wrong."""
        fields = self.writable(admin.name, adding=adding)
        required = [field.name for field in fields if adding and field.required and field.name not in admin.defaults]
        return read_fields(fields, values, required, lax=lax)

    async def _check_references(self, session: WriteSession, admin: ModelAdmin[Any], sent: Mapping[str, Any]) -> None:
        """A reference leads to a row that this actor may see, or to the actor; raises Invalid."""
        for name, value in sent.items():
            field = admin.fields[name]
            if field.kind != "reference" or value is None or value == self.actor.id:
                continue
            there = self.registry.table(field.reference)
            found = select(columns(there.model)["id"]).where(columns(there.model)["id"] == value, *self.scope(there))
            if not there.may(self.actor, "view") or (await session.scalar(found.params(actor=self.actor.id))) is None:
                raise Invalid.field(f"body.{name}", f"There is no such {there.label_one.lower()}.")

    async def check_version(
        self, session: WriteSession, admin: ModelAdmin[Any], row: Any, version: Versions, mine: Mapping[str, Any]
    ) -> None:
        known = {version} if isinstance(version, int) else version
        if known is None or row.version in known:
            return
        theirs = await self.read(session, admin, row.id)
        base = await base_of(session, row, max(known, default=row.version))
        raise Conflicted(theirs, base, dict(mine), self.registry.reads(admin, self.actor).fields)
