"""Reauthentication, before operations for which a stolen token or an open browser must not suffice."""

from typing import NamedTuple

from sqlalchemy import bindparam, exists, or_, select

from todo.access import Origin
from todo.database import Database, Query, WriteSession, now
from todo.domain.accounts.models import PASSKEY, SESSION, TOTP, USER
from todo.domain.accounts.rules import FACTORS
from todo.domain.accounts.schemas.second_factor import ReauthenticationIn
from todo.domain.accounts.services.codes import check_second_factor, codes_key, note_wrong
from todo.domain.accounts.services.credentials import Authentication, is_current
from todo.domain.accounts.services.passkeys import Site, check_passkey
from todo.domain.accounts.services.passwords import Passwords
from todo.domain.accounts.services.sessions import Granted, SessionService
from todo.errors import Forbidden
from todo.http.limits import check
from todo.settings import SecretKey

_user = bindparam("user", type_=USER.id.type)


class Known(NamedTuple):
    """What credentials are compared with: password and second factor of the account, and the session's `amr`."""

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


class Reauthentication:
    """Reauthentication of one signed-in user. Passwords are checked before a transaction begins."""

    def __init__(self, database: Database, passwords: Passwords, secret: SecretKey, origin: Origin):
        self._database = database
        self._passwords = passwords
        self._secret = secret
        self._origin, self._actor = origin, origin.actor

    async def verify_identity(self, reauthentication: ReauthenticationIn) -> Authentication:
        """Check the credentials of the user. At least one is required, and all given ones must be correct.

        Raise Forbidden, which is audited, and TooManyRequests.
        """
        return await self._verify(reauthentication, await self._known())

    async def _verify(self, reauthentication: ReauthenticationIn, known: Known) -> Authentication:
        await check(self._database, "login", f"proof of {self._actor.user_id}")
        shown: list[str | None] = []
        if reauthentication.password is not None:
            shown.append(
                "pwd" if await self._passwords.verify(known.password_hash, reauthentication.password) else None
            )
        if reauthentication.code is not None:
            await check(self._database, "codes", codes_key(self._actor.user_id, known.credential_version))
        if reauthentication.code is not None or reauthentication.passkey is not None:
            shown += await self._shown_factors(reauthentication)
        amr = tuple(one for one in shown if one is not None)
        if not amr or None in shown:
            await self._refuse("The password or the code is wrong.")
        return Authentication(self._actor.user_id, amr, known.credential_version)

    async def _shown_factors(self, reauthentication: ReauthenticationIn) -> list[str | None]:
        """Return the method of the code and of the passkey, or None for each that is wrong."""
        user_id, shown = self._actor.user_id, []
        async with self._database.session(self._origin) as session:
            if reauthentication.code is not None:
                shown.append(await check_second_factor(session, user_id, reauthentication.code, now(), self._secret))
            if reauthentication.passkey is not None:
                site = Site.of(self._database.settings, self._secret)
                found = await check_passkey(
                    session, site, reauthentication.passkey.state, reauthentication.passkey.credential
                )
                shown.append("hwk" if found is not None and found.user_id == user_id else None)
        return shown

    async def check_factor(self, reauthentication: ReauthenticationIn) -> Authentication:
        """Check credentials before a change of credentials: users with a second factor must use it, now or at sign-in.

        A stolen password can thus not replace the second factor.
        """
        known = await self._known()
        if reauthentication.code is None and reauthentication.passkey is None:
            await self._require_factor(known)
        return await self._verify(reauthentication, known)

    async def require_factor(self) -> None:
        """Raise Forbidden, audited, for a user with a second factor who signed in without it."""
        await self._require_factor(await self._known())

    async def _require_factor(self, known: Known) -> None:
        if known.second_factor and FACTORS.isdisjoint(known.amr or ()):
            await self._refuse("This needs your second factor: send a code, or sign in with a code or passkey.")

    async def reauthenticate(self, reauthentication: ReauthenticationIn) -> Granted:
        """Record a reauthentication of the session, with its methods. Raise Forbidden or TooManyRequests."""
        found = await self.verify_identity(reauthentication)
        if self._actor.session_id is None:
            raise Forbidden(
                "This token has no session here. Sign in again with its identity provider.", slug="session-required"
            )
        async with self._database.session(self._origin) as session:
            await self.require_current(session, found)
            sessions = SessionService(session, self._actor, self._secret)
            return await sessions.reauthenticate(self._actor.session_id, found.amr)

    async def _known(self) -> Known:
        parameters = {"user": self._actor.user_id, "session": self._actor.session_id}
        found = await self._database.primary.one_or_none(KNOWN, **parameters)
        return found or Known(None, 0, second_factor=False, amr=None)

    async def require_current(self, session: WriteSession, found: Authentication) -> None:
        """Lock the account. Raise Forbidden when its credentials were revoked since the check."""
        if not await is_current(session, found.user_id, found.credential_version):
            raise Forbidden("The password or the code is wrong.", slug="wrong-password")

    async def _refuse(self, sentence: str) -> None:
        async with self._database.session(self._origin) as session:
            await note_wrong(session, "accounts.reauthentication_failed", self._actor.user_id)
        raise Forbidden(sentence, slug="wrong-password")
