"""Life cycle of signing keys: pending, active, retired, deleted."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.domain.accounts.models import KEY, SigningKey
from todo.domain.accounts.services.keys import new_signing_key
from todo.errors import Conflict, NotFound
from todo.settings import NO_KEY, SecretKey

LOCK = 7_031_002  # serializes creation, rotation and revocation of keys, also with the setup of an installation

STILL_SIGNS = "This key signs tokens now: rotate the keys first, then revoke it."


class KeyService(AuditedService[SigningKey], model=SigningKey):
    """Rotate keys without invalidating tokens: the next key is published long before it signs."""

    def __init__(self, session: WriteSession, actor: Actor, secret: SecretKey = NO_KEY):
        super().__init__(session, actor)
        self._secret = secret

    async def prepare(self) -> None:
        """Ensure an active and a pending key. The caller holds a lock."""
        for status in ("active", "pending"):
            if not await self._with(status):
                await self.create(new_signing_key(self._secret, status), action="signing_keys.add")

    async def rotate(self) -> SigningKey:
        """Activate the pending key, retire the active one, and create a new pending key. Return the active key."""
        active, pending = await self._with("active"), await self._with("pending")
        for key in active:
            await self.update({"status": "retired", "retired_at": now()}, key, action="signing_keys.retire")
        first, *_ = pending or [await self.create(new_signing_key(self._secret, "pending"), action="signing_keys.add")]
        await self.update({"status": "active"}, first, action="signing_keys.rotate")
        await self.prepare()
        return first

    async def rotate_when_old(self, age: timedelta) -> bool:
        """Rotate when the active key is older than `age`. Return whether it was."""
        await self.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        active = await self._with("active")
        if not active or max(key.updated_at for key in active) > now() - age:
            return False
        await self.rotate()
        return True

    async def revoke(self, kid: UUID) -> None:
        """Delete a key, so that its tokens are rejected within seconds.

        Raise NotFound, or Conflict for the active key.
        """
        key = await self.get_one_or_none(KEY.id == kid, with_for_update=True)
        if key is None:
            raise NotFound("There is no such key.")
        if key.status == "active":
            raise Conflict(STILL_SIGNS)
        await self.delete(key, action="signing_keys.revoke")
        await self.prepare()

    async def delete_retired(self, lifetime: timedelta) -> None:
        """Delete retired keys whose last token has expired."""
        for key in await self.get_many(KEY.status == "retired", KEY.retired_at < now() - lifetime):
            await self.session.delete(key)

    async def _with(self, status: str) -> list[SigningKey]:
        found = select(SigningKey).where(KEY.status == status).order_by(KEY.created_at).with_for_update()
        return list((await self.session.scalars(found)).all())
