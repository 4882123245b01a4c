"""A relay between a client and PostgreSQL that counts round trips on the wire."""

import asyncio
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

WAITS_FOR_ANSWER = b"QS"  # Query, Sync: after these a client waits for ReadyForQuery


@dataclass
class Wire:
    """`trips` counts since it was last set to 0; `cut()` breaks every connection, as a restart would."""

    url: str = ""
    trips: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From client to server: the first message has no type, the others are counted by theirs."""
        length = await reader.readexactly(4)
        writer.write(length + await reader.readexactly(struct.unpack("!i", length)[0] - 4))
        while head := await reader.read(1):
            length = await reader.readexactly(4)
            writer.write(head + length + await reader.readexactly(struct.unpack("!i", length)[0] - 4))
            self.trips += head in WAITS_FOR_ANSWER
            await writer.drain()

    async def back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def quietly(way: Coroutine[None, None, None]) -> None:
    """One direction, until either end is gone."""
    with suppress(OSError, asyncio.IncompleteReadError):
        await way


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[Wire]:
    """Relay a loopback port to the server of `url`, which listens on a Unix socket."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
    wire = Wire()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(socket)
        wire.writers += [writer, server_writer]
        ways = [wire.forward(reader, server_writer), wire.back(server_reader, writer)]
        await asyncio.wait([asyncio.ensure_future(quietly(way)) for way in ways], return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, server_writer):
            end.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire.url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
