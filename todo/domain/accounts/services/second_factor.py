"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for the day it is lost."""

import base64
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import Actor
from todo.audit import record
from todo.database import Database, Query, WriteSession, now, table_of
from todo.domain.accounts.models import PASSKEY, RECOVERY_CODE, SESSION, TOTP, USER, Passkey, RecoveryCode, Totp, User
from todo.domain.accounts.rules import FACTORS
from todo.domain.accounts.schemas.second_factor import Enrolment, Proof, RecoveryCodes, SecondFactors
from todo.domain.accounts.services.credentials import Authentication, end_credentials, is_current
from todo.domain.accounts.services.keys import decrypt, encrypt
from todo.domain.accounts.services.mailed import notify
from todo.domain.accounts.services.passkeys import Site, check_passkey
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.sessions import Granted, SessionService
from todo.errors import Conflict, Forbidden, Invalid
from todo.http.limits import check

HOW_MANY = 10
TOTPS, CODES = table_of(Totp), table_of(RecoveryCode)

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


class Known(NamedTuple):
    """What a proof is compared with: password and second factor of the account, and the `amr` of this session."""

    password_hash: str | None
    credential_version: int
    second_factor: bool
    amr: list[str] | None


_factor = or_(
    exists().where(TOTP.user_id == _user, TOTP.confirmed_at.is_not(None)),
    exists().where(PASSKEY.user_id == _user, PASSKEY.revoked_at.is_(None)),
)
_amr = select(SESSION.amr).where(SESSION.id == bindparam("session", type_=SESSION.id.type)).scalar_subquery()
KNOWN = Query(Known, select(USER.password_hash, USER.credential_version, _factor, _amr).where(USER.id == _user))


async def has_second_factor(session: WriteSession, user_id: UUID) -> bool:
    """Whether a password alone is not enough for this person."""
    return bool(await session.scalar(select(exists().where(*_confirmed(user_id)))))


async def check_second_factor(session: WriteSession, user_id: UUID, code: str, at: datetime, secret: str) -> str | None:
    """How the code proves who it is: "otp", "recovery", or None when it does not. Every code works once."""
    plain = plain_code(code)
    stored = await session.scalar(select(TOTP.secret).where(*_confirmed(user_id)))
    if stored is None:
        return None
    step = matching_step(decrypt(stored, secret, _purpose(user_id)), plain, at)
    if step is not None and await _use_step(session, step, *_confirmed(user_id)):
        return "otp"
    unused = CODES.c.user_id == user_id, CODES.c.hash == _hash(plain), CODES.c.used_at.is_(None)
    used = await session.execute(update(CODES).where(*unused).values(used_at=at).returning(CODES.c.user_id))
    return "recovery" if used.first() else None


async def forget_second_factor(session: WriteSession, actor: Actor, user: User) -> None:
    """For who has lost theirs: app, recovery codes and passkeys are gone, every session ends, and they are told."""
    for table in (TOTPS, CODES):
        await session.execute(delete(table).where(table.c.user_id == user.id))
    keys = update(Passkey).where(PASSKEY.user_id == user.id, PASSKEY.revoked_at.is_(None))
    await session.execute(keys.values(revoked_at=now()))
    await record(session, actor, "accounts.second_factor_forget", "users", subject_id=user.id)
    await end_credentials(session, actor, user.id, "operator")
    await notify(session, user.email, "Your second factor was removed", "An operator removed it at your request.")


