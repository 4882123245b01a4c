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
    """What one process holds of a key: `granted` tokens debited at `began`, `spent` of them used.

    The held tokens melt: one less after each `cost`, because the account in the database refills at that rate.
    `used` is the account replayed with what was really spent and when: how long after `began` the bucket is whole.
    """

    __slots__ = ("at", "began", "cost", "block", "granted", "lock", "spent", "tat", "used", "window")

    def __init__(self, policy: Policy):
        self.lock = asyncio.Lock()
        self.cost = policy.cost.total_seconds()
        self.window = policy.window.total_seconds()
        self.block = policy.block
        self.began = monotonic()
        self.granted = self.spent = 0
        self.used = 0.0
        self.at: datetime | None = None  # `began` on the database's clock
        self.tat: datetime | None = None  # what the debit left in the account

    def spend(self) -> bool:
        """Use one held token, if one is left."""
        elapsed = monotonic() - self.began
        if (self.granted - self.spent - 1) * self.cost < elapsed:
            return False
        self._spend(elapsed)
        return True

    def missing(self) -> float:
        """Seconds until the bucket is whole, as far as this process knows."""
        return max(0.0, self.used - (monotonic() - self.began))

    def remaining(self) -> int:
        """Whole tokens in the bucket, as far as this process knows."""
        return max(0, math.floor((self.window - self.missing()) / self.cost))

    def wait(self) -> float:
        """Seconds until the bucket holds a token; zero or less when it does."""
        return self.missing() + self.cost - self.window

    def account(self) -> dict[str, datetime | None]:
        """For the database: what the last debit left, what it would be had we debited only what we spent,
        and when the tokens still held will have melted. Empty before the first debit."""
        if self.at is None:
            return {"left": None, "used": None, "melted": None}
        melted = self.at + timedelta(seconds=(self.granted - self.spent) * self.cost)
        return {"left": self.tat, "used": self.at + timedelta(seconds=self.used), "melted": melted}

    def renew(self, began: float, at: datetime, tat: datetime, granted: int) -> None:
        """Begin a debited lease. `began` is taken before the database was asked, so that tokens melt early, not late.

        The request that asked has its token at once.
        """
        self.at, self.tat = at, tat
        self._begin(began, granted, max(0.0, (tat - at).total_seconds() - granted * self.cost))

    def renew_alone(self) -> None:
        """Begin a lease that no database knows of, within this process's own bucket."""
        self.at = self.tat = None
        missing = self.missing()
        self._begin(monotonic(), min(self.block, math.floor((self.window - missing) / self.cost)), missing)

    def _begin(self, began: float, granted: int, used: float) -> None:
        self.began, self.granted, self.spent, self.used = began, granted, 0, used
        if granted:
            self._spend(0.0)

    def _spend(self, elapsed: float) -> None:
        self.spent += 1
        self.used = max(self.used, elapsed) + self.cost
