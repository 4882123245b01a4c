"""Password hashing outside the event loop, with a configurable cost."""

import asyncio
import base64
import hashlib
import hmac
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from todo.pool import Gate
from todo.settings import Settings


class Passwords:
    """Argon2id on separate threads. At most 64 requests wait, and the event loop is never blocked."""

    def __init__(self, settings: Settings):
        cores = os.cpu_count() or 1
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations, memory_cost=settings.argon2_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="argon2")
        self._gate = Gate(cores + 64, wait=0.001)
        # Verified instead of a missing hash, so that an unknown address takes as long as a known one.
        self._decoy = self._hasher.hash("decoy")

    async def hash(self, password: str) -> str:
        """Hash a password. Raise Unavailable when too many requests are waiting."""
        hashed: str = await self._run(self._hasher.hash, _normal(password))
        return hashed

    async def verify(self, stored: str | None, password: str) -> bool:
        """Return whether the password is correct. Without a stored hash the same work is done."""
        right = await self._run(self._matches, stored or self._decoy, _normal(password))
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Return whether a hash has another cost, or is from another system."""
        return not stored.startswith("$argon2id$") or self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            if stored.startswith("$argon2"):
                return self._hasher.verify(stored, password)
            return matches_foreign(stored, password)
        except (VerificationError, InvalidHashError, ValueError):
            return False

    async def _run(self, work: Any, *arguments: Any) -> Any:
        async with self._gate:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _normal(password: str) -> str:
    """Normalize to NFC only: nothing is trimmed, folded or cut."""
    return unicodedata.normalize("NFC", password)


def matches_foreign(stored: str, password: str) -> bool:
    """Check a hash of bcrypt, Django (PBKDF2) or Better Auth (scrypt). Raise ValueError for any other."""
    if stored.startswith(("$2a$", "$2b$", "$2y$")):
        return bcrypt.checkpw(password.encode()[:72], stored.encode())  # bcrypt ignores the rest
    if stored.startswith("pbkdf2_sha256$"):
        _, rounds, salt, digest = stored.split("$")
        made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), min(int(rounds), 10_000_000))
        return hmac.compare_digest(base64.b64encode(made).decode(), digest)
    salt, key = stored.split(":")
    normal = unicodedata.normalize("NFKC", password).encode()
    made = hashlib.scrypt(normal, salt=salt.encode(), n=16384, r=16, p=1, dklen=64, maxmem=64 * 1024 * 1024)
    return hmac.compare_digest(made.hex(), key)
