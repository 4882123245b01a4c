"""Reports of unexpected errors to Sentry, or to a service with its protocol, if `TODO_SENTRY_DSN` is set."""

import logging
import re
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from structlog.contextvars import get_contextvars

from todo import __version__
from todo.http.logs import Quiet, harmless

# PostgreSQL's errors name the values of a row in these lines.
DATA = re.compile(r"^(DETAIL|CONTEXT|HINT|QUERY):.*", re.MULTILINE | re.DOTALL)
SENT = frozenset(
    {"event_id", "timestamp", "level", "platform", "exception", "release", "environment", "server_name", "tags"}
    | {"sdk", "logger", "contexts"}
)


class Reports(logging.Handler):
    """Send the exception of a log line of level ERROR: once a minute for each cause, and no lost database or queue."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.addFilter(Quiet())

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("logger", record.name)
            scope.set_tag("request_id", get_contextvars().get("request_id", ""))
            scope.capture_exception(error)


def start(dsn: str, environment: str) -> Reports:
    """Report the errors that are logged from now on."""
    sentry_sdk.init(
        dsn,
        release=__version__,
        environment=environment,
        default_integrations=False,  # no patches of other libraries, no breadcrumbs, no arguments
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=lambda *_: None)],
        before_send=_clean,
        include_local_variables=False,  # they hold tasks, passwords and tokens
    )
    handler = Reports()
    logging.root.addHandler(handler)
    return handler


def _clean(event: Any, _: Any) -> Any:
    """Keep what finds the fault: types, places and texts of exceptions, without what they quote of rows and secrets."""
    for exception in event.get("exception", {}).get("values", []):
        text = DATA.sub("", exception.get("value") or "")
        exception["value"] = "\n".join(harmless(line) for line in text.splitlines()).strip()
    return {name: value for name, value in event.items() if name in SENT}
