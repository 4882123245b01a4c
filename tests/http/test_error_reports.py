"""Error reports: unexpected errors of requests and jobs arrive once, without what users wrote."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from conftest import SECRET, serving, settings_for
from litestar import post
from litestar.params import JSONBody
from support.factories import World
from support.receivers import Sent, receiving
from support.servers import serving as serving_process

from todo import __version__, error_reports
from todo.app import create_app
from todo.queue import Context, new_job
from todo.saq_queue import connected, new_worker
from todo.setting_errors import SettingsError
from todo.settings import load_settings

CANARY = "canary-5f1d"


@pytest.fixture
def received() -> Iterator[list[Sent]]:
    """What a receiver of error reports has received, while this process sends them."""
    with receiving() as (port, received):
        handler = error_reports.start(f"http://key@127.0.0.1:{port}/7", "tests")
        yield received
        logging.root.removeHandler(handler)
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)  # init() would patch Litestar for all tests of this process


def events(received: list[Sent]) -> list[dict[str, Any]]:
    """Every event received, after the last ones have been sent."""
    sentry_sdk.flush(10)
    assert {one.path for one in received} <= {"/api/7/envelope/"}
    lines = [[json.loads(line) for line in one.body.splitlines()] for one in received]
    return [payload for _, header, payload in lines if header["type"] == "event"]


@post("/fail", operation_id="fail")
async def fail(data: JSONBody[dict[str, str]]) -> None:
    """Fail with an error that quotes what it should not."""
    password = data["password"]
    raise RuntimeError(f"no {len(password)}, Bearer {CANARY}\nDETAIL:  Key (email)=({CANARY}) already exists.")


async def test_an_error_of_a_request_is_reported_once_and_without_what_was_sent(
    received: list[Sent], database_url: str, sql: object
) -> None:
    app = create_app(settings_for(database_url))
    app.register(fail)
    async with serving(app):
        world = World(app)
        ada = await world.person("ada")
        for _ in range(3):
            answer = await ada.http.post(
                "/fail",
                json={"password": CANARY},
                headers={"cookie": f"session={CANARY}", "x-request-id": "the-request"},
            )
        await world.close()

    assert answer.status_code == 500, answer.text
    (event,) = events(received)
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "no 11, Bearer ***")
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert (event["release"], event["environment"]) == (__version__, "tests")
    assert event["tags"] == {"logger": "todo.errors", "request_id": "the-request"}
    whole = b"".join(one.body for one in received)
    assert CANARY.encode() not in whole
    assert b"ada@example.com" not in whole
    assert event.keys().isdisjoint({"request", "user", "breadcrumbs", "extra", "modules"})


async def broken_job(context: Context, *, of: str) -> None:
    """Fail."""
    raise KeyError("broken")


async def test_an_error_of_a_job_is_reported_with_the_request_that_asked_for_it(
    received: list[Sent], database_url: str, sql: object
) -> None:
    async with serving(create_app(settings_for(database_url))) as app:
        database = app.dependencies["database"].dependency()
        worker = new_worker(database.settings, database, [], [broken_job], burst=True)
        async with connected(worker.queue):
            await worker.queue.enqueue(new_job("broken_job", {"of": CANARY}, "the-request"))
            await worker.start()

    (event,) = events(received)
    assert event["exception"]["values"][-1]["type"] == "KeyError"
    assert event["tags"]["request_id"] == "the-request"
    assert CANARY.encode() not in b"".join(one.body for one in received)


async def test_a_lost_database_is_not_reported(received: list[Sent]) -> None:
    logging.getLogger("todo.errors").error("unexpected error", exc_info=ConnectionRefusedError("nobody listens"))
    logging.getLogger("todo.errors").error("only words")

    assert events(received) == []


def test_a_server_with_a_dsn_starts(tmp_path: Path, database_url: str) -> None:
    with receiving() as (port, received):
        dsn = f"http://key@127.0.0.1:{port}/7"
        with serving_process(
            tmp_path, {"TODO_DATABASE_URL": database_url, "TODO_SECRET_KEY": SECRET, "TODO_SENTRY_DSN": dsn}
        ):
            assert received == []


@pytest.mark.parametrize(
    "dsn", ["sentry.example.com/1", "https://sentry.example.com/1", "https://key@sentry.example.com"]
)
def test_what_is_no_dsn_is_refused(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODO_SENTRY_DSN", dsn)

    with pytest.raises(SettingsError, match=r"TODO_SENTRY_DSN: must be a DSN of Sentry such as https://key@"):
        load_settings()
