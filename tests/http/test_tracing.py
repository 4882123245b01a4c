"""Traces: one for a request, its statements, the job that it asks for and the e-mail, at a receiver of OTLP."""

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from conftest import serving, settings_for
from inbox import Inbox
from litestar import Litestar
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.factories import World
from support.receivers import Sent, receiving

from todo import tracing
from todo.app import create_app
from todo.database import Database
from todo.loops import run_once
from todo.modules import JOBS
from todo.saq_queue import connected, new_worker, relay
from todo.setting_errors import SettingsError

Received = list[Sent]
OFF = """
import sys
import todo.app, todo.cli.server
from todo import tracing

tracing.start("1", "x")
print(tracing.is_on(), tracing.traceparent(), [name for name in sys.modules if name.startswith(("opentele", "sentry"))])
"""
PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a receiver of traces has received, while this process is traced."""
    with receiving() as (port, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests")
        tracing.start("1.2.3", "here:1")
        yield received
        tracing.stop()


@pytest.fixture
async def traced(received: Received, database_url: str, sql: object, inbox: Inbox) -> AsyncIterator[Litestar]:
    settings = settings_for(database_url, mail_url=f"smtp://127.0.0.1:{inbox.port}")
    async with serving(create_app(settings)) as app:
        yield app


@pytest.fixture
async def world(traced: Litestar) -> AsyncIterator[World]:
    world = World(traced)
    yield world
    await world.close()


def spans(received: Received) -> list[Any]:
    """Every span received, after the last ones have been sent."""
    tracing.stop()
    assert {one.path for one in received} == {"/v1/traces"}
    sent = [ExportTraceServiceRequest.FromString(one.body) for one in received]
    return [span for one in sent for of in one.resource_spans for scope in of.scope_spans for span in scope.spans]


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def work(app: Litestar) -> None:
    """A worker does all that waits."""
    database: Database = app.dependencies["database"].dependency()
    worker = new_worker(database.settings, database, [], [cron.function for cron in JOBS.schedules], burst=True)
    async with connected(worker.queue):
        await run_once(database, [relay(worker.queue)])
        await worker.start()


async def test_a_request_its_statements_its_job_and_its_mail_are_one_trace(
    world: World, traced: Litestar, received: Received, inbox: Inbox
) -> None:
    ada = await world.person("ada")
    await ada.http.post(
        "/api/auth/password/forgot",
        json={"email": "ada@example.com"},
        headers={"traceparent": f"00-{PARENT}-00f067aa0ba902b7-01", "x-request-id": "the-request"},
    )
    await work(traced)

    trace = [span for span in spans(received) if span.trace_id.hex() == PARENT]
    by_name = {span.name: span for span in trace}
    request, job, mail = (
        by_name[name] for name in ("POST /api/auth/password/forgot", "job deliver_due", "deliver email")
    )
    statements = {span.parent_span_id for span in trace if attributes(span).get("db.system.name") == "postgresql"}
    assert request.parent_span_id.hex() == "00f067aa0ba902b7"
    assert job.parent_span_id == mail.parent_span_id == request.span_id
    assert {request.span_id, job.span_id} <= statements
    assert attributes(request) == {
        "http.request.method": "POST", "http.route": "/api/auth/password/forgot",
        "http.response.status_code": 202, "todo.request_id": "the-request",
    }  # fmt: skip
    assert attributes(job)["todo.request_id"] == "the-request"
    assert inbox.taken[-1][1]["X-Request-ID"] == "the-request"


async def test_no_value_of_a_user_is_in_a_trace(world: World, received: Received) -> None:
    ada = await world.person("ada")
    task = await ada.add("canary-title", notes="canary-notes")
    await ada.http.get(f"/api/tasks/{task['id']}?unknown=canary-query")
    await ada.http.get("/api/tasks?q=canary-search")

    names = {span.name for span in spans(received)}

    assert {"POST /api/tasks", "GET /api/tasks/{task_id}", "SELECT"} <= names
    whole = b"".join(one.body for one in received)
    assert b"canary" not in whole
    assert task["id"].encode() not in whole
    assert b"ada@example.com" not in whole


async def test_the_process_names_itself_and_health_is_not_traced(traced: Litestar, received: Received) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url="http://test") as nobody:
        await nobody.get("/health/ready")
        await nobody.get("/api")

    assert [span.name for span in spans(received) if span.kind == 2] == ["GET /api"]
    (resource,) = [of.resource for of in ExportTraceServiceRequest.FromString(received[0].body).resource_spans]
    found = attributes(resource)
    names = ("service.name", "service.version", "service.instance.id")
    assert [found[name] for name in names] == ["todo", "1.2.3", "here:1"]
    assert found["deployment.environment.name"] == "tests"


@pytest.mark.parametrize("off", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}])
def test_without_an_endpoint_nothing_is_traced_or_imported(off: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", OFF], env=off, capture_output=True, text=True, check=False)

    assert done.stdout == "False None []\n", done.stderr


def test_an_endpoint_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "todo.tracing.otlp", None)

    with pytest.raises(SettingsError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra `telemetry`"):
        tracing.start("1", "x")
