"""Sessions: started by sign-in, continued by single-use refresh tokens, and ended."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy import func, insert, select, update

from todo.access import Actor
from todo.audit import AuditedService, record
from todo.database import WriteSession, now
from todo.delivery.email import send_email
from todo.domain.accounts.models import REFRESH, SESSION, USER, RefreshToken, Session
from todo.domain.accounts.services.remembered import forget
from todo.settings import NO_KEY, SecretKey

PREFIX = "todo_rt_"
IDLE, ABSOLUTE = timedelta(days=14), timedelta(days=90)
BROWSER_IDLE, BROWSER_ABSOLUTE = timedelta(minutes=30), timedelta(hours=12)  # of a sign-in to the admin pages
MOST = 100  # sessions of a user at a time
REPEAT = timedelta(seconds=10)  # grace period for repeating a refresh whose response was lost


@dataclass(frozen=True)
class Granted:
    """A session with its refresh token; `authenticated_at` is the time of the last authentication."""

    session_id: UUID
    user_id: UUID
    amr: tuple[str, ...]
    authenticated_at: datetime
    refresh_token: str


class SessionService(AuditedService[Session], model=Session):
    """One user's sessions, in the caller's transaction."""

    def __init__(self, session: WriteSession, actor: Actor, secret: SecretKey = NO_KEY):
        super().__init__(session, actor)
        self._secret = secret

    async def begin(self, user_id: UUID, amr: tuple[str, ...], user_agent: str = "") -> Granted:
        """Start a session on this device."""
        begun = Session(
            user_id=user_id, amr=list(amr), address=self.session.origin.address, user_agent=user_agent[:300],
            expires_at=now() + ABSOLUTE, reauthenticated_at=now(),
        )  # fmt: skip
        await self._store(begun)
        return _granted(begun, await self._issue(begun.id, 0))

    async def begin_browser(self, user_id: UUID, amr: tuple[str, ...], user_agent: str, cookie_hash: bytes) -> Session:
        """Start a session of the admin pages: with a cookie instead of tokens, and without refresh."""
        begun = Session(
            user_id=user_id, amr=list(amr), address=self.session.origin.address, user_agent=user_agent[:300],
            expires_at=now() + BROWSER_ABSOLUTE, cookie_hash=cookie_hash, reauthenticated_at=now(),
        )  # fmt: skip
        await self._store(begun)
        return begun

    async def _store(self, begun: Session) -> None:
        """Store a new session, and end the user's oldest beyond MOST."""
        await self.create(begun, action="sessions.begin")
        live = select(Session).where(
            SESSION.user_id == begun.user_id, SESSION.revoked_at.is_(None), SESSION.expires_at > now()
        )
        oldest = live.order_by(SESSION.id.desc()).offset(MOST).with_for_update()
        for row in (await self.session.scalars(oldest)).all():
            await self._revoke(row, "limit")

    async def refresh(self, token: str) -> Granted | None:
        """Use a refresh token and issue exactly one successor. Return None when the token is invalid.

        The reuse of a token ends its session (RFC 9700 section 4.14), unless the response may have been lost: within
        ten seconds the latest token returns the same successor again. Commit in either case.
        """
        hashed = sha256(token.encode()).digest()
        used = update(RefreshToken).where(REFRESH.hash == hashed, REFRESH.used_at.is_(None), REFRESH.expires_at > now())
        found = (
            await self.session.execute(
                used.values(used_at=func.now()).returning(REFRESH.session_id, REFRESH.generation)
            )
        ).first()
        if found:
            return await self._continue(found.session_id, found.generation)
        return await self._repeat_or_revoke(hashed)

    async def revoke(self, session_id: UUID, user_id: UUID, reason: str = "logout") -> None:
        """Sign out one device. Raise NotFound when it is not the user's or has ended."""
        row = await self.locked(
            SESSION.id == session_id,
            SESSION.user_id == user_id,
            SESSION.revoked_at.is_(None),
            SESSION.expires_at > now(),
        )
        await self._revoke(row, reason)

    async def revoke_all(self, user_id: UUID, reason: str, *, but: UUID | None = None) -> None:
        """Sign out every device, except `but`."""
        live = select(Session).where(
            SESSION.user_id == user_id, SESSION.revoked_at.is_(None), SESSION.expires_at > now()
        )
        for row in (await self.session.scalars(live.order_by(SESSION.id).with_for_update())).all():
            if row.id != but:
                await self._revoke(row, reason)

    async def reauthenticate(self, session_id: UUID, amr: Iterable[str]) -> Granted:
        """Record that the user has reauthenticated, and how. Raise NotFound when the session has ended.

        The refresh token does not change, and is not returned again.
        """
        row = await self.locked(SESSION.id == session_id, SESSION.revoked_at.is_(None))
        reauthenticated = {"reauthenticated_at": now(), "amr": list(dict.fromkeys([*row.amr, *amr]))}
        await self.update(reauthenticated, row, action="sessions.reauthenticate")
        forget(self.session)
        return _granted(row, "")

    async def _revoke(self, row: Session, reason: str) -> None:
        await self.update({"revoked_at": now(), "revoked_for": reason}, row, action="sessions.end")
        forget(self.session)

    async def _continue(self, session_id: UUID, generation: int) -> Granted | None:
        live = await self._live(session_id)
        if live is None:
            return None
        await self.session.execute(update(Session).where(SESSION.id == session_id).values(seen_at=func.now()))
        token = await self._issue(session_id, generation + 1)
        return _granted(live, token)

    async def _repeat_or_revoke(self, hashed: bytes) -> Granted | None:
        last = select(func.max(REFRESH.generation)).where(REFRESH.session_id == RefreshToken.session_id)
        known = (await self.session.execute(select(RefreshToken).where(REFRESH.hash == hashed))).scalar_one_or_none()
        if known is None or known.used_at is None:
            return None
        live = await self._live(known.session_id)
        if live is None:
            return None
        newest = await self.session.scalar(last.where(REFRESH.session_id == known.session_id))
        if known.generation == (newest or 0) - 1 and now() - known.used_at <= REPEAT:
            return _granted(live, await self._issued(live.id, known.generation + 1))
        await record(self.session, "sessions.reuse", "sessions", subject_id=live.id)
        await self._revoke(live, "reuse")
        email = await self.session.scalar(select(USER.email).where(USER.id == live.user_id))
        text = "A refresh token was used twice, so it may have been copied. The session was ended. Sign in again."
        await send_email(self.session, email or "", "We ended one of your sessions", text)
        return None

    async def _live(self, session_id: UUID) -> Session | None:
        """Return the session, locked, if it and its user are active."""
        good = select(Session).join(USER.id.table, USER.id == SESSION.user_id)
        good = good.where(SESSION.id == session_id, SESSION.revoked_at.is_(None), SESSION.expires_at > now())
        row: Session | None = await self.session.scalar(good.where(USER.status == "active").with_for_update(of=Session))
        return row

    async def _issue(self, session_id: UUID, generation: int) -> str:
        token = token_of(self._secret.current, session_id, generation)
        values: dict[str, Any] = {
            "hash": sha256(token.encode()).digest(), "session_id": session_id, "generation": generation,
            "expires_at": now() + IDLE,
        }  # fmt: skip
        await self.session.execute(insert(RefreshToken).values(values))
        return token

    async def _issued(self, session_id: UUID, generation: int) -> str:
        """Return a token that was issued before, perhaps with a former secret key."""
        stored = await self.session.scalar(
            select(REFRESH.hash).where(REFRESH.session_id == session_id, REFRESH.generation == generation)
        )
        tokens = [token_of(key, session_id, generation) for key in self._secret.all]
        return next((token for token in tokens if sha256(token.encode()).digest() == stored), tokens[0])


def token_of(key: str, session_id: UUID, generation: int) -> str:
    """Return 256 bits that only we can reproduce, so that a repeated request gets the same response."""
    derived = sha256(b"todo refresh tokens" + key.encode()).digest()
    body = hmac.new(derived, f"{session_id} {generation}".encode(), sha256).hexdigest()
    return f"{PREFIX}{body}{crc32(body.encode()):08x}"


def _granted(row: Session, token: str) -> Granted:
    return Granted(row.id, row.user_id, tuple(row.amr), row.reauthenticated_at or row.created_at, token)
