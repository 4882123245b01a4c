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
