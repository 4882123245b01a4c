"""Ten clients and the worker at one series at once: nothing fails, every answer is true, every invariant holds."""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, count
from typing import Any, TypeAlias

import httpx
import pytest
from support.factories import Person
from support.invariants import broken
from support.series import Json, Sql, floating, work

from todo.database import Database

Answer: TypeAlias = Coroutine[Any, Any, httpx.Response]
CLIENTS = 10
ROUNDS = 50  # of each pair of verbs, if there is time
SECONDS = float(os.environ.get("RACE_SECONDS", "150"))  # all rounds take about two hours
POLICIES = ("keep_one", "skip_to_next", "backfill", "expire")
ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Tokyo", "Pacific/Apia")
NUMBERS = count()
TODAY = datetime.now(UTC).replace(hour=9, minute=0)


@dataclass
class Race:
    """One person, their series, and what was answered."""

    person: Person
    database: Database
    chance: random.Random
    live: list[Json] = field(default_factory=list)  # open tasks of the series that goes on
    tasks: list[Json] = field(default_factory=list)  # these and others, also closed ones
    answers: dict[str, tuple[str, httpx.Response]] = field(default_factory=dict)

    async def begin(self) -> None:
        """See that there is a series that goes on, and which tasks there are."""
        self.live = await self._live() or [await self._new()]
        found = await self.person.http.get("/api/tasks?sort=-updated_at&limit=4")
        self.tasks = [*self.live, *found.json()["items"]]

    async def _live(self) -> list[Json]:
        active = (await self.person.http.get("/api/series?status=active&limit=1")).json()["items"]
        if not active:
            return []
        found = await self.person.http.get(f"/api/tasks?status=open&series_id={active[0]['id']}&limit=4")
        live: list[Json] = found.json()["items"]
        return live

    async def _new(self) -> Json:
        rule = {"rrule": "FREQ=DAILY", "lead_seconds": self.chance.choice([0, 172_800]), "max_open": 3}
        if self.chance.random() < 0.3:
            rule["anchor"] = "completion"
        else:
            rule |= {"on_missed": self.chance.choice(POLICIES), "expire_after_seconds": 3600}
        return await self.person.add(due=self.due(-2), recurrence=rule)

    def pick(self) -> Json:
        return self.chance.choice(self.live if self.chance.random() < 0.75 else self.tasks)

    def due(self, days: int) -> Json:
        return floating(f"{TODAY + timedelta(days=days):%Y-%m-%dT%H:%M}")

    def send(self, name: str, method: str, path: str, body: Json | None = None) -> Answer:
        """A request whose id is in the audit log if it did anything."""
        request_id = f"race-{next(NUMBERS):06}"
        headers = {"X-Request-ID": request_id}
        if method == "POST" and self.chance.random() < 0.3:
            headers["Idempotency-Key"] = request_id

        async def go() -> httpx.Response:
            answer = await self.person.http.request(method, path, json=body, headers=headers)
            self.answers[request_id] = name, answer
            return answer

        return go()

    def task(self, verb: str, body: Json | None = None) -> Answer:
        return self.send(verb, "POST", f"/api/tasks/{self.pick()['id']}/{verb}", body)

    def patch(self, scope: str, body: Json) -> Answer:
        task = self.pick()
        return self.send(f"patch {scope}", "PATCH", f"/api/tasks/{task['id']}?scope={scope}", body)

    def delete(self, scope: str) -> Answer:
        task = self.pick()
        return self.send(f"delete {scope}", "DELETE", f"/api/tasks/{task['id']}?scope={scope}")

    def series(self, verb: str, body: Json) -> Answer:
        return self.send(verb, "POST", f"/api/series/{self.pick()['series_id']}/{verb}", body)

    def title(self) -> Json:
        return {"title": f"title {next(NUMBERS)}"}

    def vacation(self) -> Answer:
        if self.chance.random() < 0.5:
            return self.send("vacation", "DELETE", "/api/me/vacation")
        today = TODAY.date()
        days = {"from": str(today), "until": str(today + timedelta(days=self.chance.randrange(9)))}
        return self.send("vacation", "POST", "/api/me/vacation", days)

    def restore(self) -> Answer:
        return self.send("restore", "POST", f"/api/trash/{self.pick()['id']}/restore")

    async def worker(self) -> None:
        await work(self.database)


