"""The arithmetic of rate limits: policies, and the tokens a process holds. Times are seconds unless said otherwise."""

import asyncio
import math
import re
from datetime import datetime, timedelta
from time import monotonic

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Policy:
    """At most `limit` requests in `seconds`, refilled evenly: one every `seconds / limit`.

    A strict one asks the database for every request and refuses when it is away; others debit `block` tokens ahead.
    """

    def __init__(self, name: str, limit: int, seconds: int, *, strict: bool = False):
        self.name = name
        self.strict = strict
        self.block = 1 if strict else max(1, limit // 10)
        self.window = timedelta(seconds=seconds)
        self.cost = timedelta(microseconds=seconds * 1_000_000 // limit)
        self._described = f'"{name}";q={limit};w={seconds}'

    def headers(self, lease: "Lease") -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-11.

        `r` is what is left as far as this process knows; `t` is the time until the quota is whole again,
        or, when nothing is left, until the next request is let through.
        """
        remaining = lease.remaining()
        seconds = math.ceil(lease.missing() if remaining else lease.wait())
        return {"RateLimit-Policy": self._described, "RateLimit": f'"{self.name}";r={remaining};t={max(seconds, 1)}'}


def policy_of(name: str, limit: str) -> Policy | None:
    """Read `100/minute`; None for `off`."""
    found = re.fullmatch(r"(\d+)/(second|minute|hour|day)", limit)
    return Policy(name, int(found[1]), SECONDS[found[2]]) if found else None


class Lease:
    """What one process holds of a key, besides what the account in the database has left.

    `held` are tokens debited and not yet spent, told in seconds (a token is worth `cost`); `busy` is how long our own
    spending takes to refill. Held tokens keep while we are busy; after that they expire as fast as the account refills.
    So the account and everything held never exceed one bucket, nor does their sum grow faster than one refills.
    """

    __slots__ = ("_asked", "_at", "_busy", "_cost", "_held", "_melted_to", "_taken", "_window", "block", "lock")

    def __init__(self, policy: Policy):
        self.lock = asyncio.Lock()
        self.block = policy.block
        self._cost = policy.cost.total_seconds()
        self._window = policy.window.total_seconds()
        self._held = self._busy = self._taken = 0.0
        self._melted_to = self._asked = monotonic()
        self._at: datetime | None = None  # `_asked` on the database's clock

    def spend(self) -> bool:
        """Use one held token, if one is left."""
        self._expire(monotonic())
        if self._held < self._cost:
            return False
        self._held -= self._cost
        self._busy += self._cost
        return True

    def missing(self) -> float:
        """Seconds until the bucket is whole, as far as this process knows."""
        return max(0.0, self._taken - (monotonic() - self._asked) - self._held)

    def remaining(self) -> int:
        """Whole tokens in the bucket, as far as this process knows."""
        return max(0, math.floor((self._window - self.missing()) / self._cost))

    def wait(self) -> float:
        """Seconds until the bucket holds a token; zero or less when it does."""
        return self.missing() + self._cost - self._window

    def give_back(self) -> dict[str, timedelta | datetime | None]:
        """What is held, for the account, and the moment (on its clock) when that will have melted."""
        self._expire(monotonic())
        held, self._held = self._held, 0.0
        if self._at is None:
            return {"held": timedelta(), "melted": None}
        melted = self._melted_to + self._busy + held - self._asked
        return {"held": timedelta(seconds=held), "melted": self._at + timedelta(seconds=melted)}

    def renew(self, began: float, at: datetime, tat: datetime, granted: int) -> bool:
        """Hold what was debited; whether that is anything. The request that asked has its token at once.

        `began` is when the database was asked: with it tokens expire a little early, never late.
        """
        self._asked, self._at = monotonic(), at
        self._taken = (tat - at).total_seconds()
        self._melted_to = began
        self._held = granted * self._cost
        return self._first()

    def renew_alone(self) -> bool:
        """Hold tokens that no database knows of, within this process's own bucket."""
        missing = self.missing()
        granted = min(self.block, math.floor((self._window - missing) / self._cost))
        self._asked, self._at, self._held = monotonic(), None, granted * self._cost
        self._taken = missing + self._held
        return self._first()

    def _first(self) -> bool:
        if not self._held:
            return False
        self._held -= self._cost
        self._busy += self._cost
        return True

    def _expire(self, until: float) -> None:
        idle = until - self._melted_to - self._busy
        self._busy = max(0.0, -idle)
        self._held = max(0.0, self._held - max(0.0, idle))
        self._melted_to = until
