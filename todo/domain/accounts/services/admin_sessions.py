"""Sign-in to the admin pages by cookie: sessions end after half an hour idle or twelve hours in total."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import LargeBinary, bindparam, func, select, update

from todo.access import Actor, Origin
from todo.admin.pages.sessions import Acting, AdminSession, MfaPending
from todo.database import Database, Query, now
from todo.domain.accounts import rules
from todo.domain.accounts.models import PERMISSIONS_OF, SESSION, USER, Session, User
from todo.domain.accounts.schemas.second_factor import PasskeyAnswer, ReauthenticationIn, RecoveryCodes
from todo.domain.accounts.schemas.sessions import SecondFactor
from todo.domain.accounts.schemas.users import Login
from todo.domain.accounts.services.authentication import ACTORS
from todo.domain.accounts.services.credentials import Authentication
from todo.domain.accounts.services.impersonation import acting
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.second_factor import SecondFactorService
from todo.domain.accounts.services.sessions import BROWSER_IDLE, SessionService
from todo.domain.accounts.services.sign_in import SignIn
from todo.errors import Forbidden, Unauthorized
from todo.settings import SecretKey, Settings

SEEN_EVERY = timedelta(minutes=1)  # precision of the time of last use
ENROLLMENT = "/admin/account/second-factor"


class Found(NamedTuple):
    """An admin session, and when its browser was last seen."""

    admin_session: AdminSession
    seen_at: datetime


def _admin_session(
    id: UUID, email: str, name: str, timezone: str, permissions: list[str], session_id: UUID, amr: list[str],
    seen_at: datetime, reauthenticated_at: datetime | None, acting_as: UUID | None, until: datetime | None,
    writes: bool,
) -> Found:  # fmt: skip
    actor = Actor(
        id=id,
        name=email,
        permissions=frozenset(permissions),
        timezone=timezone,
        session_id=session_id,
        amr=frozenset(amr),
    )
    whom = Acting(acting_as, until, writes) if acting_as and until and until > now() else None
    return Found(AdminSession(actor, name or email, session_id, reauthenticated_at, acting=whom), seen_at)


_live = (
    SESSION.cookie_hash == bindparam("cookie_hash", type_=LargeBinary()),
    SESSION.revoked_at.is_(None),
    SESSION.expires_at > func.now(),
    SESSION.seen_at > func.now() - BROWSER_IDLE,
    USER.status == "active",
)
ADMIN_SESSION = Query(
    _admin_session,
    select(
        USER.id, USER.email, USER.name, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery()),
        SESSION.id, SESSION.amr, SESSION.seen_at, SESSION.reauthenticated_at,
        SESSION.acting_as, SESSION.acting_until, SESSION.acting_writes,
    ).select_from(User).join(Session, SESSION.user_id == USER.id).where(*_live),
)  # fmt: skip


SEEN = Query(
    lambda: None,
    update(Session).where(SESSION.id == bindparam("session", type_=SESSION.id.type)).values(seen_at=func.now()),
)


class AdminSessions:
    """The interface of the admin pages to accounts (todo.admin.pages.sessions.Accounts)."""

    def __init__(self, database: Database, sign_in: SignIn, settings: Settings, secret: SecretKey):
        self._database = database
        self._sign_in = sign_in
        self._required = settings.second_factor_for
        self._secret = secret

    async def admin_session(self, cookie: str) -> AdminSession | None:
        """Return the session of a cookie, or None when it has ended. Always read from the database."""
        found = await self._database.primary.one_or_none(ADMIN_SESSION, cookie_hash=_hash(cookie))
        if found is None:
            return None
        admin_session, seen_at = found
        if now() - seen_at > SEEN_EVERY:
            await self._database.primary.write(SEEN, session=admin_session.session_id)
        actor = rules.until_second_factor(admin_session.actor, self._required)
        if actor is not admin_session.actor:
            return replace(admin_session, actor=actor, required_step=ENROLLMENT, acting=None)
        if admin_session.acting is None:
            return admin_session
        return await self._as_somebody_else(admin_session, admin_session.acting)

    async def _as_somebody_else(self, admin_session: AdminSession, impersonation: Acting) -> AdminSession:
        """Return the session as the impersonated user, or as the operator when impersonation is no longer allowed."""
        person = await self._database.primary.one_or_none(ACTORS.alone, user=impersonation.person_id)
        try:
            if person is None:
                return replace(admin_session, acting=None)
            return replace(admin_session, actor=acting(admin_session.actor, person, writes=impersonation.writes))
        except Forbidden:
            return replace(admin_session, acting=None)

    async def enter(self, origin: Origin, email: str, password: str, user_agent: str) -> str | MfaPending:
        """Return a new cookie, or the token of the first step. Raise Unauthorized, Forbidden or TooManyRequests."""
        person = await self._sign_in.check_password(origin, _read({"email": email, "password": password}, Login))
        if person.second_factor:
            return MfaPending(await self._sign_in.mfa_pending(origin, person))
        return await self._begin(origin, Authentication(person.id, ("pwd",), person.credential_version), user_agent)

    async def second_step(self, origin: Origin, token: str, code: str, user_agent: str) -> str:
        """Return a new cookie. Raise Unauthorized, Forbidden or TooManyRequests."""
        data = _read({"mfa_token": token, "code": code}, SecondFactor)
        return await self._begin(origin, await self._sign_in.check_code(origin, data), user_agent)

    async def passkey_options(self, origin: Origin) -> Mapping[str, Any]:
        """Return `options` for the browser and the `state` to send back. Raise TooManyRequests."""
        return msgspec.structs.asdict(await self._sign_in.passkey_options(origin))

    async def enter_by_passkey(self, origin: Origin, state: str, credential: str, user_agent: str) -> str:
        """Return a new cookie for a passkey assertion (JSON). Raise Unauthorized, Forbidden or TooManyRequests."""
        try:
            answer = {"state": state, "credential": msgspec.json.decode(credential)}
        except msgspec.DecodeError:
            raise Unauthorized("The response of the browser is not valid JSON.") from None
        found = await self._sign_in.check_passkey(origin, _read(answer, PasskeyAnswer))
        return await self._begin(origin, found, user_agent)

    async def verify_identity(self, origin: Origin, admin_session: AdminSession, password: str, code: str) -> None:
        """Reauthenticate the user of this session. Raise Forbidden or TooManyRequests."""
        await self._reauthentication(origin, admin_session).reauthenticate(
            ReauthenticationIn(code=code) if code else ReauthenticationIn(password=password)
        )

    async def leave(self, origin: Origin, admin_session: AdminSession) -> None:
        """Sign out this browser."""
        await self._sign_in.logout(origin.by(admin_session.operator), everywhere=False)

    async def confirm_factor(self, origin: Origin, admin_session: AdminSession, code: str) -> tuple[RecoveryCodes, str]:
        """Confirm an authenticator app. Return a new cookie for the stronger session. Raise Conflict or Invalid."""
        codes, cookie = await self._factors(origin, admin_session).confirm(code), new_cookie()
        async with self._database.session(origin) as session:
            sessions = SessionService(session, admin_session.actor, self._secret)
            row = await sessions.locked(SESSION.id == admin_session.session_id)
            values = {
                "amr": list(dict.fromkeys([*row.amr, "otp"])),
                "cookie_hash": _hash(cookie),
                "reauthenticated_at": now(),
            }
            await sessions.update(values, row, action="sessions.elevate")
        return codes, cookie

    async def _begin(self, origin: Origin, found: Authentication, user_agent: str) -> str:
        cookie = new_cookie()
        async with self._database.session(origin) as session:
            person = await self._sign_in.welcome(session, found, user_agent)
            sessions = SessionService(session, person, self._secret)
            await sessions.begin_browser(found.user_id, found.amr, user_agent, _hash(cookie))
        return cookie

    def _factors(self, origin: Origin, admin_session: AdminSession) -> SecondFactorService:
        reauthentication = self._reauthentication(origin, admin_session)
        begin = partial(self._database.session, origin.by(admin_session.operator))
        return SecondFactorService(self._database, self._secret, admin_session.operator, reauthentication, begin)

    def _reauthentication(self, origin: Origin, admin_session: AdminSession) -> Reauthentication:
        return Reauthentication(
            self._database, self._sign_in.passwords, self._secret, origin.by(admin_session.operator)
        )


def new_cookie() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def _hash(cookie: str) -> bytes:
    return sha256(cookie.encode()).digest()


def _read(values: Mapping[str, Any], kind: Any) -> Any:
    """Convert form fields to the API type. Raise Unauthorized for values the API would reject."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        raise Unauthorized("The sign-in form is not valid. Try again.") from None
