"""Log lines: one pipe for everything this process says, ours and the libraries', with nothing secret in it."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog
from litestar.types import HTTPScope

from todo.access import Actor
from todo.settings import Settings

Entry = MutableMapping[str, Any]

log = logging.getLogger("todo.requests")

# A belt: nothing logs these on purpose, but they may stand in the text of an exception: credentials, the password in
# a URL, the parameters of a statement.
SECRETS = re.compile(
    r"(?<=Bearer )[^\s'\"]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|todo_(?:pat|rt)_\w+|(?<=://)[^\s/@]+(?=@)|(?<=\[parameters: ).*"
)
# Kept quiet at any level: SAQ and its pool warn at every stop of tasks that only wait for work, Alembic and uvicorn say
# what they begin; the others would tell rows, addresses with their query strings, and headers.
QUIET = {
    "saq": "ERROR", "psycopg.pool": "ERROR", "uvicorn": "WARNING", "sqlalchemy": "WARNING",
    "httpx": "WARNING", "httpcore": "WARNING", "alembic": "WARNING",
}  # fmt: skip


def configure(settings: Settings) -> None:
    """Send every log line of this process to stderr: JSON in production, else readable, unless TODO_LOG_FORMAT says."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.env == "production")
    meta = structlog.stdlib.ProcessorFormatter
    first: list[Any] = [
        structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.contextvars.merge_contextvars,
    ]  # fmt: skip
    plain = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )
    last: list[Any] = [
        meta.remove_processors_meta,
        structlog.processors.format_exc_info,
        clean,
        encode if as_json else plain,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(meta(processors=last, foreign_pre_chain=first))
    structlog.configure(processors=[*first, meta.wrap_for_formatter], logger_factory=structlog.stdlib.LoggerFactory())
    logging.captureWarnings(True)
    logging.root.handlers = [handler]
    logging.root.setLevel(settings.log_level)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


def clean(_: Any, __: str, entry: Entry) -> Entry:
    """Hide secrets and write control characters as escapes: what a client sends cannot begin a line of its own.

    A message or traceback of several lines keeps them, each marked as a continuation.
    """
    for name, value in entry.items():
        if name in {"event", "exception"}:
            entry[name] = "\n  | ".join(harmless(line) for line in str(value).split("\n"))
        elif not isinstance(value, int | float | None):
            entry[name] = harmless(str(value))
    return entry


def harmless(text: str) -> str:
    """Text without secrets, on one line, without terminal commands."""
    text = SECRETS.sub("***", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def encode(_: Any, __: str, entry: Entry) -> str:
    return msgspec.json.encode(entry).decode()


def request(scope: HTTPScope, status: int, seconds: float) -> None:
    """Tell of one answered request: no query string, no header, no body. Probes of `/health` only at DEBUG."""
    level = logging.DEBUG if scope["path"].startswith("/health/") else logging.INFO
    if not log.isEnabledFor(level):
        return
    actor = scope.get("user")
    path = scope.get("path_template") or scope.get("raw_path", b"")[:200].partition(b"?")[0].decode("latin-1")
    sent = {
        "method": scope["method"], "path": path, "status": int(status), "ms": round(seconds * 1000, 1),
        "user_id": str(actor.id) if isinstance(actor, Actor) else None,
    }  # fmt: skip
    log.log(level, "request", extra=sent)