VERBS: dict[str, Callable[[Race], Coroutine[Any, Any, Any]]] = {
    "complete": lambda race: race.task("complete"),
    "skip": lambda race: race.task("skip"),
    "reopen": lambda race: race.task("reopen"),
    "move": lambda race: race.task("move", {"due": race.due(race.chance.randrange(3, 9999))}),
    "restore": lambda race: race.restore(),
    "delete this": lambda race: race.delete("this"),
    "delete following": lambda race: race.delete("following"),
    "delete all": lambda race: race.delete("all"),
    "title of this": lambda race: race.patch("this", race.title()),
    "title of following": lambda race: race.patch("following", race.title()),
    "title of all": lambda race: race.patch("all", race.title()),
    "due of following": lambda race: race.patch("following", {"due": race.due(race.chance.randrange(1, 9))}),
    "rule of all": lambda race: race.patch(
        "all", race.title() | {"recurrence": {"rrule": f"FREQ=DAILY;INTERVAL={race.chance.randrange(1, 9)}"}}
    ),
    "rule of series": lambda race: race.send(
        "rule", "PATCH", f"/api/series/{race.pick()['series_id']}",
        race.title() | {"rrule": f"FREQ=DAILY;INTERVAL={race.chance.randrange(1, 9)}"},
    ),
    "pause": lambda race: race.series("pause", {}),
    "resume": lambda race: race.series("resume", {}),
    "end": lambda race: race.series("end", {"open": race.chance.choice(["keep", "cancel"])}),
    "skip missed": lambda race: race.series("skip-missed", {}),
    "vacation": lambda race: race.vacation(),
    "time zone": lambda race: race.send("zone", "PATCH", "/api/auth/me", {"timezone": race.chance.choice(ZONES)}),
    "worker": lambda race: race.worker(),
}  # fmt: skip


# Asked for what is there already, these answer without a change.
IDEMPOTENT = {"zone", "move", "patch following", "skip-missed", "vacation"}
PAIRS = list(combinations_with_replacement(VERBS, 2))


async def check(race: Race, sql: Sql) -> None:
    """What was answered happened, what was refused did not, and every invariant holds."""
    wrote = {row["request_id"] for row in await sql.fetch("SELECT DISTINCT request_id FROM audit_events")}
    for request_id, (name, answer) in race.answers.items():
        assert answer.status_code in {200, 201, 204, 404, 409, 422}, (name, answer.status_code, answer.text)
        happened = answer.status_code < 300 and (name not in IDEMPOTENT or request_id in wrote)
        assert (request_id in wrote) == happened, (name, answer.status_code, answer.text)
    race.answers.clear()
    assert await broken(sql) == {}


async def run(race: Race, sql: Sql, pair: tuple[str, str]) -> None:
    """One round: a pair of verbs, each by four clients at once, with two others and the worker."""
    await race.begin()
    verbs = [*pair * 4, *race.chance.sample(list(VERBS), CLIENTS - 8)]
    await asyncio.gather(*(VERBS[verb](race) for verb in verbs), race.worker())
    await race.worker()
    await check(race, sql)


@pytest.mark.parametrize("seed", [1])
async def test_ten_clients_and_the_worker_at_one_series_break_nothing(
    ada: Person, sql: Sql, database: Database, seed: int
) -> None:
    race = Race(ada, database, random.Random(seed))
    for pair in race.chance.sample(PAIRS, 12):
        await run(race, sql, pair)


@pytest.mark.races
async def test_every_pair_of_verbs_breaks_nothing(ada: Person, sql: Sql, database: Database) -> None:
    ends = asyncio.get_running_loop().time() + SECONDS
    for seed in range(ROUNDS):
        race = Race(ada, database, random.Random(seed))
        for pair in race.chance.sample(PAIRS, len(PAIRS)):
            if asyncio.get_running_loop().time() > ends:  # a slow machine has fewer rounds
                return
            await run(race, sql, pair)
