"""uvicorn's HTTP/1.1 protocol with limits on the size and duration of requests."""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade
from uuid_utils.compat import uuid7
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from todo.errors import Problem, Status, Unavailable
from todo.http.connections import Connections
from todo.http.drain import Drain
from todo.http.heads import MAX_URL_BYTES, check_head, check_header_count, check_url, headers_too_large
from todo.http.middleware import API_POLICY, SECURITY_HEADERS, encoded
from todo.settings import Settings

BLOCK = 16 * 1024  # bytes parsed before other connections are served
MAX_PIPELINED = 16  # requests on one connection that wait for an earlier one
# Of chunk sizes, chunk extensions and trailers, besides one byte for each byte of the body: tiny chunks cost the most.
MAX_FRAMING_BYTES = 16 * 1024
SPARE_CONNECTIONS = 10  # beyond a limit these get a 503, any further ones are closed
MIN_BODY_RATE = 4096  # bytes per second; a slower body must complete within `body_timeout`
MAX_DROPPED_BYTES = 64 * 1024**2  # read and discarded after an early response, so that the client can read the response
MIN_DROP_RATE = 1024**2  # bytes per second; slower data is discarded for at most `body_timeout`
DROP_PAUSE = 5.0  # seconds without data after which discarding ends
INVALID = Status(HTTPStatus.BAD_REQUEST, "The request is not valid HTTP/1.1.")

log = logging.getLogger(__name__)


