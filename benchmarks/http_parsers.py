"""How long uvicorn's two HTTP/1.1 parsers hold the event loop for what a stranger may send.

    python benchmarks/http_parsers.py

Bytes arrive in blocks of 256 KB, as uvloop hands them over. "longest" is the longest block, "whole" all of them.
See docs/decisions/0015-http-parser.md.
"""

import asyncio
import time
from collections.abc import Iterator
from unittest.mock import Mock

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

BLOCK = 256_000
HEAD = b"POST /health/live HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n"


def attacks() -> Iterator[tuple[str, list[bytes]]]:
    yield "one ordinary request", [REQUEST]
    yield "header of 20 MB", blocks(HEAD + b"X-Big: " + b"a" * 20_000_000)
    yield "address of 20 MB", blocks(b"GET /" + b"a" * 20_000_000)
    yield "60 KB header, a byte at a time", [bytes([byte]) for byte in HEAD + b"X-Big: " + b"a" * 60_000]
    yield "400,000 headers", blocks(HEAD + b"a: b\r\n" * 400_000)
    yield "chunks of one byte, 1 MB", blocks(CHUNKED + b"1\r\na\r\n" * 160_000)
    yield "chunk extension of 20 MB", blocks(CHUNKED + b"1;" + b"a" * 20_000_000)
    yield "pipelined requests, 256 KB", blocks(REQUEST * 3500)


def blocks(data: bytes) -> list[bytes]:
    return [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]


async def app(scope: object, receive: object, send: object) -> None:
    await asyncio.Event().wait()


async def feed(parser: type[H11Protocol] | type[HttpToolsProtocol], data: list[bytes]) -> tuple[float, float]:
    """The longest block and the sum, in seconds; stops where the parser closes the connection."""
    protocol = parser(Config(app, log_config=None, log_level="critical"), ServerState(), {})
    transport = Mock(asyncio.Transport, **{"is_closing.return_value": False, "get_extra_info.return_value": None})
    protocol.connection_made(transport)
    longest = whole = 0.0
    for block in data:
        began = time.perf_counter()
        protocol.data_received(block)
        took = time.perf_counter() - began
        longest, whole = max(longest, took), whole + took
        if transport.close.called:
            break
    for task in protocol.tasks:
        task.cancel()
    return longest, whole


async def main() -> None:
    for name, data in attacks():
        for parser in (HttpToolsProtocol, H11Protocol):
            longest, whole = min([await feed(parser, data) for _ in range(3)])
            print(f"{name:32} {parser.__name__:18} longest {longest * 1000:9.2f} ms   whole {whole * 1000:9.1f} ms")


asyncio.run(main())
