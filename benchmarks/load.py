"""One burst of load, in a process of its own: reads a plan (JSON) on stdin, prints what it measured (JSON).

Every connection sends its next request as soon as the answer to its last one is complete or, as people do, a pause
after it.
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

RAMP_SECONDS = 5  # until all ask: a server closes connections that ask nothing at first
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, requests: Iterator[bytes], pause: float):
        self.requests = requests
        self.pause = pause
        self.latencies: list[float] = []
        self.failures = 0
        self.stopping = False
        self.next: asyncio.TimerHandle | None = None
        self.closed = asyncio.Event()

    def stop(self) -> None:
        """Stop after the answer that is awaited, or now."""
        self.stopping = True
        if self.next:
            self.next.cancel()
            self.transport.close()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self) -> None:
        self.next = None
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
        self.latencies.append(perf_counter() - self.sent_at)
        if self.stopping:
            self.transport.close()
            return
        if self.pause:
            self.next = asyncio.get_running_loop().call_later(self.pause, self.ask)
        else:
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.failures += not self.stopping
        self.closed.set()


async def connect(port: int, requests: list[bytes], start: int, pause: float) -> Client:
    rotated = itertools.cycle(requests[start:] + requests[:start])
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(rotated, pause), "127.0.0.1", port)
    return client


async def burst(port: int, connections: int, seconds: float, requests: list[str], pause: float = 0) -> dict[str, float]:
    """Requests per second, percentiles of the latency (ms), and the number of failures. `pause` in seconds."""
    raw, step = [request.encode() for request in requests], max(1, len(requests) // connections)
    clients = [await connect(port, raw, n * step % len(raw), pause) for n in range(connections)]
    started = perf_counter()
    for number, client in enumerate(clients):
        loop = asyncio.get_running_loop()
        client.next = loop.call_later(min(pause, RAMP_SECONDS) * number / connections, client.ask)
    await asyncio.sleep(seconds)
    rate = sum(len(client.latencies) for client in clients) / (perf_counter() - started)
    for client in clients:
        client.stop()
    async with asyncio.timeout(30):
        await asyncio.gather(*(client.closed.wait() for client in clients))
    latencies = [latency * 1000 for client in clients for latency in client.latencies]
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "requests": len(latencies), "rate": rate, "p50": cuts[49], "p95": cuts[94],
        "p99": cuts[98], "failures": sum(client.failures for client in clients),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(burst(**json.load(sys.stdin)))))
