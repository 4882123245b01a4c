"""Turning a credential into the one who acts."""

import time
from uuid import UUID

from async_lru import alru_cache
from sqlalchemy import bindparam, func, select

from todo.access import Actor
from todo.database import Database, Query
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, UserRole
from todo.domain.accounts.services.keys import TokenKeys
from todo.errors import Problem, Unauthorized
from todo.settings import Settings

_rights = select(func.unnest(ROLE.permissions)).join(UserRole, USER_ROLE.role_id == ROLE.id)
_rights = _rights.where(USER_ROLE.user_id == USER.id)

ACTORS = Query(
    lambda id, email, timezone, status, rights: (
        Actor(id=id, name=email, permissions=frozenset(rights), timezone=timezone) if status == "active" else None
    ),
    select(USER.id, USER.email, USER.timezone, USER.status, func.array(_rights.scalar_subquery())).where(
        USER.id == bindparam("user")
    ),
)


class Authenticator:
    """Turns `Authorization: Bearer ...` into an Actor, without the database in the steady state.

    A person's rights are remembered for `actor_cache_seconds`: that is how long a disabled account keeps working.
    """

    def __init__(self, database: Database, keys: TokenKeys, settings: Settings):
        self._database = database
        self._verify = alru_cache(maxsize=10_000, ttl=60)(keys.verify)
        self._actor = alru_cache(maxsize=10_000, ttl=settings.actor_cache_seconds or None)(self._load)
        self._cached = settings.actor_cache_seconds > 0

    async def __call__(self, token: str) -> Actor | Problem:
        try:
            user_id, expires = await self._verify(token)
            actor = await (self._actor(user_id) if self._cached else self._load(user_id))
        except Problem as problem:
            return problem
        if time.time() >= expires:
            return Unauthorized("The token has expired; sign in again.", error="invalid_token")
        return actor or Unauthorized("The account behind this token is gone or disabled.", error="invalid_token")

    async def _load(self, user_id: UUID) -> Actor | None:
        return await self._database.reads.one_or_none(ACTORS, user=user_id)
