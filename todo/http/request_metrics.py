"""Counters of one server process: its requests by route and status, and how long they took.

Counted by hand: prometheus_client's counters take locks, which a process with one event loop does not need, and ten
times as long.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from operator import add

from litestar.types import HTTPScope
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class Times:
    """The requests that took up to each of BOUNDS, or longer, and their seconds together."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class RequestMetrics:
    """Count the answered requests of this process. Labels are routes, never paths, of which there is no end."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str, int], Times] = {}
        self.in_progress = 0

    def count(self, scope: HTTPScope, status: int, seconds: float) -> None:
        """Count a request. Status 0 is one whose client has gone."""
        times = self._times.get((scope["method"], scope.get("path_template", ""), status))
        if times is None:
            times = self._add(scope["method"], scope.get("path_template", ""), int(status))
        times.buckets[bisect_left(BOUNDS, seconds)] += 1
        times.seconds += seconds

    def _add(self, method: str, route: str, status: int) -> Times:
        return self._times.setdefault((method if method in METHODS else "OTHER", route, status), Times())

    def collect(self) -> Iterator[Metric]:
        """Return the metrics. `route` is empty for requests that match none."""
        requests = CounterMetricFamily("todo_http_requests", "Answered requests.", labels=["method", "route", "status"])
        sums: dict[tuple[str, str], Times] = {}
        for (method, route, status), times in self._times.items():
            requests.add_metric([method, route, str(status)], sum(times.buckets))
            whole = sums.setdefault((method, route), Times())
            whole.buckets = [*map(add, whole.buckets, times.buckets)]
            whole.seconds += times.seconds
        yield requests
        yield _histogram(sums)
        yield GaugeMetricFamily(
            "todo_http_requests_in_progress", "Requests that are being answered.", value=self.in_progress
        )


def _histogram(sums: dict[tuple[str, str], Times]) -> HistogramMetricFamily:
    took = HistogramMetricFamily(
        "todo_http_request_seconds", "Seconds until the answer was sent.", labels=["method", "route"]
    )
    bounds = [*map(str, BOUNDS), "+Inf"]
    for labels, times in sums.items():
        took.add_metric([*labels], [*zip(bounds, accumulate(times.buckets), strict=True)], times.seconds)
    return took
