"""Exact rate limits across any number of processes that rarely need a database call.

A limit of N per window is a token bucket (GCRA): N tokens, refilled evenly. The database stores one row per key.
A process leases a few tokens in advance (at most a tenth of the limit and half of what is left) and spends them
without a query. Leased tokens that are not used expire as fast as the bucket refills (see `token_bucket.Lease`), so
all processes together never allow more than one bucket would. The price: with several processes a request may be
rejected a little early while another process holds tokens that it will not use. A single process is exact.
"""

import asyncio
from collections import OrderedDict
from datetime import datetime
from hashlib import sha256
from time import monotonic
from weakref import WeakKeyDictionary

from litestar.types import Scope
from sqlalchemy import DateTime, bindparam, func, text
from sqlmodel import Field, SQLModel

from todo.access import Actor
from todo.cleanup import Expired, delete_expired
from todo.database import Database, columns
from todo.database_errors import problem_from
from todo.errors import TooManyRequests, Unavailable
from todo.http.proxies import address_of, network_of
from todo.http.token_bucket import Lease, Policy, policy_of
from todo.queue import Context

# Exact, without leases, one limit per key. They answer 503 while the database is unavailable.
POLICIES = {
    policy.name: policy
    for policy in (
        Policy("login", 10, 60, strict=True),
        Policy("codes", 50, 86400, strict=True),
        Policy("register", 10, 3600, strict=True),
        Policy("refresh", 30, 60, strict=True),
        Policy("reset", 5, 900, strict=True),
        Policy("mail", 5, 3600, strict=True),
        Policy("provision", 1000, 3600, strict=True),
    )
}
UNCOUNTED = frozenset(
    {"/health/live", "/health/ready", "/metrics"}
)  # called by monitoring, which must never be rejected
MAX_KEYS = 10_000  # keys a process remembers; evicting one only loses its unspent tokens
DATABASE_TIMEOUT = 2  # seconds to wait for the database
COOL_DOWN = 1  # seconds without queries after the database was found unavailable


class RateLimit(SQLModel, table=True):
    """The bucket of a key. `tat` is the theoretical arrival time (GCRA). Unlogged: a crash resets the limits."""

    __tablename__ = "rate_limits"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 70}},)

    key: str = Field(primary_key=True)
    tat: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    granted: int  # tokens of the latest debit


# Return what is left of the caller's last lease to the bucket, then lease again: at most `block` tokens and half of
# what the bucket holds, none when it is empty. Returns the bucket, the tokens, and the database's time.
DEBIT = text("""
    INSERT INTO rate_limits AS r (key, tat, granted)
    VALUES (:key, clock_timestamp() + :block * CAST(:cost AS interval), :block)
    ON CONFLICT (key) DO UPDATE SET (tat, granted) = (
        SELECT base + tokens * CAST(:cost AS interval), tokens
        FROM (
            SELECT base, CAST(least(:block, ceil(floor(
                extract(epoch FROM :window - (base - now)) / extract(epoch FROM CAST(:cost AS interval))
            ) / 2)) AS integer) AS tokens
            FROM (
                SELECT now, greatest(now, r.tat - greatest(least(:held, :expires - now), interval '0')) AS base
                FROM (SELECT clock_timestamp() AS now) AS clock
            ) AS settled
        ) AS debit
    )
    RETURNING clock_timestamp(), tat, granted
""").bindparams(bindparam("expires", type_=DateTime(timezone=True)))


class Limiter:
    """The leases of one process on the rate limits in one database."""

    def __init__(self, limit: str):
        self._user = policy_of("user", limit)
        self._address = policy_of("address", limit)
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._away_until = 0.0

    async def count(self, database: Database, scope: Scope) -> dict[str, str]:
        """Count a request for its user, or for its network (IPv6: /64) when it is anonymous.

        Return the rate limit headers of the response. Raise TooManyRequests.
        """
        actor = scope.get("user")
        known = isinstance(actor, Actor) and actor.id is not None
        policy = self._user if known else self._address
        if policy is None or scope["path"] in UNCOUNTED:
            return {}
        lease = await self.admit(database, policy, str(actor.id) if known else network_of(address_of(scope)))
        return policy.headers(lease)

    async def admit(self, database: Database, policy: Policy, key: str) -> Lease:
        """Spend one token of a key. Raise TooManyRequests, or Unavailable when a strict limit cannot be checked."""
        lease = self._lease(policy, f"{policy.name}:{key}")
        if lease.spend():
            return lease
        async with lease.lock:  # one request queries the database, those waiting behind it spend what it leased
            if lease.spend():
                return lease
            if lease.wait() <= 0 and await self._renew(database, policy, f"{policy.name}:{key}", lease):
                return lease
            raise TooManyRequests(policy.name, lease.wait(), policy.headers(lease))

    def _lease(self, policy: Policy, key: str) -> Lease:
        lease = self._leases.setdefault(key, Lease(policy))
        self._leases.move_to_end(key)
        if len(self._leases) > MAX_KEYS:
            self._leases.popitem(last=False)
        return lease

    async def _renew(self, database: Database, policy: Policy, key: str, lease: Lease) -> bool:
        """Lease more tokens.

        While the database is unavailable, use a bucket of this process, unless the limit is strict.
        """
        if monotonic() >= self._away_until:
            try:
                return lease.renew(*await _debit(database, policy, key, lease))
            except Exception as error:
                if not isinstance(problem_from(error), Unavailable):
                    raise
                self._away_until = monotonic() + COOL_DOWN
        if policy.strict:
            raise Unavailable("The rate limit cannot be checked while the database is unavailable.", retry_after=2)
        return lease.renew_alone()


async def _debit(database: Database, policy: Policy, key: str, lease: Lease) -> tuple[float, datetime, datetime, int]:
    values = {"key": key, "block": policy.block, "cost": policy.cost, "window": policy.window}
    async with database.autocommit() as session:
        async with asyncio.timeout(DATABASE_TIMEOUT):
            connection = await session.connection()
            began = monotonic()
            at, tat, granted = (await connection.execute(DEBIT, values | lease.give_back())).one()
    return began, at, tat, granted


LIMITERS: WeakKeyDictionary[Database, Limiter] = WeakKeyDictionary()


def limiter_of(database: Database) -> Limiter:
    """Return the limiter of a database: one in each process."""
    return LIMITERS.setdefault(database, Limiter(database.settings.rate_limit))


async def check(database: Database, policy: str, *keys: str) -> None:
    """Count one attempt under a named policy for each key, e.g. `await check(database, "login", address, email)`.

    Raise TooManyRequests (429), or Unavailable (503) while the database is unavailable. Call it before opening a
    session. Addresses are counted by network (IPv6: /64), and only digests of keys are stored.
    `TODO_RATE_LIMIT=off` disables all checks.
    """
    if database.settings.rate_limit == "off":
        return
    for key in keys:
        digest = sha256(network_of(key).casefold().encode()).hexdigest()[:32]
        await limiter_of(database).admit(database, POLICIES[policy], digest)


EXPIRED = Expired(RateLimit, columns(RateLimit).tat < func.now())


async def delete_full(context: Context) -> None:
    """Delete rows of full buckets: a missing row means the same."""
    await delete_expired(context["database"], EXPIRED, seconds=20)
