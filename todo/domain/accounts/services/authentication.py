"""Authenticate requests by access token."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from async_lru import alru_cache
from sqlalchemy import and_, bindparam, func, or_, select

from todo.access import Actor, Origin
from todo.database import Database, Query, WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.models import PERMISSIONS_OF, SESSION, USER, Session, User
from todo.domain.accounts.services.identity_providers import IdentityProviders, NotSeenYet
from todo.domain.accounts.services.keys import TokenKeys, Verified
from todo.domain.accounts.services.personal_tokens import PREFIX, PersonalTokens
from todo.domain.accounts.services.remembered import remember_in
from todo.errors import Problem, Unauthorized
from todo.settings import Settings

_live = and_(SESSION.user_id == USER.id, SESSION.revoked_at.is_(None), SESSION.expires_at > func.now())
ACTORS = Query(
    lambda id, email, timezone, permissions, session_id, amr: Actor(
        id=id, name=email, permissions=frozenset(permissions), timezone=timezone, session_id=session_id,
        amr=frozenset(amr or ()),
    ),
    select(
        USER.id, USER.email, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery()), SESSION.id, SESSION.amr,
    )
    .select_from(User)
    .outerjoin(Session, and_(SESSION.id == bindparam("session", type_=SESSION.id.type), _live))
    .where(
        USER.id == bindparam("user"), USER.status == "active",
        or_(bindparam("session", type_=SESSION.id.type).is_(None), SESSION.id.is_not(None)),
    ),
)  # fmt: skip


class Authenticator:
    """Convert `Authorization: Bearer ...` to an actor, usually without a database query.

    Tokens, users and sessions are cached for `actor_cache_seconds` (at most 5): for that time a disabled account, an
    ended session or a removed role still works in any process.
    """

    def __init__(
        self,
        database: Database,
        keys: TokenKeys,
        settings: Settings,
        tokens: PersonalTokens,
        issuers: IdentityProviders,
    ):
        self._database = database
        self._keys = keys
        self._tokens = tokens
        self._issuers = issuers
        self._required = settings.second_factor_for
        self._verify: Callable[[str], Awaitable[Verified]] = self._check
        self._actor: Callable[[UUID, UUID | None], Awaitable[Actor | None]] = self._load
        if settings.actor_cache_seconds > 0:
            remember = alru_cache(maxsize=10_000, ttl=settings.actor_cache_seconds)
            self._verify, self._actor = remember(self._verify), remember(self._load)
            remember_in(self._actor)

    async def __call__(self, token: str, origin: Origin) -> Actor | Problem:
        """Return the actor, or the problem for a bad credential: guards decide whether it matters."""
        if token.startswith(PREFIX):
            return await self._tokens.actor_of(token)
        try:
            found = await self._verified(token, origin)
            actor = await self._actor(found.user_id, found.session_id)
        except Problem as problem:
            return problem
        if time.time() >= found.expires:
            return Unauthorized("The token has expired; sign in again.", error="invalid_token")
        if actor is None:
            return Unauthorized("The session or the account of this token has ended.", error="invalid_token")
        return replace(actor, authenticated_at=found.authenticated_at)

    async def _verified(self, token: str, origin: Origin) -> Verified:
        try:
            return await self._verify(token)
        except NotSeenYet:
            return await self._issuers.admit(token, origin)

    async def _check(self, token: str) -> Verified:
        if self._issuers.knows(token):
            return await self._issuers.verify(token)
        return await self._keys.verify(token)

    async def _load(self, user_id: UUID, session_id: UUID | None) -> Actor | None:
        actor = await self._database.reads.one_or_none(ACTORS, user=user_id, session=session_id)
        return actor and rules.until_second_factor(actor, self._required)


async def actor_of(session: WriteSession, user_id: UUID) -> Actor | None:
    """Return an active user with the current permissions, for background work."""
    held = select(USER.id, USER.email, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery())).select_from(User)
    found = (await session.execute(held.where(USER.id == user_id, USER.status == "active"))).first()
    return found and Actor(found[0], found[1], permissions=frozenset(found[3]), timezone=found[2])
