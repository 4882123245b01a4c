"""The server process of the API: uvicorn with our protocol."""

import gc
import resource
import signal
from types import FrameType

import uvicorn
from litestar import Litestar

from todo.http.connections import Connections
from todo.http.drain import Drain
from todo.http.openapi import documents
from todo.http.protocol import BoundedProtocol
from todo.http.proxies import Proxies
from todo.settings import Settings

MAX_FILES = 65536
OTHER_FILES = 128  # files other than connections: the database, libraries, logs
ALLOCATIONS = 20_000  # more objects made than deleted, after which the collector looks for cycles


class Server(uvicorn.Server):
    """uvicorn's server, which drains after SIGTERM. Ctrl-C stops it without."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM:
            self._drain.begin()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) and (self._drain.is_over or self.force_exit)


def serve(app: Litestar, settings: Settings) -> None:
    """Serve requests until the process receives a signal."""
    drain: Drain = app.state.drain
    limit = min(settings.max_connections, max(1, raise_file_limit() - OTHER_FILES))
    documents(app)  # not while a request waits
    connections = Connections(limit, settings.max_connections_per_address, Proxies(settings.trusted_proxies).trusts)

    parts = {"settings": settings, "open_connections": connections, "drain": drain}
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=type("Protocol", (BoundedProtocol,), parts),
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=3,
    )
    # What there is now stays. A list of 50 makes hundreds of objects, none of them in a cycle: with Python's threshold,
    # looking for cycles takes a sixth of its time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
    Server(config, drain).run()


def raise_file_limit() -> int:
    """Raise the limit of open files, up to MAX_FILES. Return the limit now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS allows less than its hard limit
            return soft
        return wanted
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft
