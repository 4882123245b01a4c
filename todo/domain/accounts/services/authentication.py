"""Authenticate requests by access token."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, time
from typing import NamedTuple
from uuid import UUID

from async_lru import alru_cache
from sqlalchemy import and_, bindparam, exists, func, or_, select

from todo.access import Actor, Origin
from todo.database import Database, WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.models import KEY, PERMISSIONS_OF, SESSION, USER, Session, User
from todo.domain.accounts.services.identity_providers import IdentityProviders, NotSeenYet
from todo.domain.accounts.services.keys import TokenKeys, Verified
from todo.domain.accounts.services.personal_tokens import PREFIX, PersonalTokens
from todo.domain.accounts.services.remembered import Known, remember_in
from todo.errors import Problem, Unauthorized
from todo.http.limits import UserQuery
from todo.settings import Settings

REMEMBERED = 10_000

_live = and_(SESSION.user_id == USER.id, SESSION.revoked_at.is_(None), SESSION.expires_at > func.now())
_session, _key = bindparam("session", None, type_=SESSION.id.type), bindparam("key", None, type_=KEY.id.type)
ACTORS = UserQuery(
    lambda id, email, timezone, permissions, session_id, amr: Actor(
        id=id, name=email, permissions=frozenset(permissions), timezone=timezone, session_id=session_id,
        amr=frozenset(amr or ()),
    ),
    select(
        USER.id, USER.email, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery()),
        SESSION.id.label("session_id"), SESSION.amr,
    )
    .select_from(User)
    .outerjoin(Session, and_(SESSION.id == _session, _live))
    .where(
        USER.id == bindparam("user"), USER.status == "active",
        or_(_session.is_(None), SESSION.id.is_not(None)),
        or_(_key.is_(None), exists().where(KEY.id == _key)),
    ),
)  # fmt: skip


class Loaded(NamedTuple):
    actor: Actor | None
    at: float  # time.monotonic


class Authenticator:
    """Convert `Authorization: Bearer ...` to an actor, usually by one look into a dictionary.

    Actors are cached for `actor_cache_seconds` (at most 5): for that time a disabled account, an ended session, a
    revoked key or a removed role still works in other processes than the one that changed it.
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
        self._seconds = settings.actor_cache_seconds
        self._known: dict[str, Known] = {}
        self._load: Callable[[UUID, UUID | None, UUID | None], Awaitable[Loaded]] = self._query
        if self._seconds > 0:
            self._load = alru_cache(maxsize=REMEMBERED, ttl=self._seconds)(self._query)
            remember_in(self._load)
            remember_in(self)

    async def __call__(self, token: str, origin: Origin) -> Actor | Problem:
        """Return the actor, or the problem for a bad credential: guards decide whether it matters."""
        known = self._known  # `cache_clear` replaces it, so that nothing is stored that was read before
        before = known.get(token)
        if before is not None and monotonic() < before.until:
            return before.actor
        found = await self._find(token, origin)
        if isinstance(found, Problem):
            return found
        if len(known) >= REMEMBERED:
            known.clear()
        known[token] = found
        return found.actor

    def cache_clear(self) -> None:
        self._known = {}

    async def _find(self, token: str, origin: Origin) -> Known | Problem:
        if token.startswith(PREFIX):
            return await self._tokens.known(token)
        try:
            found = await self._verified(token, origin)
            loaded = await self._load(found.user_id, found.session_id, found.key_id)
        except Problem as problem:
            return problem
        left = found.expires - time()
        if left <= 0:
            return Unauthorized("The token has expired; sign in again.", error="invalid_token", slug="token-expired")
        if loaded.actor is None:
            return Unauthorized("The session or the account of this token has ended.", error="invalid_token")
        expires_at = datetime.fromtimestamp(found.expires, UTC)
        actor = replace(loaded.actor, authenticated_at=found.authenticated_at, expires_at=expires_at)
        return Known(actor, min(loaded.at + self._seconds, monotonic() + left))

    async def _verified(self, token: str, origin: Origin) -> Verified:
        if found := self._keys.remembered(token):
            return found
        if not self._issuers.knows(token):
            return await self._keys.verify(token)
        try:
            return await self._issuers.verify(token)
        except NotSeenYet:
            return await self._issuers.admit(token, origin)

    async def _query(self, user_id: UUID, session_id: UUID | None, key_id: UUID | None) -> Loaded:
        actor = await ACTORS.one_or_none(self._database, user_id, user=user_id, session=session_id, key=key_id)
        return Loaded(actor and rules.until_second_factor(actor, self._required), monotonic())


async def actor_of(session: WriteSession, user_id: UUID) -> Actor | None:
    """Return an active user with the current permissions, for background work."""
    held = select(USER.id, USER.email, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery())).select_from(User)
    found = (await session.execute(held.where(USER.id == user_id, USER.status == "active"))).first()
    return found and Actor(found[0], found[1], permissions=frozenset(found[3]), timezone=found[2])