class ResponseTransport(asyncio.Transport):
    """The transport that uvicorn writes a response to. Closing it lets the client finish sending first."""

    def __init__(self, protocol: "BoundedProtocol"):
        super().__init__()
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._protocol.send_soon(data)

    def is_closing(self) -> bool:
        return self._protocol.is_finishing

    def close(self) -> None:
        self._protocol.flush()
        self._protocol.finish()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Create a subclass per server process with `settings`, `open_connections` and `drain`."""

    settings: ClassVar[Settings]
    open_connections: ClassVar[Connections]
    drain: ClassVar[Drain]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._unparsed = b""
        self._unsent: list[bytes | bytearray | memoryview] = []
        self._in_body = False
        self._head_bytes = 0  # received since the last request, until its head is complete
        self._body_bytes = self._framed_bytes = 0  # of the body being received, without and with its framing
        self._body_began = 0.0
        self._stopped = False  # no further parsing
        self._dropping_until = 0.0
        self._dropped_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    # Callbacks of asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        excess = self.open_connections.add(self._peer)
        if excess > SPARE_CONNECTIONS:
            self.transport.abort()
        elif excess > 0:
            self._refuse(Unavailable("Too many connections are open."))
        else:
            self._within(self.settings.head_timeout, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.open_connections.remove(self._peer)
        for timer in (self._deadline, self._write_deadline):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        waits = bool(self._unparsed)
        self._unparsed += data
        if not waits:
            self._parse_block()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_deadline:
            self._write_deadline.cancel()

    # Callbacks of the parser; a Problem raised here becomes the response

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        check_url(self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:  # a trailer: the application reads none, and it must not be taken for a header
            return
        super().on_header(name, value)
        check_header_count(self.headers)

    def on_headers_complete(self) -> None:
        check_head(self.parser.get_http_version(), self.headers, self.settings.max_header_bytes)
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Status(HTTPStatus.BAD_REQUEST, f"More than {MAX_PIPELINED} requests are waiting on this connection.")
        super().on_headers_complete()
        self.cycle.transport = ResponseTransport(self)
        self.cycle.keep_alive &= not self.drain.has_begun
        self._in_body, self._head_bytes, self._body_bytes, self._framed_bytes = True, 0, 0, 0
        self._body_began = self.loop.time()
        self._within(self.settings.body_timeout, self._body_is_late)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        self._cancel_deadline()
        if self.cycle.response_complete:  # answered early: uvicorn's own timer ended when the rest of the body arrived
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._end)

    def on_response_complete(self) -> None:
        self.flush()
        if not self._dropping_until:
            super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    # Reading

    def _parse_block(self) -> None:
        """Parse the next BLOCK bytes of the received data. The rest follows after other connections were served."""
        if self.transport.is_closing():
            return
        block, self._unparsed = self._unparsed[:BLOCK], self._unparsed[BLOCK:]
        if self._stopped:
            self._drop(block)
        else:
            self._parse(block)
        if self._unparsed and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._parse_rest)

    def _parse_rest(self) -> None:
        self._parse_block()
        if not (self._unparsed or self.flow.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _parse(self, block: bytes) -> None:
        if self._in_body:
            self._framed_bytes += len(block)
        else:
            self._head_bytes += len(block)
            if not self._deadline:
                self._within(self.settings.head_timeout, self._head_is_late)
        try:
            self.parser.feed_data(block)
            self._check_size()
            if self._in_body and self.cycle.response_complete and self._framed_bytes > MAX_DROPPED_BYTES:
                self._end()
        except HttpParserCallbackError as error:
            self._refuse(error.__context__ if isinstance(error.__context__, Problem) else INVALID)
        except HttpParserError:
            self._refuse(INVALID)
        except HttpParserUpgrade:
            self.cycle.keep_alive = False  # answered without an upgrade: the following data may be another protocol
        except Problem as problem:
            self._refuse(problem)

    def _check_size(self) -> None:
        """Raise a problem when the data that reaches no callback is too large."""
        if self._head_bytes > self.settings.max_header_bytes + MAX_URL_BYTES:
            raise headers_too_large(self.settings.max_header_bytes)
        if self._framed_bytes > 2 * self._body_bytes + MAX_FRAMING_BYTES:
            raise Status(
                HTTPStatus.BAD_REQUEST, "The chunks of the body are too small, or their extensions are too long."
            )

    # Writing

    def send_soon(self, data: bytes | bytearray | memoryview) -> None:
        """Send this with what follows at once, such as a body after its head: one system call, one packet."""
        if not self._unsent:
            self.loop.call_soon(self.flush)
        self._unsent.append(data)

    def flush(self) -> None:
        """Send what waits to be sent."""
        unsent, self._unsent = self._unsent, []
        if unsent and not self.is_finishing:  # uvicorn notifies only the last of several requests of a disconnect
            self.transport.write(b"".join(unsent))

    # Deadlines

    def _within(self, seconds: float, late: Callable[[], None]) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, late)

    def _cancel_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        if not self._head_bytes:
            self._end()
            return
        self._refuse(Status(HTTPStatus.REQUEST_TIMEOUT, "The headers took too long to arrive."))

    def _body_is_late(self) -> None:
        left = self._body_began + self.settings.body_timeout + self._body_bytes / MIN_BODY_RATE - self.loop.time()
        if self.flow.read_paused:  # reading is paused on our side
            self._within(self.settings.body_timeout, self._body_is_late)
        elif left > 0:
            self._within(left, self._body_is_late)
        elif self.cycle.response_complete:
            self._end()
        else:
            self._refuse(Status(HTTPStatus.REQUEST_TIMEOUT, "The body took too long to arrive."))

    def _watch_writing(self, before: int | None = None) -> None:
        """Abort the connection when no part of the response could be sent for `body_timeout` seconds."""
        if self._write_deadline:
            self._write_deadline.cancel()
        waiting = self.transport.get_write_buffer_size()
        if before is not None and waiting >= before:
            self.transport.abort()
        elif waiting:
            self._write_deadline = self.loop.call_later(self.settings.body_timeout, self._watch_writing, waiting)

    # Errors and closing

    def _refuse(self, problem: Problem) -> None:
        """Respond with an error instead of calling the application, then close. Earlier requests are answered first."""
        self._stopped = True
        self._cancel_deadline()
        if self._in_body and self.cycle.response_complete:  # one request gets one response
            self.finish()
            return
        if self.cycle and not self.cycle.response_complete:
            if not self._in_body:
                self.cycle.keep_alive = False
                return
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flush()
        self.transport.write(self._response(problem))
        self.finish()

    def _response(self, problem: Problem) -> bytes:
        request_id = uuid7().hex
        log.info(
            "request refused",
            extra={"status": int(problem.status), "detail": problem.detail, "request_id": request_id},
        )
        body = problem.body("", request_id)
        headers = [*self.server_state.default_headers, *SECURITY_HEADERS, API_POLICY, *encoded(problem.headers)]
        headers += encoded({
            "Content-Type": "application/problem+json", "Content-Length": str(len(body)),
            "X-Request-Id": request_id, "Connection": "close",
        })  # fmt: skip
        return STATUS_LINE[problem.status] + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body

    @property
    def is_finishing(self) -> bool:
        return bool(self._dropping_until) or self.transport.is_closing()

    def finish(self) -> None:
        """Close after the client has finished sending: closing earlier could discard the response."""
        if not (self._in_body or self._stopped):
            self._end()
        elif not self._dropping_until:
            self._stopped = True
            self._dropping_until = self.loop.time() + self.settings.body_timeout
            self.transport.write_eof()
            self.flow.resume_reading()
            self._within(DROP_PAUSE, self._end)

    def _drop(self, block: bytes) -> None:
        if not self._dropping_until:  # requests before the rejected one are still being answered
            return
        self._dropped_bytes += len(block)
        self._dropping_until += len(block) / MIN_DROP_RATE
        if self._dropped_bytes > MAX_DROPPED_BYTES or self.loop.time() > self._dropping_until:
            self._end()
        else:
            self._within(DROP_PAUSE, self._end)

    def _end(self) -> None:
        self._cancel_deadline()
        if not self.transport.is_closing():
            self._watch_writing()
            self.transport.close()
