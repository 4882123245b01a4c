"""Measure every stack in turn, in short bursts; write results.json, the tables of docs/performance.md and a plot."""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import data, report, stacks
from benchmarks.stacks import OURS, Stack

RESULTS = Path(__file__).parent / "results.json"
DEFAULT_LIMIT = "100/minute"
WARM_SECONDS = 3
CROWD = 2_000  # people, who are not asked for all the time
COLD = ("FastAPI + SQLModel", "its template", stacks.FLOOR)
Burst = dict[str, float]
Rounds = dict[str, list[Burst]]


class Load(NamedTuple):
    """How many connections ask, how long, and how long each pauses after an answer (seconds)."""

    connections: int
    seconds: float
    pause: float = 0


class Bench:
    """Stacks on one database."""

    def __init__(self, url: str, postmaster: int, started: list[Stack]):
        self.url = url
        self.postmaster = postmaster
        self.started = started

    def measure(self, endpoint: str, load: Load, rounds: int) -> Rounds:
        """Bursts of each stack in turn (A B C, C B A ...), so that what else the machine does hits all alike."""
        found: Rounds = {stack.name: [] for stack in self.started}
        for number in range(rounds + 1):
            for stack in self.started if number % 2 else reversed(self.started):
                if endpoint == "complete":
                    asyncio.run(data.open_again(self.url))
                if number:
                    found[stack.name].append(self._burst(stack, endpoint, load))
                else:
                    self._burst(stack, endpoint, load._replace(seconds=min(load.seconds, WARM_SECONDS)))
        return found

    def _burst(self, stack: Stack, endpoint: str, load: Load) -> Burst:
        plan = load._asdict() | {"port": stack.port, "requests": stack.requests[endpoint]}
        app, database = stack.cpu_seconds(), stacks.tree_seconds(self.postmaster)
        sender = [sys.executable, "-m", "benchmarks.load"]
        done = subprocess.run(sender, input=json.dumps(plan).encode(), stdout=subprocess.PIPE, check=True)
        found: Burst = json.loads(done.stdout)
        if found["failures"]:
            raise SystemExit(f"{stack.name} failed {found['failures']} of {found['requests']} requests ({endpoint}).")
        found["app_us"] = (stack.cpu_seconds() - app) / found["requests"] * 1e6
        found["database_us"] = (stacks.tree_seconds(self.postmaster) - database) / found["requests"] * 1e6
        return found


def summary(found: Rounds, key: str) -> dict[str, Any]:
    """The median of each figure, and how many times better we are by `key` in each round: least, median, most."""
    medians = {
        name: {figure: round(median(burst[figure] for burst in bursts), 2) for figure in bursts[0]}
        for name, bursts in found.items()
    }
    ours, more_is_better = found[OURS], key == "rate"
    for name in found.keys() - {OURS}:
        pairs = [(a[key], b[key]) for a, b in zip(ours, found[name], strict=True)]
        ratios = sorted(a / b if more_is_better else b / a for a, b in pairs)
        medians[name]["ours"] = [round(ratio, 2) for ratio in (ratios[0], median(ratios), ratios[-1])]
    return medians


def hot(options: argparse.Namespace, show: Callable[[str, dict[str, Any]], None]) -> None:
    with (
        data.database(durable=options.durable) as (url, people, postmaster),
        stacks.running(options.stacks, url, people) as started,
    ):
        stacks.check(started)
        bench = Bench(url, postmaster, started)
        for connections in options.connections:
            for endpoint in options.endpoints:
                found = bench.measure(endpoint, Load(connections, options.seconds), options.rounds)
                show(f"{endpoint}, {connections} connections", summary(found, "rate"))


def cold(options: argparse.Namespace, show: Callable[[str, dict[str, Any]], None]) -> None:
    """People who ask once in a while, at our default limit: CPU time of a request.

    About 200 requests a second. A server that does little else has cold caches, and each request pays for waking it up.
    """
    names = [name for name in options.stacks if name == OURS or name in COLD]
    with (
        data.database(users=CROWD, tasks=50 * CROWD) as (url, people, postmaster),
        stacks.running(names, url, people, DEFAULT_LIMIT) as started,
    ):
        bench = Bench(url, postmaster, started)
        for title, endpoint, load in (
            ("read, each of 1,400 people once in 7 s", "read", Load(1_400, options.cold_seconds, 7)),
            ("mixed, 200 people, 1 s to think", "mixed", Load(200, options.cold_seconds, 1)),
            ("mixed, 2,000 people, 10 s to think", "mixed", Load(2_000, options.cold_seconds, 10)),
        ):
            show(title, summary(bench.measure(endpoint, load, options.cold_rounds), "app_us"))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("endpoints", nargs="*", default=list(data.ENDPOINTS), help=", ".join(data.ENDPOINTS))
    parser.add_argument("--stacks", nargs="+", default=list(stacks.COMMANDS), choices=list(stacks.COMMANDS))
    parser.add_argument("--connections", nargs="+", type=int, default=[32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="length of one burst")
    parser.add_argument("--cold-rounds", type=int, default=3, help="0: only people who ask all the time")
    parser.add_argument("--cold-seconds", type=float, default=21)
    parser.add_argument("--durable", action="store_true", help="commits wait for the disk")
    parser.add_argument("--quick", action="store_true", help="only whether everything runs; nothing is written")
    parser.add_argument("--behind", nargs="+", default=[], help="fail when one of these stacks is ahead of ours")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.cold_rounds = 1, min(1, options.cold_rounds)
        options.seconds, options.cold_seconds = 1, 3
    return options


def main() -> None:
    options = parsed()
    results: dict[str, dict[str, Any]] = {}

    def show(title: str, measured: dict[str, Any]) -> None:
        results[title] = measured
        print(f"\n{title}\n\n{report.table(measured)}", flush=True)

    hot(options, show)
    if options.cold_rounds:
        cold(options, show)
    if not options.quick:
        found = {"machine": report.machine(), "options": vars(options), "results": results}
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
        report.write(found)
    ahead = [
        f"{name} ({title})"
        for title, measured in results.items()
        for name in options.behind
        if measured[name]["ours"][1] <= 1
    ]
    if ahead:
        raise SystemExit(f"Ahead of ours: {', '.join(ahead)}.")


if __name__ == "__main__":
    main()
