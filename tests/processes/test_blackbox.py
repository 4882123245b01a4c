"""The service as its users see it: one command, an empty folder, HTTP only, and nothing lost when it is killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from support.factories import PASSWORD
from support.processes import Process, eventually, started

DUES = [
    {"kind": "day", "date": "2026-12-31"},
    {"kind": "floating", "at": "2026-12-31T09:00"},
    {"kind": "zoned", "at": "2026-12-31T09:00", "timezone": "America/New_York"},
]
ALIKE = {"request_id", "instance"}  # may differ between two refusals that tell nothing


@pytest.fixture
def environment(tmp_path: Path, free_port: int) -> dict[str, str]:
    return {"TODO_DATA_DIR": str(tmp_path / "data"), "TODO_PORT": str(free_port), "TODO_RATE_LIMIT": "off"}


@pytest.fixture
def http(free_port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", timeout=10) as client:
        yield client


def test_everything_works_and_nothing_is_lost(tmp_path: Path, environment: dict[str, str], http: httpx.Client) -> None:
    with started(tmp_path, "up", **environment) as process:
        assert process.says("Ctrl-C"), process.output
        the_papers_are_there(http)
        ada, grace = [sign_up(http, f"{name}@example.com") for name in ("ada", "grace")]
        due_soon = begin_a_series_that_is_late(http, ada)
        every_kind_of_due_is_kept(http, ada)
        refusals_are_proper(http, ada, grace)
        a_completed_task_comes_back(http, ada)
        a_repeated_request_happens_once(http, ada)
        the_worker_opens_what_is_due(http, ada, due_soon)
        pages_lose_and_double_nothing(http, grace)
        postmaster = int((tmp_path / "data/postgres/postmaster.pid").read_text().split()[0])
        acknowledged = add_while_processes_are_killed(process, postmaster, http, ada)
        process.end(signal.SIGKILL)

    with started(tmp_path, "up", **environment) as process:
        assert process.says("Ctrl-C"), process.output
        assert acknowledged - set(titles(http, ada)) == set()
        assert process.end(signal.SIGTERM) == 0


def sign_up(http: httpx.Client, email: str) -> dict[str, str]:
    """Register and log in; the headers that prove it."""
    registered = http.post("/api/auth/register", json={"email": email, "password": PASSWORD})
    assert registered.status_code == 201, registered.text
    signed_in = http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    return {"Authorization": f"Bearer {signed_in.json()['access_token']}"}


def add(http: httpx.Client, who: dict[str, str], title: str, **fields: Any) -> dict[str, Any]:
    answer = http.post("/api/tasks", json={"title": title, **fields}, headers=who)
    assert answer.status_code == 201, answer.text
    task: dict[str, Any] = answer.json()
    return task


def pages(http: httpx.Client, who: dict[str, str], **query: Any) -> Iterator[list[dict[str, Any]]]:
    cursor = None
    while True:
        answer = http.get("/api/tasks", params=query | ({"cursor": cursor} if cursor else {}), headers=who)
        assert answer.status_code == 200, answer.text
        yield answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


def titles(http: httpx.Client, who: dict[str, str]) -> list[str]:
    return [task["title"] for page in pages(http, who, limit=200) for task in page]


def the_papers_are_there(http: httpx.Client) -> None:
    assert http.get("/health/live").json() == {"status": "ok"}
    assert http.get("/health/ready").json()["status"] == "ok"
    assert http.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert http.get("/docs").headers["content-type"].startswith("text/html")


def every_kind_of_due_is_kept(http: httpx.Client, who: dict[str, str]) -> None:
    for due in DUES:
        added = add(http, who, f"Due as a {due['kind']}", due=due)
        read = http.get(f"/api/tasks/{added['id']}", headers=who)

        assert read.json() == added
        assert read.json()["due"] == due
        assert read.headers["ETag"] == '"1"'


def refusals_are_proper(http: httpx.Client, who: dict[str, str], other: dict[str, str]) -> None:
    assert_refused(http.get("/api/tasks"), 401)
    assert_refused(http.get("/api/tasks", headers={"Authorization": "Bearer wrong"}), 401)
    assert_refused(http.post("/api/tasks", json={"title": "x", "colour": "red"}, headers=who), 422)

    task = add(http, who, "Mine alone")
    foreign = assert_refused(http.get(f"/api/tasks/{task['id']}", headers=other), 404)
    never = assert_refused(http.get(f"/api/tasks/{uuid4()}", headers=other), 404)
    assert {name: foreign[name] for name in foreign.keys() - ALIKE} == {
        name: never[name] for name in never.keys() - ALIKE
    }

    path, first = f"/api/tasks/{task['id']}", who | {"If-Match": '"1"'}
    changed = http.patch(path, json={"title": "Changed"}, headers=first)
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    stale = assert_refused(http.patch(path, json={"title": "Lost"}, headers=first), 412)
    assert stale["current"] == changed.json()


def assert_refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    return problem


def a_completed_task_comes_back(http: httpx.Client, who: dict[str, str]) -> None:
    task = add(http, who, "Stretch", recurrence={"rrule": "FREQ=DAILY"})

    completed = http.post(f"/api/tasks/{task['id']}/complete", headers=who)

    assert completed.status_code == 200, completed.text
    following = completed.json()["next_task"]
    assert completed.json()["status"] == "done"
    assert (following["title"], following["status"]) == ("Stretch", "open")
    assert following["series_id"] == task["series_id"]
    assert following["due"]["date"] > task["due"]["date"]
    assert http.get(f"/api/tasks/{following['id']}", headers=who).json() == following


def a_repeated_request_happens_once(http: httpx.Client, who: dict[str, str]) -> None:
    keyed = who | {"Idempotency-Key": str(uuid4())}

    first = http.post("/api/tasks", json={"title": "Only once"}, headers=keyed)
    second = http.post("/api/tasks", json={"title": "Only once"}, headers=keyed)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert titles(http, who).count("Only once") == 1


def begin_a_series_that_is_late(http: httpx.Client, who: dict[str, str]) -> dict[str, Any]:
    """One whose first occurrence was yesterday, and whose second comes in a few seconds."""
    soon = datetime.now(UTC) + timedelta(seconds=4)
    due = {"kind": "floating", "at": f"{soon - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"}
    return add(http, who, "Take the pills", due=due, recurrence={"rrule": "FREQ=DAILY", "on_missed": "skip_to_next"})


def the_worker_opens_what_is_due(http: httpx.Client, who: dict[str, str], first: dict[str, Any]) -> None:
    def states() -> list[str]:
        (occurrences,) = pages(http, who, series_id=first["series_id"], sort="due_at")
        return [occurrence["status"] for occurrence in occurrences]

    # A run of the job that was killed half-way keeps the next one back for up to 20 seconds.
    assert eventually(lambda: states() == ["cancelled", "open"], 60), states()


def pages_lose_and_double_nothing(http: httpx.Client, who: dict[str, str]) -> None:
    added = {add(http, who, f"Task {number}", priority=number % 5)["id"] for number in range(120)}

    for sort in ("-created_at", "-priority,due_at"):
        found = [[task["id"] for task in page] for page in pages(http, who, limit=25, sort=sort)]

        assert [len(page) for page in found] == [25, 25, 25, 25, 20]
        assert {id for page in found for id in page} == added


def add_while_processes_are_killed(
    process: Process, postmaster: int, http: httpx.Client, who: dict[str, str]
) -> set[str]:
    """A stream of adds goes on while everything below `todo up` dies and comes back; what was acknowledged."""
    acknowledged: set[str] = set()
    enough = threading.Event()
    stream = threading.Thread(target=keep_adding, args=(http, who, acknowledged, enough))
    stream.start()
    try:
        for command, pid in {**process.children(), "database": postmaster}.items():
            before = len(acknowledged)
            assert eventually(lambda before=before: len(acknowledged) > before + 20)
            os.kill(pid, signal.SIGKILL)
            assert process.says(f"The {command} process had died; it runs again.")
        before = len(acknowledged)
        assert eventually(lambda: len(acknowledged) > before + 20, 60)
    finally:
        enough.set()
        stream.join()
    the_worker_opens_what_is_due(http, who, begin_a_series_that_is_late(http, who))
    return acknowledged


def keep_adding(http: httpx.Client, who: dict[str, str], acknowledged: set[str], enough: threading.Event) -> None:
    for number in range(100_000):
        if enough.is_set():
            return
        title = f"Stream {number}"
        try:
            if http.post("/api/tasks", json={"title": title}, headers=who).status_code == 201:
                acknowledged.add(title)
        except httpx.HTTPError:
            time.sleep(0.1)
