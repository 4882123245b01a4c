"""Limits on the open connections of a server process: in total and per network."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from todo.http.proxies import network_of

LOG_INTERVAL = 60.0  # seconds

log = logging.getLogger(__name__)


class Connections:
    """Count open connections. Trusted proxies are exempt from the limit per network, since they serve many clients."""

    def __init__(self, limit: int, limit_per_network: int, is_proxy: Callable[[str], bool]):
        self._limit = limit
        self._limit_per_network = limit_per_network
        self._is_proxy = is_proxy
        self._open: Counter[str] = Counter()
        self._refused = 0
        self._logged_at = -LOG_INTERVAL

    def add(self, address: str) -> int:
        """Count a new connection. Return by how many the limits are exceeded, or 0 or less when they are not."""
        network = network_of(address)
        self._open[network] += 1
        excess = self._open.total() - self._limit
        if not self._is_proxy(address):
            excess = max(excess, self._open[network] - self._limit_per_network)
        if excess > 0:
            self._log_problem()
        return excess

    def remove(self, address: str) -> None:
        network = network_of(address)
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]

    def _log_problem(self) -> None:
        """Log at most one line a minute."""
        self._refused += 1
        if time.monotonic() - self._logged_at >= LOG_INTERVAL:
            log.warning("connections refused", extra={"count": self._refused, "open": self._open.total()})
            self._refused, self._logged_at = 0, time.monotonic()
