"""Hashing passwords off the event loop, at a cost that settings choose."""

import asyncio
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from todo.database import Gate
from todo.settings import Settings


class Passwords:
    """Argon2id on threads of its own: a flood of sign-ins waits here (64 at most) and the event loop never does."""

    def __init__(self, settings: Settings):
        cores = os.cpu_count() or 1
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="argon2")
        self._gate = Gate(cores + 64, wait=0.001)
        # Checked in place of a hash that does not exist, so that an unknown address costs as much time as a known one.
        self._decoy = self._hasher.hash("decoy")

    async def hash(self, password: str) -> str:
        """Raises Unavailable when too many are waiting."""
        hashed: str = await self._run(self._hasher.hash, _normal(password))
        return hashed

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is this password; the same work when there is nothing to compare with."""
        right = await self._run(self._matches, stored or self._decoy, _normal(password))
        return right and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Any, *arguments: Any) -> Any:
        async with self._gate:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _normal(password: str) -> str:
    """NFC only: nothing is trimmed, folded or cut."""
    return unicodedata.normalize("NFC", password)
