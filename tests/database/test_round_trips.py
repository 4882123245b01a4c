"""What a request costs on the wire, once connections, statements and tokens are warm."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import serving, settings_for
from support.factories import Person, World
from support.wire import Wire, tapped

from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.services.sign_in import SignIn
from todo.http.limits import limiter_of


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


@pytest.fixture
async def eve(wire: Wire) -> AsyncIterator[Person]:
    settings = settings_for(wire.url, database_pool=3, database_overflow=0, actor_cache_seconds=5)
    async with serving(create_app(settings)) as app:
        world = World(app)
        yield await world.person("eve")
        await world.close()


async def trips(wire: Wire, person: Person, method: str, path: str, **options: Any) -> int:
    """Round trips of one request that the service has answered before."""
    for _ in range(2):
        wire.trips = 0
        answer = await person.http.request(method, path, **options)
        assert answer.status_code < 300, answer.text
    return wire.trips


async def test_reads_take_one_round_trip(wire: Wire, eve: Person) -> None:
    task = await eve.add()

    assert await trips(wire, eve, "GET", "/api/tasks") == 1
    assert await trips(wire, eve, "GET", "/api/tasks?status=open&sort=due_at&limit=10") == 1
    assert await trips(wire, eve, "GET", f"/api/tasks/{task['id']}") == 1
    assert await trips(wire, eve, "GET", f"/api/tasks/{task['id']}?include=series,subtasks") == 1
    assert await trips(wire, eve, "GET", "/api/tasks?include=series,subtasks") == 1
    other = {"blocker_id": (await eve.add())["id"]}
    await eve.http.post(f"/api/tasks/{task['id']}/dependencies", json=other)
    assert await trips(wire, eve, "GET", f"/api/tasks/{task['id']}/dependencies") == 1
    assert await trips(wire, eve, "GET", f"/api/tasks/{other['blocker_id']}/dependents") == 1
    assert await trips(wire, eve, "GET", "/api/trash") == 1
    assert await trips(wire, eve, "GET", "/api/auth/me") == 1
    assert await trips(wire, eve, "GET", "/api/series") == 1
    assert await trips(wire, eve, "GET", "/api/me/vacation") == 1
    assert await trips(wire, eve, "GET", "/health/ready") == 1
    assert await trips(wire, eve, "GET", "/health/live") == 0


@pytest.fixture
async def fay(wire: Wire) -> AsyncIterator[Person]:
    """Somebody of a service at its default settings, but one connection, where every statement is prepared."""
    defaults = {"rate_limit": "100/minute", "actor_cache_seconds": 3, "database_pool": 3, "database_overflow": 0}
    async with serving(create_app(settings_for(wire.url, **defaults))) as app:
        world = World(app)
        yield await world.person("fay")
        await world.close()


async def cold(wire: Wire, person: Person, path: str, **headers: str) -> int:
    """Round trips of a request of somebody of whom this process remembers only that the signature is good."""
    sign_in: SignIn = person.app.dependencies["sign_in"].dependency()
    database: Database = person.app.dependencies["database"].dependency()
    sign_in.authenticate.cache_clear()
    sign_in.authenticate._load.cache_clear()  # type: ignore[attr-defined]  # of async_lru
    sign_in.tokens._find.cache_clear()  # type: ignore[attr-defined]  # of async_lru
    limiter_of(database)._leases.clear()
    sign_in.keys._loaded_at -= 600
    wire.trips = 0
    answer = await person.http.get(path, headers=headers)
    assert (answer.status_code, "ratelimit" in answer.headers) == (200, True)
    return wire.trips


async def test_the_coldest_read_takes_two_round_trips_and_the_next_ones_one(wire: Wire, fay: Person) -> None:
    task = await fay.add()
    path = f"/api/tasks/{task['id']}"
    await fay.http.get(path)

    assert await cold(wire, fay, path) == 2
    for _ in range(9):  # what was leased
        wire.trips = 0
        assert (await fay.http.get(path)).status_code == 200
        assert wire.trips == 1


async def test_the_coldest_read_by_personal_token_takes_two(wire: Wire, fay: Person) -> None:
    data = {"name": "script", "scopes": ["accounts.me"]}
    made = (await fay.http.post("/api/auth/tokens", json=data)).json()
    token = f"Bearer {made['token']}"
    await fay.http.get("/api/auth/me", headers={"authorization": token})
    await fay.app.dependencies["sign_in"].dependency().tokens.close()  # its use is noted once a minute

    assert await cold(wire, fay, "/api/auth/me", authorization=token) == 2


async def test_a_lease_that_ends_before_the_actor_is_forgotten_takes_one_more(wire: Wire, fay: Person) -> None:
    database: Database = fay.app.dependencies["database"].dependency()
    await fay.http.get("/api/tasks")
    limiter_of(database)._leases.clear()
    wire.trips = 0

    assert (await fay.http.get("/api/tasks")).status_code == 200
    assert wire.trips == 2


async def test_a_count_takes_one_more(wire: Wire, eve: Person) -> None:
    assert await trips(wire, eve, "GET", "/api/tasks?count=true") == 2


async def test_adding_a_task_with_its_audit_event_takes_one(wire: Wire, eve: Person) -> None:
    assert await trips(wire, eve, "POST", "/api/tasks", json={"title": "A"}) == 1


async def test_adding_a_task_with_an_idempotency_key_takes_one(wire: Wire, eve: Person) -> None:
    found = []
    for key in "abc":
        wire.trips = 0
        answer = await eve.http.post("/api/tasks", json={"title": "A"}, headers={"idempotency-key": key})
        assert "idempotency-replayed" not in answer.headers
        found.append(wire.trips)

    assert found[1:] == [1, 1]


async def test_changing_a_task_with_its_audit_event_takes_two(wire: Wire, eve: Person) -> None:
    task = await eve.add()
    path = f"/api/tasks/{task['id']}"
    await eve.http.patch(path, json={"title": "B"})
    await eve.http.patch(path, json={"title": "C"})
    wire.trips = 0

    answer = await eve.http.patch(path, json={"title": "D"})

    assert (answer.json()["title"], wire.trips) == ("D", 2)


async def close(eve: Person, wire: Wire, verb: str, task: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Round trips of closing an occurrence, and the occurrence that follows."""
    wire.trips = 0
    answer = await eve.http.post(f"/api/tasks/{task['id']}/{verb}")
    assert answer.status_code == 200, answer.text
    return wire.trips, answer.json()["next_task"]


