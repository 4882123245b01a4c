"""Traces of requests, statements, jobs and deliveries.

They are off until `start` finds that OTEL_EXPORTER_OTLP_ENDPOINT is set: before, nothing of OpenTelemetry is imported,
and each function here does nothing.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any, Literal, Protocol

from todo.setting_errors import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
Kind = Literal["server", "consumer", "client"]


class Span(Protocol):
    """A span that has begun."""

    def update_name(self, name: str) -> None: ...

    def set_attribute(self, key: str, value: Any) -> None: ...


class Tracer(Protocol):
    """What makes spans and sends them."""

    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Any]
    ) -> AbstractContextManager[Span]: ...

    def statement(self, sql: str, seconds: float) -> None: ...

    def traceparent(self) -> str | None: ...

    def stop(self) -> None: ...


class _NoSpan:
    def update_name(self, name: str) -> None:
        pass

    def set_attribute(self, key: str, value: Any) -> None:
        pass


_tracer: Tracer | None = None
NO_SPAN = _NoSpan()


def start(release: str, process: str) -> None:
    """Begin to trace this process, called `process`, if OpenTelemetry's variables ask for it.

    Raise SettingsError when they do and the extra `telemetry` is not installed.
    """
    global _tracer
    if not any(map(os.environ.get, ENDPOINTS)) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from todo.tracing.otlp import Otlp  # noqa: PLC0415 -- costs time and memory, and may not be installed
    except ModuleNotFoundError:
        raise SettingsError(
            f"{ENDPOINTS[0]}: traces need the extra `telemetry` (in todo's folder: pip install '.[telemetry]')."
        ) from None
    _tracer = Otlp(release, process)


def stop() -> None:
    """Send what has not been sent yet, and trace no more."""
    global _tracer
    if _tracer:
        _tracer.stop()
    _tracer = None


def is_on() -> bool:
    """Return whether this process is traced."""
    return _tracer is not None


def span(name: str, kind: Kind, parent: str | None = None, **attributes: Any) -> AbstractContextManager[Span]:
    """Open a span for the time of the block. `parent` is a `traceparent` (W3C), or None for the current span."""
    return _tracer.span(name, kind, parent, attributes) if _tracer else nullcontext(NO_SPAN)


def note_statement(sql: str, began: float) -> None:
    """Add a statement that ended now to the current span, without its parameters. `began` is of `perf_counter`."""
    if _tracer:
        _tracer.statement(sql, perf_counter() - began)


def traceparent() -> str | None:
    """Return the current span in W3C's form, to be continued elsewhere."""
    return _tracer.traceparent() if _tracer else None
