"""Caches of authenticated actors in this process, and their invalidation.

Other processes see a change within `TODO_ACTOR_CACHE_SECONDS`.
"""

from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

from sqlalchemy import event

from todo.access import Actor
from todo.database import WriteSession


class Known(NamedTuple):
    """The actor of a token, and the time (`time.monotonic`) until which this need not be checked again."""

    actor: Actor
    until: float


class Cache(Protocol):
    """Part of the interface of functions wrapped by `async_lru.alru_cache`."""

    def cache_clear(self) -> None: ...


_caches: WeakSet[Any] = WeakSet()  # of every application in this process


def remember_in(cache: Cache) -> None:
    """Register a cache for `forget`, for as long as the cache lives."""
    _caches.add(cache)


def forget(session: WriteSession) -> None:
    """Clear all caches once the transaction is committed (or earlier, in a savepoint)."""

    def clear(_: object) -> None:
        for cache in _caches:
            cache.cache_clear()

    event.listen(session.sync_session, "after_commit", clear)
