"""The server process of the API: uvicorn with our protocol."""

import resource

import uvicorn
from litestar import Litestar

from todo.http.connections import Connections
from todo.http.openapi import documents
from todo.http.protocol import BoundedProtocol
from todo.http.proxies import Proxies
from todo.settings import Settings

MAX_FILES = 65536
OTHER_FILES = 128  # files other than connections: the database, libraries, logs


def serve(app: Litestar, settings: Settings) -> None:
    """Serve requests until the process receives a signal."""
    limit = min(settings.max_connections, max(1, raise_file_limit() - OTHER_FILES))
    documents(app)  # not while a request waits
    connections = Connections(limit, settings.max_connections_per_address, Proxies(settings.trusted_proxies).trusts)

    Protocol = type("Protocol", (BoundedProtocol,), {"settings": settings, "open_connections": connections})
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=3,
    )


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
