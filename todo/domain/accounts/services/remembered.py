"""Caches of authenticated actors in this process, and their invalidation.

Other processes see a change within `TODO_ACTOR_CACHE_SECONDS`.
"""

from collections.abc import Hashable
from typing import Any, Protocol
from weakref import WeakSet

from sqlalchemy import event

from todo.database import WriteSession


class Cache(Protocol):
    """The interface of functions wrapped by `async_lru.alru_cache`."""

    def cache_invalidate(self, /, *key: Hashable) -> bool: ...


_caches: WeakSet[Any] = WeakSet()  # of every application in this process


def remember_in(cache: Cache) -> None:
    """Register a cache for `forget`, for as long as the cache lives."""
    _caches.add(cache)


def forget(session: WriteSession, *key: Hashable) -> None:
    """Invalidate this key once the transaction is committed (or earlier, in a savepoint)."""

    def drop(_: object) -> None:
        for cache in _caches:
            cache.cache_invalidate(*key)

    event.listen(session.sync_session, "after_commit", drop)
