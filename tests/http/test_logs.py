"""Log lines: one for each request, readable by machines, without secrets, and not to be forged."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from time import perf_counter, process_time
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis
import structlog
from conftest import settings_for
from sqlalchemy import func, literal, select
from support.factories import PASSWORD, Person

from todo.access import Actor, worker_origin
from todo.database import Database, Query
from todo.domain.tasks.queries import TaskReads
from todo.http import logs

CANARY = "canary-5f1d"
Output = Callable[[], str]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    """What went to stderr since it was last asked; the loggers are as before afterwards."""
    root, kept = logging.root, (logging.root.handlers, logging.root.level)
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield lambda: capsys.readouterr().err
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers = kept[0]
    root.setLevel(kept[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def configure(**values: object) -> None:
    logs.configure(settings_for("postgresql://localhost/none", **values))


def requests_in(output: Output) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in output().splitlines()]
    return [line for line in found if line["logger"] == "todo.requests"]


async def test_a_request_is_one_line(output: Output, ada: Person) -> None:
    task = await ada.add()
    configure(log_format="json")

    answer = await ada.http.get(f"/api/tasks/{task['id']}")

    (line,) = requests_in(output)
    assert line.pop("ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request", "level": "info", "logger": "todo.requests", "method": "GET",
        "path": "/api/tasks/{task_id}", "status": 200, "user_id": str(ada.id),
        "request_id": answer.headers["x-request-id"],
    }  # fmt: skip


async def test_a_request_in_text_has_the_same_fields(output: Output, ada: Person) -> None:
    task = await ada.add()
    configure(log_format="console")

    answer = await ada.http.get(f"/api/tasks/{task['id']}")

    (line,) = output().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[info     \] request \[todo\.requests\] method=GET ms=[\d.]+"
        rf" path=/api/tasks/{{task_id}} request_id={answer.headers['x-request-id']} status=200 user_id={ada.id}",
        line,
    )


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_method_and_a_path_that_are_none_of_ours_stay_on_their_line(output: Output, log_format: str) -> None:
    configure(log_format=log_format)
    scope: Any = {
        "type": "http", "method": "G\x1b[31m\nT", "path": "/x",
        "raw_path": b"/\n2026 [error] \x9b\r todo_pat_secret?token=1",
        "state": {"request_id": "one"},
    }  # fmt: skip

    logs.request(scope, 400, 0.001)

    said = output()
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    assert "secret" not in said
    assert "token=1" not in said


@pytest.mark.parametrize(("env", "as_json"), [("production", True), ("development", False)])
def test_production_writes_json(output: Output, env: str, as_json: bool) -> None:
    configure(env=env)

    logging.getLogger("uvicorn.error").warning("hello %s", "there")
    structlog.get_logger("todo").warning("hello", who="there")

    lines = output().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("{") is as_json and "hello" in line and "there" in line for line in lines)


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_secret_is_logged(
    output: Output,
    client: httpx.AsyncClient,
    ada: Person,
    monkeypatch: pytest.MonkeyPatch,
    log_format: str,
) -> None:
    configure(log_format=log_format, log_level="DEBUG")

    async def broken(*_: object, **__: object) -> Any:
        raise RuntimeError(f"Bearer {ada.token} at postgresql://me:{CANARY}@host/ [parameters: ('{CANARY}',)]")

    await client.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})
    await client.post("/api/auth/login", json={"email": ada.email, "password": CANARY})
    await client.get(f"/api/tasks?token={CANARY}", headers={"authorization": f"Bearer todo_pat_{CANARY}"})
    await client.get(f"/nothing?token={CANARY}", headers={"cookie": f"sid={CANARY}"})
    monkeypatch.setattr(TaskReads, "page", broken)
    assert (await ada.http.get("/api/tasks")).status_code == 500

    said = output()
    assert "RuntimeError" in said
    assert [secret for secret in (CANARY, PASSWORD, ada.token) if secret in said] == []


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_client_can_forge_a_line(output: Output, client: httpx.AsyncClient, log_format: str) -> None:
    configure(log_format=log_format)

    await client.get("/x%0A2026-01-01%20[error]%20forged%1B[31m%E2%80%A8y")
    logging.getLogger("todo").warning("name: %s", "x\n2026-01-01 [error] forged\x1b[31m\u2028y\r")

    said = output()
    lines = said.split("\n")[:-1]
    assert "\x1b" not in said
    assert [line for line in lines if line.startswith("2026-01-01 [error]")] == []
    assert len(lines) == {"json": 2, "console": 3}[log_format]


def test_an_exception_stays_one_entry(output: Output) -> None:
    configure(log_format="console")

    try:
        raise ValueError("x\n2026-01-01 forged")
    except ValueError:
        logging.getLogger("todo").exception("failed")

    first, *rest = output().splitlines()
    assert "failed" in first
    assert [line for line in rest if line.startswith("2026")] == []


async def test_probes_are_not_message(output: Output, client: httpx.AsyncClient) -> None:
    configure(log_format="json")

    await client.get("/health/live")

    assert requests_in(output) == []


@pytest.mark.timing
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_switched_on_it_costs_a_few_microseconds(output: Output, log_format: str) -> None:
    configure(log_format=log_format)
    scope: Any = {
        "type": "http", "method": "GET", "path": "/api/tasks", "path_template": "/api/tasks",
        "user": Actor(uuid4(), "ada"), "state": {"request_id": uuid4().hex},
    }  # fmt: skip

    began = process_time()
    for _ in range(1000):
        logs.request(scope, 200, 0.001)

    assert (process_time() - began) / 1000 < 50e-6


@pytest.mark.timing
def test_switched_off_it_costs_next_to_nothing(output: Output) -> None:
    configure(log_level="WARNING")
    scope: Any = {"type": "http", "method": "GET", "path": "/api/tasks", "raw_path": b"/api/tasks"}

    began = perf_counter()
    for _ in range(1000):
        logs.request(scope, 200, 0.001)

    assert (perf_counter() - began) / 1000 < 20e-6


def raised(error: Exception) -> Exception:
    """The exception as it is when it was raised."""
    try:
        raise error
    except Exception as caught:
        return caught


def test_the_same_cause_is_one_line_a_minute_with_the_number_of_those_left_out(output: Output) -> None:
    configure(log_format="json")
    seconds = [0.0]
    (handler,) = logging.root.handlers
    handler.filters = [logs.Quiet(lambda: seconds[0])]
    log = logging.getLogger("todo.test")

    for second in range(100):
        seconds[0] = second
        log.warning("loop %s waits", "materialize_due")
        log.info("not a fault")
    log.warning("loop %s waits", "deliver_due")

    lines = [json.loads(line) for line in output().splitlines()]
    found = [(line["event"], line.get("left_out")) for line in lines if line["level"] == "warning"]
    assert found == [
        ("loop materialize_due waits", None), ("loop materialize_due waits", 59), ("loop deliver_due waits", None),
    ]  # fmt: skip
    assert sum(line["level"] == "info" for line in lines) == 100


def test_a_thousand_causes_are_remembered_and_no_more(output: Output) -> None:
    configure(log_format="json")
    log = logging.getLogger("todo.test")

    for number in [0, *range(1, 1_000), 0, 1_000, 0]:
        log.warning("unknown %s", number)

    assert output().count('"unknown 0"') == 2


def test_exceptions_of_another_kind_or_from_another_line_are_other_causes(output: Output) -> None:
    configure(log_format="json")
    log = logging.getLogger("todo.test")

    here, there, other = raised(ValueError("1")), raised(ValueError("2")), raised(KeyError("3"))
    try:
        int("x")
    except ValueError as error:
        elsewhere = error
    for error in (here, there, other, elsewhere):
        log.error("unexpected error", exc_info=error)

    kinds = [line["exception"].rpartition("| ")[2] for line in map(json.loads, output().splitlines())]
    assert kinds == ["ValueError: 1", "KeyError: '3'", "ValueError: invalid literal for int() with base 10: 'x'"]


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError("refused"), psycopg.OperationalError("gone"), redis.ConnectionError("gone")],
    ids=repr,
)  # fmt: skip
def test_a_lost_server_is_one_line_without_a_traceback(output: Output, error: Exception) -> None:
    configure(log_format="json")

    logging.getLogger("saq").error("Error processing job %s", "a", exc_info=raised(error))

    (line,) = map(json.loads, output().splitlines())
    assert line["event"] == f"Error processing job a: {type(error).__name__}: {error}"
    assert "exception" not in line


async def test_a_slow_statement_is_logged_without_its_parameters(database_url: str, output: Output) -> None:
    configure(log_format="json")
    settings = settings_for(database_url, slow_statement_seconds=0.2)
    database = await Database(settings).open()
    slow = select(func.pg_sleep(0.25), literal(CANARY))
    try:
        await database.reads.all(Query(lambda *_: None, slow))
        async with database.session(worker_origin()) as session:
            await session.execute(slow.where(literal(CANARY) != "other"))
            await session.execute(select(literal(1)))
    finally:
        await database.close()

    text = output()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"].startswith("slow statement: SELECT pg_sleep(") for line in lines] == [True, True]
    assert all(line["seconds"] >= 0.25 for line in lines)
    assert CANARY not in text
