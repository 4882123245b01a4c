"""One burst of load, in a process of its own: reads a plan (JSON) on stdin, prints what it measured (JSON).

Every connection sends its next request as soon as the answer to its last one is complete.
"""

import asyncio
import itertools
import json
import re
import statistics
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, requests: Iterator[bytes]):
        self.requests = requests
        self.latencies: list[float] = []
        self.failures = 0
        self.stopping = False
        self.closed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self) -> None:
        self.head, self.missing = b"", -1
        self.sent_at = perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            self.head, end, data = (self.head + data).partition(b"\r\n\r\n")
            if not end:
                return
            self.missing = int(LENGTH.search(self.head)[1])
            self.failures += self.head[9:10] != b"2"
        self.missing -= len(data)
        if self.missing == 0:
            self.answered()

    def answered(self) -> None:
        if self.stopping:
            self.transport.close()
            return
        self.latencies.append(perf_counter() - self.sent_at)
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.failures += not self.stopping
        self.closed.set()


async def connect(port: int, requests: list[bytes], start: int) -> Client:
    rotated = itertools.cycle(requests[start:] + requests[:start])
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(rotated), "127.0.0.1", port)
    return client


async def burst(port: int, connections: int, seconds: float, requests: list[str]) -> dict[str, float]:
    """Requests per second, median and 95th percentile of the latency (ms), and the number of failures."""
    raw, step = [request.encode() for request in requests], max(1, len(requests) // connections)
    clients = [await connect(port, raw, n * step % len(raw)) for n in range(connections)]
    started = perf_counter()
    for client in clients:
        client.ask()
    await asyncio.sleep(seconds)
    elapsed = perf_counter() - started
    for client in clients:
        client.stopping = True
    async with asyncio.timeout(30):
        await asyncio.gather(*(client.closed.wait() for client in clients))
    latencies = [latency * 1000 for client in clients for latency in client.latencies]
    cuts = statistics.quantiles(latencies, n=20)
    return {
        "requests": len(latencies), "rate": len(latencies) / elapsed, "p50": cuts[9], "p95": cuts[18],
        "failures": sum(client.failures for client in clients),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(burst(**json.load(sys.stdin)))))
