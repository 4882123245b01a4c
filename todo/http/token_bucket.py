"""Rate limit arithmetic: policies and the tokens a process leases. Times are in seconds unless noted."""

import asyncio
import math
import re
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Policy:
    """At most `limit` requests in `seconds`, refilled evenly: one every `seconds / limit`.

    A strict policy queries the database for every request and rejects requests while the database is unavailable;
    others lease up to `block` tokens in advance.
    """

    def __init__(self, name: str, limit: int, seconds: int, *, strict: bool = False):
        self.name = name
        self.strict = strict
        self.block = 1 if strict else max(1, limit // 10)
        self.window = timedelta(seconds=seconds)
        self.cost = timedelta(microseconds=max(1, seconds * 1_000_000 // limit))
        self.parameters = {"block": self.block, "cost": self.cost, "window": self.window}  # of a debit
        self._described = f'"{name}";q={limit};w={seconds}'

    def headers(self, lease: "Lease") -> dict[str, str]:
        """Return the headers of draft-ietf-httpapi-ratelimit-headers-11.

        `r` is the remaining quota as far as this process knows. `t` is the time until the quota is full again or, when
        nothing remains, until the next request is allowed.
        """
        remaining = lease.remaining()
        seconds = math.ceil(lease.missing() if remaining else lease.wait())
        return {"RateLimit-Policy": self._described, "RateLimit": f'"{self.name}";r={remaining};t={max(seconds, 1)}'}


def policy_of(name: str, limit: str) -> Policy | None:
    """Parse `100/minute`. Return None for `off`."""
    found = re.fullmatch(r"(\d+)/(second|minute|hour|day)", limit)
    return Policy(name, int(found[1]), SECONDS[found[2]]) if found else None


class Grant(NamedTuple):
    """What a debit returns: the time of the database, the bucket after it, and the tokens leased."""

    at: datetime
    tat: datetime
    tokens: int


class Lease:
    """The tokens of a key that one process has leased from the bucket in the database.

    `_held` are leased tokens not yet spent, in seconds (a token is worth `_cost`). `_busy` is the time in which the
    tokens this process spent are refilled. Leased tokens do not expire during that time; afterwards they expire as fast
    as the bucket refills. So the bucket and all leases together never exceed the limit, nor grow faster than one
    bucket.
    """

    __slots__ = (
        "_queried",
        "_at",
        "_busy",
        "_cost",
        "_held",
        "_expired_to",
        "_prepaid",
        "_taken",
        "_window",
        "lock",
        "policy",
    )

    def __init__(self, policy: Policy):
        self.lock = asyncio.Lock()
        self.policy = policy
        self._cost = policy.cost.total_seconds()
        self._window = policy.window.total_seconds()
        self._held = self._busy = self._taken = 0.0
        self._prepaid = False
        self._expired_to = self._queried = monotonic()
        self._at: datetime | None = None  # `_queried` on the database's clock

    def has_token(self) -> bool:
        self._expire(monotonic())
        return self._prepaid or self._held >= self._cost

    def spend(self) -> bool:
        """Spend one leased token. Return False when none is left."""
        if not self.has_token():
            return False
        if self._prepaid:
            self._prepaid = False
            return True
        self._held -= self._cost
        self._busy += self._cost
        return True

    def missing(self) -> float:
        """Return the seconds until the bucket is full, as far as this process knows."""
        return max(0.0, self._taken - (monotonic() - self._queried) - self._held)

    def remaining(self) -> int:
        """Return the whole tokens in the bucket, as far as this process knows."""
        return max(0, math.floor((self._window - self.missing()) / self._cost))

    def wait(self) -> float:
        """Return the seconds until the bucket holds a token, or 0 or less when it does."""
        return self.missing() + self._cost - self._window

    def give_back(self) -> dict[str, timedelta | datetime | None]:
        """Return the unspent tokens for the database row, and the time (database clock) when they will have expired."""
        self._expire(monotonic())
        held, self._held = self._held, 0.0
        if self._at is None:
            return {"held": timedelta(), "expires": None}
        expires = self._expired_to + self._busy + held - self._queried
        return {"held": timedelta(seconds=held), "expires": self._at + timedelta(seconds=expires)}

    def renew(self, began: float, grant: Grant) -> bool:
        """Store leased tokens and spend one for the calling request. Return False when none were granted.

        `began` is the time before the query, so that tokens expire slightly early and never late.
        """
        self._queried, self._at = monotonic(), grant.at
        self._taken = (grant.tat - grant.at).total_seconds()
        self._expired_to = began
        self._held = grant.tokens * self._cost
        return self._first()

    def prepay(self, began: float, grant: Grant) -> None:
        """Renew the lease for a request that is counted later: the token spent now is the next one spent."""
        self._prepaid = self.renew(began, grant)

    def renew_alone(self) -> bool:
        """Lease tokens from a bucket of this process alone, while the database is unavailable."""
        missing = self.missing()
        granted = min(self.policy.block, math.floor((self._window - missing) / self._cost))
        self._queried, self._at, self._held = monotonic(), None, granted * self._cost
        self._taken = missing + self._held
        return self._first()

    def _first(self) -> bool:
        if not self._held:
            return False
        self._held -= self._cost
        self._busy += self._cost
        return True

    def _expire(self, until: float) -> None:
        idle = until - self._expired_to - self._busy
        self._busy = max(0.0, -idle)
        self._held = max(0.0, self._held - max(0.0, idle))
        self._expired_to = until
        self._prepaid &= until - self._queried < self._cost  # the request was never counted
