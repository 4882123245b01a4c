"""One person's daily series, driven at random: the service does what a model of a page does, whatever the order.

The clock of the requests and of the worker is the test's; everything else is real.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from support.factories import Person
from support.invariants import broken
from support.series import Json, Sql

from todo.access import worker_origin
from todo.database import Database
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.materialize import materialize_series

BEGIN, HOUR = datetime(2031, 1, 1, tzinfo=UTC), 9
CLOCKS = (
    "series.services.occurrences",
    "series.services.series",
    "series.services.edit",
    "services.closing",
    "services.trash",
)


@dataclass
class Closed:
    """What a reopening needs: the changes of the series by then, the day that opened instead, and the one after."""

    edits: int
    opened: int | None


@dataclass
class Model:
    """A series of days, counted from the first; `keep_one`, the next one opens when this one closes or at its time."""

    step: int
    today: int = 0  # it is 8 o'clock
    status: str = "active"
    days: dict[int, str] = field(default_factory=lambda: {0: "open"})
    moved: set[int] = field(default_factory=set)
    closed: dict[int, Closed] = field(default_factory=dict)
    edits: int = 0

    def __post_init__(self) -> None:
        self.next: int | None = self.step

    @property
    def open(self) -> list[int]:
        return [day for day, status in self.days.items() if status == "open"]

    def look(self) -> None:
        """What the worker does now: of the days that came, one is open, the others were missed."""
        while self.status == "active" and self.next is not None and self.next < self.today:
            self.days[self.next] = "missed" if self.open else "open"
            self.next += self.step

    def close(self, day: int, status: str) -> None:
        self.days[day] = status
        self.closed.pop(day, None)
        if self.open:
            return
        opened = None
        if self.status == "active" and self.next is not None:
            while self.next < self.today:  # closing lately skips what has passed
                self.days[self.next] = "missed"
                self.next += self.step
            opened, self.next = self.next, self.next + self.step
            self.days[opened] = "open"
        self.closed[day] = Closed(self.edits, opened)

    def reopen(self, day: int) -> None:
        self.days[day] = "open"
        closed = self.closed.pop(day, None)
        if closed is None or closed.edits != self.edits or closed.opened is None or self.next is None:
            return
        is_last = closed.opened + self.step == self.next
        if is_last and self.days[closed.opened] == "open" and closed.opened not in self.moved:
            del self.days[closed.opened]
            self.next = closed.opened

    def resume(self) -> None:
        self.status, self.edits = "active", self.edits + 1
        while self.next is not None and self.next < self.today:
            self.days[self.next] = "paused"
            self.next += self.step

    def end(self) -> None:
        self.status, self.next, self.edits = "ended", None, self.edits + 1

    def shown(self) -> tuple[str, dict[int, str], int | None]:
        names = {"deleted": "skipped"}
        statuses = {day: names.get(status, status) for day, status in self.days.items()}
        statuses |= dict.fromkeys(self.moved.intersection(self.open), "moved")
        return self.status, statuses, self.next


class Life(RuleBasedStateMachine):
    """Steps of a person, each checked against the model."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    person: ClassVar[Person]
    database: ClassVar[Database]
    sql: ClassVar[Sql]
    clock: ClassVar[datetime]

    @initialize(step=st.sampled_from([1, 3]), opens=st.sampled_from(["either", "on_close"]))
    def begin(self, step: int, opens: str) -> None:
        self.model = Model(step)
        Life.clock = BEGIN + timedelta(hours=HOUR - 1)
        rule = {"rrule": f"FREQ=DAILY;INTERVAL={step}", "opens": opens}
        due = {"kind": "zoned", "at": f"{BEGIN + timedelta(hours=HOUR):%Y-%m-%dT%H:%M}", "timezone": "UTC"}
        self.series_id = self.run(self.person.add(due=due, recurrence=rule))["series_id"]

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def send(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = self.run(self.person.http.request(method, path, json=body))
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else {}

    def entries(self) -> list[Json]:
        found: list[Json] = self.send("GET", f"/api/series/{self.series_id}/occurrences?sort=occurrence&limit=200")[
            "items"
        ]
        return found

    def task(self, day: int) -> str:
        ids: dict[int, str] = {number(entry["occurrence"]): entry["task_id"] for entry in self.entries()}
        return ids[day]

    def some(self, data: st.DataObject, *statuses: str) -> int:
        return data.draw(st.sampled_from([day for day, status in self.model.days.items() if status in statuses]))

    @precondition(lambda self: self.model.open)
    @rule(data=st.data(), verb=st.sampled_from(["complete", "skip", "delete"]))
    def close(self, data: st.DataObject, verb: str) -> None:
        day = self.some(data, "open")
        path = f"/api/tasks/{self.task(day)}"
        method, path = ("DELETE", path) if verb == "delete" else ("POST", f"{path}/{verb}")
        self.send(method, path)
        self.model.close(day, {"complete": "done", "skip": "skipped", "delete": "deleted"}[verb])

    @precondition(lambda self: {"done", "skipped"} & set(self.model.days.values()))
    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        day = self.some(data, "done", "skipped")
        self.send("POST", f"/api/tasks/{self.task(day)}/reopen")
        self.model.reopen(day)

    @precondition(lambda self: self.model.open)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        day = self.some(data, "open")
        self.send("POST", f"/api/tasks/{self.task(day)}/move", {"due": {"kind": "day", "date": "2033-01-01"}})
        self.model.moved.add(day)

    @precondition(lambda self: self.model.status == "active")
    @rule()
    def pause(self) -> None:
        self.send("POST", f"/api/series/{self.series_id}/pause", {})
        self.model.status, self.model.edits = "paused", self.model.edits + 1

    @precondition(lambda self: self.model.status == "paused")
    @rule()
    def resume(self) -> None:
        self.send("POST", f"/api/series/{self.series_id}/resume")
        self.model.resume()

    @precondition(lambda self: self.model.status != "ended" and len(self.model.days) > 4)
    @rule()
    def end(self) -> None:
        self.send("POST", f"/api/series/{self.series_id}/end", {"open": "keep"})
        self.model.end()

    @rule(days=st.sampled_from([1, 2, 7]))
    def let_time_pass(self, days: int) -> None:
        self.model.today += days
        Life.clock += timedelta(days=days)
        self.run(self.look())
        self.model.look()

    async def look(self) -> None:
        """The worker evaluates the series, if it is due."""
        async with self.database.session(worker_origin()) as session:
            due = (SERIES.id == self.series_id, SERIES.next_run_at <= Life.clock)
            series = await session.scalar(select(Series).where(*due).with_for_update())
            if series:
                await materialize_series(session, [series], Life.clock)

    @invariant()
    def the_service_agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        series = self.send("GET", f"/api/series/{self.series_id}")
        following = series["next_occurrence"] and number(series["next_occurrence"])
        days = {number(entry["occurrence"]): entry["status"] for entry in self.entries()}
        assert (series["status"], days, following) == self.model.shown()
        assert self.run(broken(self.sql)) == {}


def number(occurrence: str) -> int:
    return (datetime.fromisoformat(occurrence) - BEGIN.replace(tzinfo=None)).days


@pytest.fixture
async def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_a_series_does_what_its_model_does(
    loop: asyncio.AbstractEventLoop, ada: Person, database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    Life.loop, Life.person, Life.database, Life.sql = loop, ada, database, sql
    for module in CLOCKS:
        monkeypatch.setattr(f"todo.domain.tasks.{module}.now", lambda: Life.clock)
    bounded = settings(
        max_examples=12, stateful_step_count=12, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(Life, settings=bounded)