class SecondFactorService:
    """Adding and removing second factors. A password is checked before a transaction begins."""

    def __init__(self, database: Database, passwords: Passwords, secret: str, actor: Actor):
        self._database = database
        self._passwords = passwords
        self._secret = secret
        self._actor = actor

    async def state(self) -> SecondFactors:
        found = await self._database.reads.one_or_none(STATE, user=self._actor.user_id)
        return found or SecondFactors(totp=False, recovery_codes=0, passkeys=0)

    async def prove(self, proof: Proof) -> Authentication:
        """Show again who is acting: whatever the proof holds must be right, and it must hold something.

        Raises Forbidden, which leaves its trace, and TooManyRequests.
        """
        return await self._prove(proof, await self._known())

    async def _prove(self, proof: Proof, known: Known) -> Authentication:
        await check(self._database, "login", f"proof of {self._actor.user_id}")
        shown: list[str | None] = []
        if proof.password is not None:
            shown.append("pwd" if await self._passwords.verify(known.password_hash, proof.password) else None)
        if proof.code is not None or proof.passkey is not None:
            shown += await self._shown_factors(proof)
        amr = tuple(one for one in shown if one is not None)
        if not amr or None in shown:
            await self._refuse("The password or the code is wrong.")
        return Authentication(self._actor.user_id, amr, known.credential_version)

    async def _shown_factors(self, proof: Proof) -> list[str | None]:
        """How code and passkey show who it is; None for what does not."""
        user_id, shown = self._actor.user_id, []
        async with self._database.session() as session:
            if proof.code is not None:
                shown.append(await check_second_factor(session, user_id, proof.code, now(), self._secret))
            if proof.passkey is not None:
                site = Site.of(self._database.settings, self._secret)
                found = await check_passkey(session, site, proof.passkey.state, proof.passkey.credential)
                shown.append("hwk" if found is not None and found.user_id == user_id else None)
        return shown

    async def prove_factor(self, proof: Proof) -> Authentication:
        """The same before a change of how this person signs in: who has a second factor shows it, here or at sign-in.

        A password that was stolen is then no way around the second factor.
        """
        known = await self._known()
        if proof.code is None and proof.passkey is None:
            await self._require_factor(known)
        return await self._prove(proof, known)

    async def require_factor(self) -> None:
        """Raises Forbidden, which leaves its trace, for who has a second factor and has signed in without it."""
        await self._require_factor(await self._known())

    async def _require_factor(self, known: Known) -> None:
        if known.second_factor and FACTORS.isdisjoint(known.amr or ()):
            await self._refuse("This needs your second factor: a code, or a session that began with code or passkey.")

    async def reauthenticate(self, proof: Proof) -> Granted:
        """Note that the right person sits there now, and how they have shown it; raises Forbidden, TooManyRequests."""
        found = await self.prove(proof)
        if self._actor.session_id is None:
            raise Forbidden("There is no session of ours behind this token: sign in again where it comes from.")
        async with self._database.session() as session:
            await self.require_current(session, found)
            sessions = SessionService(session, self._actor, self._secret)
            return await sessions.reauthenticate(self._actor.session_id, found.amr)

    async def _known(self) -> Known:
        asked = {"user": self._actor.user_id, "session": self._actor.session_id}
        found = await self._database.primary.one_or_none(KNOWN, **asked)
        return found or Known(None, 0, second_factor=False, amr=None)

    async def require_current(self, session: WriteSession, found: Authentication) -> None:
        """Lock the account; raises Forbidden when what was proven has ended meanwhile."""
        if not await is_current(session, found.user_id, found.credential_version):
            raise Forbidden("The password or the code is wrong.")

    async def _refuse(self, sentence: str) -> None:
        async with self._database.session() as session:
            await self._record(session, "accounts.proof_refused")
        raise Forbidden(sentence)

    async def begin(self, proof: Proof) -> Enrolment:
        """A new authenticator app, in place of one that was not confirmed; raises Forbidden, Conflict."""
        found = await self.prove_factor(proof)
        user_id, secret = self._actor.user_id, pyotp.random_base32()
        values = {"user_id": user_id, "secret": encrypt(secret.encode(), self._secret, _purpose(user_id))}
        added = upsert(TOTPS).values(**values, last_step=0)
        added = added.on_conflict_do_update(
            index_elements=["user_id"], set_=values, where=TOTPS.c.confirmed_at.is_(None)
        )
        async with self._database.session() as session:
            await self.require_current(session, found)
            if (await session.execute(added.returning(TOTPS.c.user_id))).first() is None:
                raise Conflict("There is an authenticator app already; remove it first.")
            await self._record(session, "accounts.totp_begin")
        issuer = urlsplit(self._database.settings.public_url).hostname or "todo"
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=self._actor.name, issuer_name=issuer))

    async def confirm(self, code: str) -> RecoveryCodes:
        """The app counts from now on, and other credentials end; raises Conflict when none was begun, Invalid."""
        user_id = self._actor.user_id
        async with self._database.session() as session:
            await session.execute(select(USER.id).where(USER.id == user_id).with_for_update(key_share=True))
            waiting = TOTPS.c.user_id == user_id, TOTPS.c.confirmed_at.is_(None)
            stored = await session.scalar(select(TOTPS.c.secret).where(*waiting).with_for_update())
            if stored is None:
                raise Conflict("There is nothing to confirm: begin with POST /api/auth/mfa/totp.")
            step = matching_step(decrypt(stored, self._secret, _purpose(user_id)), plain_code(code), now())
            if step is None:
                raise Invalid.field("body.code", "This is not what the app shows now. Is the clock right?")
            await _use_step(session, step, *waiting, confirmed_at=now())
            await self._changed(session, "accounts.totp_confirm")
            return await self._new_codes(session)

    async def remove(self, proof: Proof) -> None:
        """Back to the password alone; raises Forbidden, Conflict."""
        found = await self.prove_factor(proof)
        async with self._database.session() as session:
            await self._lock(session, found)
            for table in (TOTPS, CODES):
                await session.execute(delete(table).where(table.c.user_id == self._actor.user_id))
            await self._changed(session, "accounts.totp_remove")

    async def renew(self, proof: Proof) -> RecoveryCodes:
        """New recovery codes; the ones before are worth nothing. Raises Forbidden, Conflict."""
        found = await self.prove_factor(proof)
        async with self._database.session() as session:
            await self._lock(session, found)
            await self._changed(session, "accounts.recovery_codes")
            return await self._new_codes(session)

    async def _changed(self, session: WriteSession, action: str) -> None:
        """Note it, and end what was given out before, but for this session."""
        await self._record(session, action)
        user_id = self._actor.user_id
        await end_credentials(session, self._actor, user_id, "second_factor", but=self._actor.session_id)

    async def _lock(self, session: WriteSession, proven: Authentication) -> None:
        await self.require_current(session, proven)
        found = select(TOTP.user_id).where(*_confirmed(self._actor.user_id)).with_for_update()
        if await session.scalar(found) is None:
            raise Conflict("There is no authenticator app.")

    async def _new_codes(self, session: WriteSession) -> RecoveryCodes:
        user_id, codes = self._actor.user_id, [new_recovery_code() for _ in range(HOW_MANY)]
        await session.execute(delete(CODES).where(CODES.c.user_id == user_id))
        rows = [{"user_id": user_id, "hash": _hash(plain_code(code))} for code in codes]
        await session.execute(insert(CODES), rows)
        return RecoveryCodes(codes)

    async def _record(self, session: WriteSession, action: str) -> None:
        await record(session, self._actor, action, "users", subject_id=self._actor.user_id)


def new_recovery_code() -> str:
    """80 bits, as four groups that can be read aloud."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def plain_code(code: str) -> str:
    """A code as it is compared: however its groups were set apart, in any case."""
    return "".join(filter(str.isalnum, code)).lower()


def matching_step(secret: bytes, code: str, at: datetime) -> int | None:
    """The 30 seconds this code belongs to: now, or the step before or after."""
    try:
        return pyotp.TOTP(secret.decode()).verify_and_get_timecode(code, for_time=at, valid_window=1)
    except OTPVerificationError:
        return None


async def _use_step(session: WriteSession, step: int, *where: Any, **values: Any) -> bool:
    """Whether nobody was quicker: a step is used once, and none before it again."""
    later = update(TOTPS).where(*where, TOTPS.c.last_step < step).values(last_step=step, **values)
    return (await session.execute(later.returning(TOTPS.c.user_id))).first() is not None


def _confirmed(user_id: UUID) -> tuple[Any, Any]:
    return TOTP.user_id == user_id, TOTP.confirmed_at.is_not(None)


def _purpose(user_id: UUID) -> str:
    return f"authenticator app of {user_id}"


def _hash(plain: str) -> bytes:
    return sha256(plain.encode()).digest()
