"""An HTTP server that keeps what is sent to it: a receiver of traces, or of error reports."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import brotli

UNPACK = {None: bytes, "gzip": gzip.decompress, "br": brotli.decompress}


class Sent(NamedTuple):
    """A request that was received."""

    path: str
    body: bytes


@contextmanager
def receiving() -> Iterator[tuple[int, list[Sent]]]:
    """The port of a receiver, and what it has received so far."""
    received: list[Sent] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            unpack = UNPACK[self.headers.get("Content-Encoding")]
            received.append(Sent(self.path, unpack(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
