"""Logging setup: one pipeline for our log lines and those of libraries, without secrets."""

import logging
import re
import sys
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, TextIO
from uuid import UUID

import msgspec
import structlog
from litestar.types import HTTPScope
from sqlalchemy.exc import DBAPIError

from todo.access import Actor
from todo.connection import AWAY
from todo.errors import Unavailable
from todo.settings import Settings

MINUTE = 60.0
MAX_CAUSES = 1_000  # remembered: a cause may be worded by what a client sends
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
    handler.addFilter(Quiet())
    handler.setFormatter(meta(processors=last, foreign_pre_chain=first))
    structlog.configure(processors=[*first, meta.wrap_for_formatter], logger_factory=structlog.stdlib.LoggerFactory())
    logging.captureWarnings(True)
    logging.root.handlers = [handler]
    REQUESTS.configure(handler, as_json=as_json)
    logging.root.setLevel(settings.log_level)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)


class Quiet(logging.Filter):
    """Let a warning or an error through once a minute for each cause, with the number of those left out.

    The cause of an exception is its type and where it was raised. A lost database or queue is one line: its traceback
    says nothing.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[Any, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and is_outage(error):
            record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}: {error}", ()
            record.exc_info = record.exc_text = error = None
        cause = (
            (record.name, record.msg, type(error), *raised_at(error)) if error else (record.name, record.getMessage())
        )
        now = self._clock()
        since, left_out = self._seen.get(cause, (-MINUTE, 0))
        if now - since < MINUTE:
            self._seen[cause] = (since, left_out + 1)
            return False
        self._seen.pop(cause, None)
        self._seen[cause] = (now, 0)
        if len(self._seen) > MAX_CAUSES:
            del self._seen[next(iter(self._seen))]
        if left_out:
            record.left_out = left_out
        return True


def is_outage(error: BaseException) -> bool:
    """Return whether an exception, or the one that it wraps, says that a server cannot be reached."""
    if isinstance(error, DBAPIError):
        error = error.orig or error
    if isinstance(error, (*AWAY, Unavailable)):
        return True
    module, name = type(error).__module__.partition(".")[0], type(error).__name__
    return module in {"psycopg", "psycopg_pool", "redis"} and re.search("Connect|Operational|Timeout", name) is not None


def raised_at(error: BaseException) -> tuple[str, int]:
    """Return the file and line that raised an exception."""
    frames = [*traceback.walk_tb(error.__traceback__)]
    return (frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0)


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


class Line(msgspec.Struct):
    """The log line of one answered request."""

    timestamp: datetime
    level: str
    method: str
    path: str
    status: int
    ms: float
    user_id: UUID | None
    request_id: str
    event: str = "request"
    logger: str = log.name

    def as_json(self) -> str:
        return msgspec.json.encode(self).decode()

    def as_text(self) -> str:
        """Return the line as structlog's `ConsoleRenderer` writes it, without colors."""
        return (
            f"{self.timestamp:%Y-%m-%dT%H:%M:%S.%fZ} [{self.level:<9}] {self.event} [{self.logger}]"
            f" method={self.method} ms={self.ms} path={self.path} request_id={self.request_id}"
            f" status={self.status} user_id={self.user_id}"
        )


class RequestLog:
    """Write the lines of requests, which are most lines, without what `logging` and structlog do for each.

    Its texts are ours or made harmless, so it does not need `clean`.
    """

    def __init__(self) -> None:
        self._handler: logging.StreamHandler[TextIO] | None = None
        self._format = Line.as_text

    def configure(self, handler: "logging.StreamHandler[TextIO]", *, as_json: bool) -> None:
        self._handler = handler
        self._format = Line.as_json if as_json else Line.as_text

    def write(self, line: Line) -> None:
        """Write a line. Before `configure` there is nowhere to write it."""
        handler = self._handler
        if handler is None:
            return
        handler.acquire()
        try:
            handler.stream.write(self._format(line) + "\n")
            handler.flush()
        finally:
            handler.release()


REQUESTS = RequestLog()


def request(scope: HTTPScope, status: int, seconds: float) -> None:
    """Log one answered request, without query string, headers or body. `/health` is logged at DEBUG only."""
    level = logging.DEBUG if scope["path"].startswith("/health/") else logging.INFO
    if not log.isEnabledFor(level):
        return
    actor, method = scope.get("user"), scope["method"]
    path = scope.get("path_template") or harmless(scope.get("raw_path", b"")[:200].partition(b"?")[0].decode("latin-1"))
    line = Line(
        datetime.now(UTC), "debug" if level == logging.DEBUG else "info",
        method if method.isalpha() else harmless(method), path, int(status), round(seconds * 1000, 1),
        actor.id if isinstance(actor, Actor) else None, scope["state"]["request_id"],
    )  # fmt: skip
    REQUESTS.write(line)
