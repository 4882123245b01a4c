"""Leases of several processes, however they spend, never let through more than one token bucket."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from todo.http import token_bucket
from todo.http.token_bucket import Grant, Lease, policy_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """One clock, one account, and the bucket that all of it must obey."""

    def __init__(self, limit: str) -> None:
        policy = policy_of("user", limit)
        assert policy
        self.policy = policy
        self.now = 0.0
        self.tat = 0.0
        self.whole_at = 0.0  # of the bucket that counts what was really let through, when it was

    @property
    def cost(self) -> float:
        return self.policy.cost.total_seconds()

    @property
    def window(self) -> float:
        return self.policy.window.total_seconds()

    def debit(self, lease: Lease, delay: float) -> tuple[float, Grant]:
        """What the statement in limits.py does; the answer is under way for a while. Return when it was sent."""
        began, back = self.now, lease.give_back()
        self.now += delay
        held, expires = back["held"], back["expires"]
        assert isinstance(held, timedelta)
        kept = held if expires is None else min(held, max(timedelta(), expires - self.at))  # type: ignore[operator]  # a moment
        base = max(self.now, self.tat - kept.total_seconds())
        module = int((self.window - (base - self.now)) / self.cost + 1e-9)
        granted = min(self.policy.block, -(-module // 2))
        self.tat = base + granted * self.cost
        self.let_through(granted > 0)
        grant = Grant(self.at, BEGIN + timedelta(seconds=self.tat), granted)
        self.now += delay
        return began, grant

    @property
    def at(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)

    def let_through(self, passed: bool) -> bool:
        if passed:
            self.whole_at = max(self.whole_at, self.now) + self.cost
        return passed

    def request(self, lease: Lease, delay: float) -> bool:
        return self.let_through(lease.spend()) or (lease.wait() <= 0 and lease.renew(*self.debit(lease, delay)))

    def request_of_user(self, lease: Lease, delay: float, gap: float) -> bool:
        """A request whose user is loaded by the statement that leases; it is counted a moment later."""
        if lease.has_token() or lease.wait() > 0:
            return self.request(lease, delay)
        began, grant = self.debit(lease, delay)
        lease.prepay(began, grant)
        self.now += gap
        assert lease.spend() is (grant.tokens > 0)
        return grant.tokens > 0


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(25))
def test_together_they_obey_one_bucket(monkeypatch: pytest.MonkeyPatch, processes: int, seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance.choice(["100/minute", "10/second", "7/minute", "1000/hour"]))
    monkeypatch.setattr(token_bucket, "monotonic", lambda: world.now)
    leases = [Lease(world.policy) for _ in range(processes)]

    for _ in range(3000):
        world.now += chance.choice([0, 0, 0.0001, 0.1, 1, 10]) * chance.random() * world.cost * 3
        lease, delay = chance.choice(leases), chance.choice([0, 0.001, 0.2]) * chance.random()
        if chance.random() < 0.3:
            world.request_of_user(lease, delay, chance.choice([0, 0.0001, 0.1]) * chance.random() * world.cost)
        else:
            world.request(lease, delay)
        assert world.whole_at - world.now <= world.window + 1e-3


@pytest.mark.parametrize("every", [0.3, 0.6, 0.61, 1.0, 5.0, 20.0])
def test_a_single_process_refuses_nothing_that_the_bucket_holds(monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    world = World("100/minute")
    monkeypatch.setattr(token_bucket, "monotonic", lambda: world.now)
    lease = Lease(world.policy)

    for _ in range(1000):
        world.now += every
        holds = max(world.whole_at, world.now) + world.cost - world.now <= world.window - 1e-3
        assert world.request_of_user(lease, 0, 0.01) or not holds
