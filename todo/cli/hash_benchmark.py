"""`todo hash-benchmark`: which cost of a password hash suits this machine."""

import os
import time

import rich_click as click
from argon2 import PasswordHasher
from rich.console import Console
from rich.table import Table

# Equal level of defence by the OWASP password storage cheat sheet, p = 1: memory in KiB and passes.
CHOICES = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))
STRONGER = ((65536, 2), (65536, 3))
GOAL_SECONDS = 0.1


@click.command("hash-benchmark")
def hash_benchmark() -> None:
    """Measure password hashing here, and recommend its cost.

    Example:

        todo hash-benchmark
    """
    timed = {(memory, passes): seconds_for(memory, passes) for memory, passes in (*STRONGER, *CHOICES)}
    table = Table("Memory", "Passes", "One hash", "Sign-ins a second, all cores")
    cores = os.cpu_count() or 1
    for (memory, passes), seconds in timed.items():
        table.add_row(f"{memory // 1024} MiB", str(passes), f"{seconds * 1000:.0f} ms", f"{cores / seconds:.0f}")
    Console().print(table)
    memory, passes = next((choice for choice, seconds in timed.items() if seconds <= GOAL_SECONDS), CHOICES[-1])
    click.echo(f"For this machine: TODO_ARGON2_MEMORY_KIB={memory} TODO_ARGON2_ITERATIONS={passes}")


def seconds_for(memory_kib: int, passes: int) -> float:
    """The time of one hash, the best of three."""
    hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        hasher.hash("correct horse battery staple")
        times.append(time.perf_counter() - started)
    return min(times)
