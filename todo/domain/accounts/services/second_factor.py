"""The second factor: authenticator app, recovery codes, and their reset by an operator."""

from urllib.parse import urlsplit

import pyotp
from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import Actor
from todo.actions import Action
from todo.audit import record
from todo.database import Begin, Database, Query, WriteSession, now
from todo.domain.accounts.models import PASSKEY, RECOVERY_CODE, TOTP, USER, Passkey, RecoveryCode, User
from todo.domain.accounts.schemas.second_factor import Enrollment, ReauthenticationIn, RecoveryCodes, SecondFactors
from todo.domain.accounts.services.codes import (
    CODES,
    TOTPS,
    confirmed,
    hash_of,
    matching_step,
    new_recovery_code,
    plain_code,
    purpose_of,
    use_step,
)
from todo.domain.accounts.services.credentials import Authentication, revoke_credentials
from todo.domain.accounts.services.email_tokens import notify, notify_change
from todo.domain.accounts.services.encryption import decrypt, encrypt
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.errors import Conflict, Invalid
from todo.settings import SecretKey

HOW_MANY = 10

_user = bindparam("user", type_=USER.id.type)
_left = select(func.count()).select_from(RecoveryCode)
_passkeys = select(func.count()).select_from(Passkey)
STATE = Query(
    SecondFactors,
    select(
        exists().where(TOTP.user_id == _user, TOTP.confirmed_at.is_not(None)),
        _left.where(RECOVERY_CODE.user_id == _user, RECOVERY_CODE.used_at.is_(None)).scalar_subquery(),
        _passkeys.where(PASSKEY.user_id == _user, PASSKEY.revoked_at.is_(None)).scalar_subquery(),
    ),
)


async def forget_second_factor(session: WriteSession, actor: Actor, user: User) -> None:
    """Remove app, recovery codes and passkeys of a user who lost them, end all sessions, and notify the user."""
    for table in (TOTPS, CODES):
        await session.execute(delete(table).where(table.c.user_id == user.id))
    keys = update(Passkey).where(PASSKEY.user_id == user.id, PASSKEY.revoked_at.is_(None))
    await session.execute(keys.values(revoked_at=now()))
    await record(session, "users.reset_second_factor", "users", subject_id=user.id)
    await revoke_credentials(session, actor, user.id, "operator")
    await notify(session, user.email, "Your second factor was removed", "An operator removed it at your request.")


class SecondFactorService:
    """Add and remove second factors of a reauthenticated user."""

    def __init__(
        self, database: Database, secret: SecretKey, actor: Actor, reauthentication: Reauthentication, begin: Begin
    ):
        self._database = database
        self._secret = secret
        self._actor = actor
        self._begin = begin
        self._reauthentication = reauthentication

    async def state(self) -> SecondFactors:
        found = await self._database.reads.one_or_none(STATE, user=self._actor.user_id)
        return found or SecondFactors(totp=False, recovery_codes=0, passkeys=0)

    async def begin(self, reauthentication: ReauthenticationIn) -> Enrollment:
        """Return a new authenticator app, replacing an unconfirmed one. Raise Forbidden or Conflict."""
        found = await self._reauthentication.check_factor(reauthentication)
        user_id, secret = self._actor.user_id, pyotp.random_base32()
        values = {"user_id": user_id, "secret": encrypt(secret.encode(), self._secret, purpose_of(user_id))}
        added = upsert(TOTPS).values(**values, last_step=0)
        added = added.on_conflict_do_update(
            index_elements=["user_id"], set_=values, where=TOTPS.c.confirmed_at.is_(None)
        )
        async with self._begin() as session:
            await self._reauthentication.require_current(session, found)
            if (await session.execute(added.returning(TOTPS.c.user_id))).first() is None:
                raise Conflict("You already have an authenticator app. Remove it first.", slug="second-factor-exists")
            await self._record(session, "accounts.totp_begin")
        issuer = urlsplit(self._database.settings.public_url).hostname or "todo"
        return Enrollment(secret, pyotp.TOTP(secret).provisioning_uri(name=self._actor.name, issuer_name=issuer))

    async def confirm(self, code: str) -> RecoveryCodes:
        """Activate the app, and revoke other credentials. Raise Conflict without a pending app, or Invalid."""
        user_id = self._actor.user_id
        async with self._begin() as session:
            await session.execute(select(USER.id).where(USER.id == user_id).with_for_update(key_share=True))
            waiting = TOTPS.c.user_id == user_id, TOTPS.c.confirmed_at.is_(None)
            stored = await session.scalar(select(TOTPS.c.secret).where(*waiting).with_for_update())
            if stored is None:
                raise Conflict(
                    "No authenticator app is waiting to be confirmed. Start with POST /api/auth/mfa/totp.",
                    slug="second-factor-missing",
                )
            step = matching_step(decrypt(stored, self._secret, purpose_of(user_id)), plain_code(code), now())
            if step is None:
                raise Invalid.field("body.code", "The code is wrong. Check that the clock of your device is right.")
            await use_step(session, step, *waiting, confirmed_at=now())
            text = "Signing in now needs a code from it."
            await self._changed(session, "accounts.totp_confirm", "An authenticator app was added", text)
            return await self._new_codes(session)

    async def remove(self, reauthentication: ReauthenticationIn) -> None:
        """Remove the app. Raise Forbidden or Conflict."""
        found = await self._reauthentication.check_factor(reauthentication)
        async with self._begin() as session:
            await self._lock(session, found)
            for table in (TOTPS, CODES):
                await session.execute(delete(table).where(table.c.user_id == self._actor.user_id))
            text = "Your password alone is now enough to sign in."
            await self._changed(session, "accounts.totp_remove", "Your authenticator app was removed", text)

    async def renew(self, reauthentication: ReauthenticationIn) -> RecoveryCodes:
        """Replace the recovery codes. Raise Forbidden or Conflict."""
        found = await self._reauthentication.check_factor(reauthentication)
        async with self._begin() as session:
            await self._lock(session, found)
            text = "The earlier codes no longer work."
            await self._changed(session, "accounts.recovery_codes", "You have new recovery codes", text)
            return await self._new_codes(session)

    async def _changed(self, session: WriteSession, action: Action, subject: str, text: str) -> None:
        """Audit the change, notify the user by e-mail, and revoke other credentials except this session."""
        await self._record(session, action)
        user_id = self._actor.user_id
        await revoke_credentials(session, self._actor, user_id, "second_factor", but=self._actor.session_id)
        await notify_change(session, self._actor.name, subject, text)

    async def _lock(self, session: WriteSession, reauthenticated: Authentication) -> None:
        await self._reauthentication.require_current(session, reauthenticated)
        found = select(TOTP.user_id).where(*confirmed(self._actor.user_id)).with_for_update()
        if await session.scalar(found) is None:
            raise Conflict("You have no authenticator app.", slug="second-factor-missing")

    async def _new_codes(self, session: WriteSession) -> RecoveryCodes:
        user_id, codes = self._actor.user_id, [new_recovery_code() for _ in range(HOW_MANY)]
        await session.execute(delete(CODES).where(CODES.c.user_id == user_id))
        rows = [{"user_id": user_id, "hash": hash_of(plain_code(code))} for code in codes]
        await session.execute(insert(CODES), rows)
        return RecoveryCodes(codes)

    async def _record(self, session: WriteSession, action: Action) -> None:
        await record(session, action, "users", subject_id=self._actor.user_id)
