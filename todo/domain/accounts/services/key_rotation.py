"""The life of a signing key: pending, active, retired, gone."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.domain.accounts.models import KEY, SigningKey
from todo.domain.accounts.services.keys import new_signing_key
from todo.errors import Conflict, NotFound

LOCK = 7_031_002  # one at a time makes, rotates or revokes keys, beside whoever prepares an installation


class KeyService(AuditedService[SigningKey], model=SigningKey):
    """Rotates keys without refusing one good token: the next key is published long before it signs."""

    def __init__(self, session: WriteSession, actor: Actor, secret: str):
        super().__init__(session, actor)
        self._secret = secret

    async def prepare(self) -> None:
        """See that there is a key that signs and one that waits; the caller holds a lock."""
        for status in ("active", "pending"):
            if not await self._with(status):
                await self.create(new_signing_key(self._secret, status), action="signing_keys.add")

    async def rotate(self) -> SigningKey:
        """The pending key signs from now on, the active one retires, a new one waits; the key that signs."""
        active, pending = await self._with("active"), await self._with("pending")
        for key in active:
            await self.update({"status": "retired", "retired_at": now()}, key, action="signing_keys.retire")
        first, *_ = pending or [await self.create(new_signing_key(self._secret, "pending"), action="signing_keys.add")]
        await self.update({"status": "active"}, first, action="signing_keys.rotate")
        await self.prepare()
        return first

    async def rotate_when_old(self, age: timedelta) -> bool:
        """Rotate when the key that signs has done so for longer; whether it had."""
        await self.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        active = await self._with("active")
        if not active or max(key.updated_at for key in active) > now() - age:
            return False
        await self.rotate()
        return True

    async def revoke(self, kid: UUID) -> None:
        """Delete a key: its tokens are refused within seconds. Raises NotFound; Conflict for the one that signs."""
        key = await self.get_one_or_none(KEY.id == kid, with_for_update=True)
        if key is None:
            raise NotFound("There is no such key.")
        if key.status == "active":
            raise Conflict("This key signs at present: rotate first, then revoke it.")
        await self.delete(key, action="signing_keys.revoke")
        await self.prepare()

    async def delete_retired(self, lifetime: timedelta) -> None:
        """Delete retired keys whose last token has ended."""
        for key in await self.get_many(KEY.status == "retired", KEY.retired_at < now() - lifetime):
            await self.session.delete(key)

    async def _with(self, status: str) -> list[SigningKey]:
        found = select(SigningKey).where(KEY.status == status).order_by(KEY.created_at).with_for_update()
        return list((await self.session.scalars(found)).all())
