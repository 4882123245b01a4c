"""What one connection may take of the event loop."""

import asyncio
from typing import Any

import pytest
from conftest import settings_for
from uvicorn import Config
from uvicorn.server import ServerState

from todo.http.connections import Connections
from todo.http.drain import Drain
from todo.http.protocol import BLOCK, BoundedProtocol

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000


class Protocol(BoundedProtocol):
    """Notes how much is parsed, and the occurrences of somebody else in between."""

    settings = settings_for("")
    open_connections = Connections(10, 10, lambda _: False)
    drain = Drain(0)
    parsed: list[int] = []

    def _parse(self, block: bytes) -> None:
        self.parsed.append(len(block))
        self.loop.call_soon(self.parsed.append, 0)
        super()._parse(block)


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def answer_in(loop: asyncio.AbstractEventLoop) -> bytes:
    config = Config(app, log_config=None)
    server = await loop.create_server(lambda: Protocol(config, ServerState(), {}), "127.0.0.1")
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(REQUEST)
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_others_have_their_turn_after_every_other_block(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "parsed", [])
    factory = Config(app, log_config=None, loop=kind).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        assert b" 204 " in runner.run(answer_in(runner.get_loop()))

    blocks = Protocol.parsed
    assert sum(blocks) == len(REQUEST)
    assert max(blocks) <= BLOCK
    # uvloop may read once more before it comes to what was called soon.
    assert all(0 in three for three in zip(blocks, blocks[1:], blocks[2:], strict=False))


class Sent(asyncio.Transport):
    """Notes each write as the system call it would be."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""


async def writes_of(gap: asyncio.Event | None) -> list[list[bytes]]:
    """What was written when the head had been sent, and in the end. The body follows at once, or after `gap`."""

    async def answers(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        if gap:
            await gap.wait()
        await send({"type": "http.response.body", "body": b"body"})

    transport, state = Sent(), ServerState()
    config = Config(answers, log_config=None)
    config.load()
    protocol = Protocol(config, state, {})
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    (request,) = state.tasks
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = list(transport.writes)
    if gap:
        gap.set()
    await request
    protocol.flush()
    protocol.connection_lost(None)
    return [before, transport.writes]


def test_a_head_and_its_body_are_one_write_unless_the_body_comes_later() -> None:
    _, (whole,) = asyncio.run(writes_of(None))
    assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
    assert whole.endswith(b"\r\n\r\nbody")

    async def later() -> list[list[bytes]]:
        return await writes_of(asyncio.Event())

    (head,), both = asyncio.run(later())
    assert head.endswith(b"\r\n\r\n")
    assert both == [head, b"body"]