async def test_completing_a_task_takes_two(wire: Wire, eve: Person) -> None:
    tasks = [await eve.add() for _ in range(3)]

    assert [(await close(eve, wire, "complete", task))[0] for task in tasks][1:] == [2, 2]


@pytest.mark.parametrize(("verb", "most"), [("complete", 6), ("skip", 5)])
async def test_closing_an_occurrence_takes_six_whatever_the_age_of_a_series(
    wire: Wire, eve: Person, verb: str, most: int
) -> None:
    task = await eve.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
    found = []
    for _ in range(6):
        trips, task = await close(eve, wire, verb, task)
        found.append(trips)

    assert min(found[2:]) <= most
    assert max(found[2:]) <= most + 1  # who is asking may have to be looked up again


async def test_series_and_their_occurrences_take_one_and_upcoming_one_more(wire: Wire, eve: Person) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=300):%Y-%m-%dT%H:%M:%SZ}"
    for _ in range(3):
        task = await eve.add(recurrence={"rrule": "FREQ=WEEKLY"})
    path = f"/api/series/{task['series_id']}"

    assert await trips(wire, eve, "GET", "/api/series?status=active") == 1
    assert await trips(wire, eve, "GET", path) == 1
    assert await trips(wire, eve, "GET", f"{path}/occurrences?status=open") == 1
    assert await trips(wire, eve, "GET", f"/api/tasks?include=upcoming&until={until}") == 2
    assert (
        await trips(wire, eve, "POST", "/api/recurrences/preview", json={"rrule": "FREQ=DAILY", "start": "2031-01-01"})
        == 0
    )


async def test_lost_connections_are_replaced_without_a_failed_read(wire: Wire, eve: Person) -> None:
    task = await eve.add()

    for _ in range(3):
        wire.cut()
        answer = await eve.http.get(f"/api/tasks/{task['id']}")

        assert answer.status_code == 200, answer.text


async def test_a_write_after_lost_connections_succeeds(wire: Wire, eve: Person) -> None:
    await eve.add()
    wire.cut()
    await asyncio.sleep(0.05)  # until the loss has reached this side, as it has for a connection that died while idle

    answer = await eve.http.post("/api/tasks", json={"title": "A"})

    assert answer.status_code == 201, answer.text
