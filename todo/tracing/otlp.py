"""Traces by OpenTelemetry, sent over OTLP. Its own variables configure it: OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import time_ns
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from todo.tracing import Kind, Span

KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}
MAX_SQL = 2_000  # characters
W3C = TraceContextTextMapPropagator()


class Otlp:
    """Make spans and send them in the background. When the receiver is away they are lost, and nothing waits."""

    def __init__(self, release: str, process: str) -> None:
        ours = {"service.name": "todo", "service.version": release, "service.instance.id": process}
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins.
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("todo", release)

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Any]) -> Iterator[Span]:
        """Open a span. An exception that leaves the block marks it as failed, by its type only: texts hold data."""
        context = W3C.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(
            name, context, KINDS[kind], attributes, record_exception=False, set_status_on_exception=False
        ) as found:
            try:
                yield found
            except BaseException as error:
                found.set_attribute("error.type", type(error).__qualname__)
                found.set_status(trace.StatusCode.ERROR)
                raise

    def statement(self, sql: str, seconds: float) -> None:
        """Add a statement to the current span. Without one, as in loops that poll, it is not traced."""
        if not trace.get_current_span().is_recording():
            return
        words = sql.split(None, 1)
        operation = words[0].upper() if words else "SQL"
        end = time_ns()
        attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": sql[:MAX_SQL]}
        done = self._tracer.start_span(
            operation, kind=SpanKind.CLIENT, attributes=attributes, start_time=end - int(seconds * 1e9)
        )
        done.end(end)

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent")

    def stop(self) -> None:
        self._provider.shutdown()
