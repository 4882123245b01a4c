"""Logging setup: one pipeline for our log lines and those of libraries, without secrets."""

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

# Defense in depth: nothing logs these on purpose, but the text of an exception may contain credentials, the password in
# a URL, or the parameters of a statement.
SECRETS = re.compile(
    r"(?<=Bearer )[^\s'\"]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|todo_(?:pat|rt)_\w+|(?<=://)[^\s/@]+(?=@)|(?<=\[parameters: ).*"
)
# Quiet at any level: at every stop SAQ and its pool warn about idle tasks, and Alembic and uvicorn announce every step;
# the others would log rows, URLs with query strings, and headers.
QUIET = {
    "saq": "ERROR", "psycopg.pool": "ERROR", "uvicorn": "WARNING", "sqlalchemy": "WARNING",
    "httpx": "WARNING", "httpcore": "WARNING", "alembic": "WARNING",
}  # fmt: skip


def configure(settings: Settings) -> None:
    """Send all log lines of this process to stderr, in the format of `TODO_LOG_FORMAT` (auto: JSON in production)."""
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
    """Hide secrets and escape control characters, so that client input cannot start a log line.

    Messages and tracebacks of several lines keep them, each marked as a continuation.
    """
    for name, value in entry.items():
        if name in {"event", "exception"}:
            entry[name] = "\n  | ".join(harmless(line) for line in str(value).split("\n"))
        elif not isinstance(value, int | float | None):
            entry[name] = harmless(str(value))
    return entry


def harmless(text: str) -> str:
    """Return the text without secrets, on one line, without terminal control codes."""
    text = SECRETS.sub("***", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def encode(_: Any, __: str, entry: Entry) -> str:
    return msgspec.json.encode(entry).decode()


def request(scope: HTTPScope, status: int, seconds: float) -> None:
    """Log one answered request, without query string, headers or body. `/health` is logged at DEBUG only."""
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
