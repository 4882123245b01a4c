"""What this process remembers of who acts, and forgetting it once it has changed.

Other processes learn of a change within `TODO_ACTOR_CACHE_SECONDS`.
"""

from collections.abc import Hashable
from typing import Any, Protocol
from weakref import WeakSet

from sqlalchemy import event

from todo.database import WriteSession


class Cache(Protocol):
    """What `async_lru.alru_cache` makes of a function."""

    def cache_invalidate(self, /, *key: Hashable) -> bool: ...


_caches: WeakSet[Any] = WeakSet()  # of every application in this process


def remember_in(cache: Cache) -> None:
    """Let `forget` reach this cache for as long as it lives."""
    _caches.add(cache)


def forget(session: WriteSession, *key: Hashable) -> None:
    """Drop what is remembered under this key once the transaction is committed (a savepoint only makes it earlier)."""

    def drop(_: object) -> None:
        for cache in _caches:
            cache.cache_invalidate(*key)

    event.listen(session.sync_session, "after_commit", drop)
