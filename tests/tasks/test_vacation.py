"""A vacation of a person is a pause of all their series, undone by one call."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from support.factories import Person
from support.invariants import broken
from support.series import Json, Sql, act, begin, everything, fields, open_occurrences, series_of, steer, work, work_at
from support.waiting import waiting_for_locks

from todo.access import Actor, worker_origin
from todo.database import Database
from todo.domain.tasks.schemas import TaskIn
from todo.domain.tasks.services.tasks import TaskService

PATH = "/api/me/vacation"
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()
# Series that bring nothing by the end of this day.
AWAY = """
    SELECT count(*) FROM series WHERE (next_run_at AT TIME ZONE 'Europe/Berlin')::date > $1
    AND NOT EXISTS (SELECT FROM occurrences WHERE series_id = series.id AND occurrences.status = 'open')"""


def in_days(days: int) -> str:
    return str(TODAY + timedelta(days=days))


async def go(person: Person, **days: Any) -> httpx.Response:
    return await person.http.post(PATH, json={("from" if name == "begin" else name): day for name, day in days.items()})


async def went(person: Person, **days: Any) -> Json:
    answer = await go(person, **days)
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def come_back(person: Person, **options: Any) -> int:
    return (await person.http.delete(PATH, **options)).status_code


async def test_no_series_opens_anything_until_the_vacation_is_over(ada: Person, database: Database, sql: Sql) -> None:
    before = [await begin(ada, in_days(0)), await begin(ada, in_days(-1), "FREQ=DAILY;INTERVAL=2")]
    begun = await went(ada, until=in_days(3))
    meanwhile = await begin(ada, in_days(0))

    done = [await act(ada, task, "complete") for task in (*before, meanwhile)]
    await work(database)

    assert (begun["from"], begun["until"]) == (in_days(0), in_days(3))
    assert ([task["next_task"] for task in done], await open_occurrences(ada)) == ([None] * 3, [])
    await work_at(database, datetime.now(UTC) + timedelta(days=3))
    away = await open_occurrences(ada)
    await work_at(database, datetime.now(UTC) + timedelta(days=5))
    assert (away, len(await open_occurrences(ada))) == ([], 3)
    assert await broken(sql) == {}


async def test_one_call_brings_all_work_back(ada: Person, database: Database, sql: Sql) -> None:
    tasks = [await begin(ada, in_days(0)), await begin(ada, in_days(0), opens="on_close")]
    await went(ada, until=in_days(30))
    for task in [*tasks, await begin(ada, in_days(0), anchor="completion")]:
        await act(ada, task, "complete")
    await work(database)
    meanwhile, still_away = await open_occurrences(ada), await sql.fetchval(AWAY, TODAY + timedelta(days=1))

    status = await come_back(ada)
    await work(database)

    assert (meanwhile, still_away) == ([], 3)
    assert (status, await sql.fetchval(AWAY, TODAY + timedelta(days=1))) == (204, 0)
    assert (await ada.http.get(PATH)).json() | {"version": 0} == {"version": 0, "from": None, "until": None}


async def test_a_vacation_that_is_cancelled_leaves_everything_as_it_was(
    ada: Person, database: Database, sql: Sql
) -> None:
    await begin(ada, in_days(1))
    await begin(ada, in_days(1), on_missed="expire", expire_after_seconds=60, anchor="completion")
    await work(database)
    before = await everything(sql)

    await went(ada, begin=in_days(1), until=in_days(30))
    await work(database)
    await come_back(ada)
    await work(database)

    assert await everything(sql) == before


@pytest.mark.parametrize("ended", [False, True])
async def test_an_occurrence_reopened_goes_by_the_vacation_there_is_by_then(
    ada: Person, database: Database, sql: Sql, ended: bool
) -> None:
    task = await begin(ada, in_days(0), on_missed="skip_to_next")
    if ended:
        await went(ada, until=in_days(9))
        await work(database)
    await act(ada, task, "complete")
    await (come_back(ada) if ended else went(ada, until=in_days(9)))

    await act(ada, task, "reopen")

    (at,) = await sql.fetchrow("SELECT next_run_at AT TIME ZONE 'Europe/Berlin' FROM series")
    assert at.date() == TODAY + timedelta(days=1 if ended else 2)  # when tomorrow comes, or has passed


async def test_pauses_of_a_series_and_the_vacation_add_up(ada: Person, sql: Sql) -> None:
    task = await begin(ada, in_days(0))
    await steer(ada, task, "pause", {"from": in_days(0), "until": in_days(20)})
    await went(ada, until=in_days(3))
    await come_back(ada)

    assert (await act(ada, task, "complete"))["next_task"] is None
    assert (await series_of(ada, task))["pauses"] == [{"from": in_days(0), "until": in_days(20)}]
    assert await sql.fetchval("SELECT count(*) FROM series WHERE vacations = '[]'") == 1


async def test_open_work_stays_open(ada: Person, database: Database) -> None:
    await begin(ada, in_days(0))

    await went(ada, until=in_days(3))
    await work(database)

    assert await open_occurrences(ada) == [in_days(0)]


async def test_the_days_that_have_passed_stay_days_of_vacation(ada: Person, sql: Sql) -> None:
    await sql.execute("UPDATE users SET vacations = $1", f'[["{in_days(-3)}", "{in_days(3)}"]]')
    running = (await ada.http.get(PATH)).json()
    longer = await went(ada, until=in_days(5))

    assert await come_back(ada) == 204

    assert (running["from"], longer["from"], longer["until"]) == (in_days(-3), in_days(-3), in_days(5))
    stored = await sql.fetchval("SELECT vacations FROM users")
    assert stored == f'[["{in_days(-3)}", "{in_days(-1)}"]]'
    again = await went(ada, until=in_days(1))
    assert again["from"] == in_days(0)


@pytest.mark.parametrize(
    ("days", "field", "message"),
    [
        ({"begin": -1, "until": 1}, "body.from", "The first day must be today or later."),
        ({"begin": 367, "until": 368}, "body.from", "The first day must be within the next 366 days."),
        ({"begin": 2, "until": 1}, "body.until", "The last day must not be before the first."),
        ({"until": -1}, "body.until", "The last day must not be before the first."),
        ({"until": 367}, "body.until", "A vacation lasts at most 366 days."),
    ],
    ids=str,
)
async def test_days_that_make_no_vacation_are_refused_by_their_field(
    ada: Person, sql: Sql, days: dict[str, int], field: str, message: str
) -> None:
    answer = await go(ada, **{name: in_days(day) for name, day in days.items()})

    error = {"field": field, "message": message, "code": "invalid"}
    assert (answer.status_code, answer.json()["errors"]) == (422, [error])
    assert await sql.fetchval("SELECT vacations FROM users") == "[]"


async def test_a_running_vacation_does_not_end_by_planning_another(ada: Person, sql: Sql) -> None:
    await sql.execute("UPDATE users SET vacations = $1", f'[["{in_days(-3)}", "{in_days(3)}"]]')

    answer = await go(ada, begin=in_days(10), until=in_days(12))

    assert fields(answer) == ["body.from"]


async def test_a_planned_vacation_is_replaced(ada: Person, sql: Sql) -> None:
    await went(ada, begin=in_days(10), until=in_days(12))

    await went(ada, begin=in_days(20), until=in_days(22))

    assert await sql.fetchval("SELECT vacations FROM users") == f'[["{in_days(20)}", "{in_days(22)}"]]'


async def test_there_is_nothing_to_end_without_a_vacation(ada: Person) -> None:
    assert await come_back(ada) == 409


async def test_a_stale_version_changes_no_vacation(ada: Person, sql: Sql) -> None:
    etag = (await ada.http.get(PATH)).headers["etag"]
    seen = await ada.http.get(PATH, headers={"if-none-match": etag})
    await went(ada, until=in_days(3))

    answer = await ada.http.post(PATH, json={"until": in_days(9)}, headers={"if-match": etag})

    assert (seen.status_code, answer.status_code, answer.json()["current"]["until"]) == (304, 412, in_days(3))
    assert await come_back(ada, headers={"if-match": etag}) == 412


async def test_a_repeated_request_begins_one_vacation(ada: Person, sql: Sql) -> None:
    key = {"idempotency-key": "one"}

    answers = [await ada.http.post(PATH, json={"until": in_days(3)}, headers=key) for _ in range(2)]

    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].json() == answers[1].json()
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.begin_vacation'") == 1


async def test_the_vacation_of_one_changes_nothing_for_others(ada: Person, bob: Person, sql: Sql) -> None:
    await begin(bob, in_days(0))
    before = await everything(sql)

    await went(ada, until=in_days(3))

    assert await everything(sql) == before
    assert (await bob.http.get(PATH)).json()["until"] is None


async def test_who_begins_and_ends_a_vacation_is_in_the_audit_log(ada: Person, sql: Sql) -> None:
    await went(ada, until=in_days(3))
    await come_back(ada)

    events = await sql.fetch("SELECT action, after FROM audit_events WHERE action LIKE '%vacation' ORDER BY id")
    assert [event["action"] for event in events] == ["accounts.begin_vacation", "accounts.end_vacation"]
    assert events[0]["after"] == f'{{"vacations": [["{in_days(0)}", "{in_days(3)}"]]}}'


async def test_a_series_begun_at_the_same_moment_has_the_vacation(ada: Person, database: Database, sql: Sql) -> None:
    data = msgspec.convert({"title": "Water the plants", "recurrence": {"rrule": "FREQ=DAILY"}}, TaskIn)
    async with database.session(worker_origin()) as session:
        await TaskService(session, Actor(id=ada.id, name=ada.email)).add(data)
        leaving = asyncio.create_task(went(ada, until=in_days(3)))
        await waiting_for_locks(sql, 1)
    await leaving

    assert await sql.fetchval("SELECT count(*) FROM series WHERE vacations <> '[]'") == 1
    assert await broken(sql) == {}


async def test_no_more_vacations_are_kept_than_a_plan_takes(ada: Person, sql: Sql) -> None:
    many = ", ".join(f'["2020-01-{day:02}", "2020-01-{day:02}"]' for day in range(1, 21))
    await sql.execute("UPDATE users SET vacations = $1", f"[{many}]")

    await went(ada, until=in_days(3))

    assert await sql.fetchval("SELECT jsonb_array_length(vacations) FROM users") == 20
    assert (await begin(ada, in_days(0)))["occurrence"] == in_days(0)
