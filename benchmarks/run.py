"""Runs all stacks in turn, in short bursts, and prints how they compare."""

import argparse
import json
import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks import data, stacks
from benchmarks.stacks import Stack

AIMS = {"list": 4, "read": 4, "add": 2}  # our requests per second, as a multiple of FastAPI + SQLModel's
OURS, DOCUMENTED, FLOOR = stacks.COMMANDS
LINE = "{:<6} {:<18} {:>10} {:>8} {:>8} {:>10}  {}"
Burst = dict[str, Any]


def burst(stack: Stack, endpoint: str, connections: int, seconds: float) -> Burst:
    """One burst of load on one stack."""
    plan = {
        "port": stack.port, "connections": connections, "seconds": seconds, "requests": stack.requests[endpoint]
    }  # fmt: skip
    before = stack.cpu_seconds
    load = [sys.executable, "-m", "benchmarks.load"]
    done = subprocess.run(load, input=json.dumps(plan).encode(), stdout=subprocess.PIPE, check=True)
    found: Burst = json.loads(done.stdout)
    if found["failures"]:
        raise SystemExit(f"{stack.name} failed {found['failures']} of {found['requests']} requests ({endpoint}).")
    if before is not None:
        found["cpu"] = (stack.cpu_seconds - before) / found["requests"] * 1000
    return found


def measure(started: list[Stack], endpoint: str, options: argparse.Namespace) -> dict[str, list[Burst]]:
    """Bursts of each stack: A B C, A B C, ..., so that whatever else the machine does hits all alike."""
    found: dict[str, list[Burst]] = {stack.name: [] for stack in started}
    for stack in started:
        burst(stack, endpoint, options.connections, min(2, options.seconds))
    for _ in range(options.rounds):
        for stack in started:
            found[stack.name].append(burst(stack, endpoint, options.connections, options.seconds))
    return found


def summary(found: dict[str, list[Burst]]) -> dict[str, Any]:
    """Medians of each stack, and the median of the ratios within each round."""
    medians = {
        name: {key: median(burst[key] for burst in bursts) for key in bursts[0]} for name, bursts in found.items()
    }
    ratios = {
        other: median(a["rate"] / b["rate"] for a, b in zip(found[OURS], found[other], strict=True))
        for other in (DOCUMENTED, FLOOR)
    }
    return {"stacks": medians, "ratios": ratios}


def show(endpoint: str, result: dict[str, Any]) -> None:
    for name, values in result["stacks"].items():
        ratio = result["ratios"].get(name)
        aim = f", aim {AIMS[endpoint]}" if name == DOCUMENTED else ""
        print(
            LINE.format(
                endpoint, name, f"{values['rate']:.0f}", f"{values['p50']:.1f}", f"{values['p95']:.1f}",
                f"{values['cpu']:.2f}" if "cpu" in values else "-", f"ours is {ratio:.2f} x{aim}" if ratio else "",
            ).rstrip()
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("endpoints", nargs="*", default=list(AIMS), help="list, read, add; all of them by default")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="length of one burst")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    results = {}
    with data.database() as (url, people), stacks.running(url, people) as started:
        stacks.check(started)
        if not options.json:
            print(f"{options.connections} connections, medians of {options.rounds} rounds of {options.seconds:g} s\n")
            print(LINE.format("", "", "requests/s", "p50 ms", "p95 ms", "CPU s/1000", ""))
        for endpoint in options.endpoints:
            results[endpoint] = summary(measure(started, endpoint, options))
            if not options.json:
                show(endpoint, results[endpoint])
    if options.json:
        print(json.dumps(vars(options) | {"results": results}, indent=2))


if __name__ == "__main__":
    main()
