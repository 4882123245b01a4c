"""Exact rate limits across any number of processes that rarely need a database call.

A limit of N per window is a token bucket (GCRA): N tokens, refilled evenly. The database stores one row per key.
A process leases a few tokens in advance (at most a tenth of the limit and half of what is left) and spends them
without a query. Leased tokens that are not used expire as fast as the bucket refills (see `token_bucket.Lease`), so
all processes together never allow more than one bucket would. The price: with several processes a request may be
rejected a little early while another process holds tokens that it will not use. A single process is exact.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from litestar.types import Scope
from sqlalchemy import DateTime, Integer, Interval, Select, TextClause, bindparam, func, select, text, true
from sqlmodel import Field, SQLModel

from todo.access import Actor
from todo.cleanup import Expired, delete_expired
from todo.database import Database, Query, columns
from todo.database_errors import problem_from
from todo.errors import TooManyRequests, Unavailable
from todo.http.proxies import address_of, network_of
from todo.http.token_bucket import Grant, Lease, Policy, policy_of
from todo.queue import Context

S = TypeVar("S")

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
        Policy("invitations", 50, 86400, strict=True),
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


def debit(key: str, source: str = "") -> TextClause:
    """Build the statement that debits the bucket of `key`, an SQL expression over the rows of `source`.

    It returns what is left of the caller's last lease to the bucket, then leases again: at most `block` tokens and half
    of what the bucket holds, none when it is empty. Its row is the database's time, the bucket, and the tokens.
    """
    return text(f"""
        INSERT INTO rate_limits AS r (key, tat, granted)
        SELECT {key}, clock_timestamp() + :block * CAST(:cost AS interval), :block {source}
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
        RETURNING clock_timestamp() AS at, tat, granted
    """).bindparams(  # noqa: S608 -- both parts are ours
        bindparam("block", type_=Integer()),
        *(bindparam(name, type_=Interval()) for name in ("cost", "window", "held")),
        bindparam("expires", type_=DateTime(timezone=True)),
    )


DEBIT = Query(Grant, debit(":key"))


class UserQuery(Generic[S]):
    """A query of one user that also leases tokens for this user when theirs are spent, in the same statement.

    `user` selects the user's id as `id`. Without a row no tokens are leased.
    """

    def __init__(self, into: Callable[..., S], user: Select[Any]):
        found = user.cte("found")
        lease = debit("'user:' || id", "FROM found").columns(
            at=DateTime(timezone=True), tat=DateTime(timezone=True), granted=Integer()
        ).cte("lease")  # fmt: skip
        self.alone = Query(into, user)
        self.leasing = Query(
            lambda user_id, at, tat, granted, *row: (user_id, Grant(at, tat, granted), into(*row)),
            select(found.c.id, *lease.c, *found.c).select_from(found).join(lease, true()),
        )

    async def one_or_none(self, database: Database, user_id: UUID | None, **values: Any) -> S | None:
        """Return the user's row, from the primary: a replica may not know yet that a session has begun or ended.

        `user_id` may be None when only the row will tell whose it is.
        """
        limiter = limiter_of(database)
        lease = limiter.spent(user_id)
        if lease is None:
            return await database.primary.one_or_none(self.alone, **values)
        try:
            return await limiter.lease_with(database, self, lease, values)
        except Exception as error:
            limiter.note(error)
            return await database.reads.one_or_none(self.alone, **values)


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
            if lease.wait() <= 0 and await self._renew(database, f"{policy.name}:{key}", lease):
                return lease
            raise TooManyRequests(policy.name, lease.wait(), policy.headers(lease))

    def _lease(self, policy: Policy, key: str) -> Lease:
        lease = self._leases.setdefault(key, Lease(policy))
        self._leases.move_to_end(key)
        if len(self._leases) > MAX_KEYS:
            self._leases.popitem(last=False)
        return lease

    async def _renew(self, database: Database, key: str, lease: Lease) -> bool:
        """Lease more tokens.

        While the database is unavailable, use a bucket of this process, unless the limit is strict.
        """
        if monotonic() >= self._away_until:
            try:
                return lease.renew(monotonic(), await _debit(database, key, lease))
            except Exception as error:
                self.note(error)
        if lease.policy.strict:
            raise Unavailable("The rate limit cannot be checked while the database is unavailable.", retry_after=2)
        return lease.renew_alone()

    def note(self, error: Exception) -> None:
        """Stop querying the database for a moment when it is unavailable. Raise any other error."""
        if not isinstance(problem_from(error), Unavailable):
            raise error
        self._away_until = monotonic() + COOL_DOWN

    def spent(self, user_id: UUID | None) -> Lease | None:
        """Return the lease of a user when it has to be renewed now, or None. Nothing is known of no user."""
        if self._user is None or monotonic() < self._away_until:
            return None
        if user_id is None:
            return Lease(self._user)
        lease = self._lease(self._user, f"user:{user_id}")
        return None if lease.lock.locked() or lease.has_token() or lease.wait() > 0 else lease

    async def lease_with(
        self, database: Database, query: UserQuery[S], lease: Lease, values: Mapping[str, Any]
    ) -> S | None:
        """Run a query of a user that also renews the lease of this user."""
        async with lease.lock:
            began = monotonic()
            sent = {**values, **lease.policy.parameters, **lease.give_back()}
            for user_id, grant, row in await database.primary.returning(query.leasing, DATABASE_TIMEOUT, **sent):
                self._lease(lease.policy, f"user:{user_id}").prepay(began, grant)
                return row
            return None


async def _debit(database: Database, key: str, lease: Lease) -> Grant:
    sent = {**lease.policy.parameters, **lease.give_back()}
    (grant,) = await database.primary.returning(DEBIT, DATABASE_TIMEOUT, key=key, **sent)
    return grant


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
