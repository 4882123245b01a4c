"""A series that comes to its end by itself is notified of once."""

from typing import Any

import pytest
from support.factories import Person
from support.sending import Sql, confirm, email_templates, sent
from support.series import Json, act, begin, changed, steer, work

from todo.database import Database
from todo.domain.notifications.services import endings

ONCE = "FREQ=DAILY;COUNT=1"


async def listed(person: Person) -> Json:
    (item,) = (await person.http.get("/api/notifications")).json()["items"]
    found: Json = item
    return found


@pytest.mark.parametrize("verb", ["complete", "skip"])
async def test_closing_the_last_occurrence_notifies(ada: Person, database: Database, verb: str) -> None:
    task = await begin(ada, "2031-01-01", ONCE)
    await act(ada, task, verb)

    await work(database)
    await work(database)

    item = await listed(ada)
    assert (item["kind"], item["title"], item["task_id"]) == (
        "series_ended", "Series ended: Water the plants", task["id"],
    )  # fmt: skip
    assert item["text"] == "Water the plants\nEvery day, once\nNo more tasks will be created."


@pytest.mark.parametrize(
    ("rrule", "recurrence"),
    [
        ("FREQ=DAILY;UNTIL=20260105", {"on_missed": "expire", "expire_after_seconds": 60}),
        ("FREQ=DAILY;COUNT=3", {"on_missed": "expire", "expire_after_seconds": 60}),
    ],
    ids=str,
)
async def test_an_end_that_the_worker_finds_notifies(
    ada: Person, database: Database, rrule: str, recurrence: dict[str, Any]
) -> None:
    await begin(ada, "2026-01-01", rrule, **recurrence)

    for _ in range(3):
        await work(database)

    assert await sent(ada) == ["Series ended: Water the plants"]


async def test_an_end_taken_back_before_the_worker_looks_notifies_of_nothing(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-01-01", ONCE)
    await act(ada, task, "complete")
    await act(ada, task, "reopen")

    await work(database)

    assert await sent(ada) == []


async def test_a_series_that_ends_again_is_notified_of_once(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-01-01", ONCE)
    for verb in ("complete", "reopen", "complete"):
        await act(ada, task, verb)
        await work(database, workers=3)

    assert await sent(ada) == ["Series ended: Water the plants"]


async def test_what_somebody_ends_is_no_news_to_them(ada: Person, database: Database) -> None:
    ended, deleted, cleared, split = [await begin(ada, "2031-01-01") for _ in range(4)]
    await steer(ada, ended, "end", {})
    await act(ada, ended, "complete")
    await ada.http.delete(f"/api/tasks/{deleted['id']}?scope=all")
    await changed(ada, cleared, {"recurrence": None})
    await changed(ada, split, {"title": "Water the roses"}, "following")

    await work(database)

    assert await sent(ada) == []


@pytest.mark.parametrize("channels", [[], ["email"], ["app", "email"]], ids=str)
async def test_it_goes_to_the_channels_one_wants(
    ada: Person, database: Database, sql: Sql, channels: list[str]
) -> None:
    await confirm(sql, ada)
    await ada.http.patch("/api/me/notifications", json={"series_ended": channels})
    await act(ada, await begin(ada, "2031-01-01", ONCE), "complete")

    await work(database)

    mails = [mail["subject"] for mail in await email_templates(sql)]
    assert await sent(ada) == ["Series ended: Water the plants"] * ("app" in channels)
    assert mails == ["Series ended: Water the plants"] * ("email" in channels)
    assert await sql.fetchval("SELECT count(*) FROM series WHERE end_notice_at IS NOT NULL") == 0


async def test_others_learn_nothing_of_it(ada: Person, bob: Person, database: Database) -> None:
    await act(ada, await begin(ada, "2031-01-01", ONCE), "complete")

    await work(database)

    assert await sent(bob) == []


async def test_who_cannot_sign_in_is_not_notified(ada: Person, database: Database, sql: Sql) -> None:
    await act(ada, await begin(ada, "2031-01-01", ONCE), "complete")
    await sql.execute("UPDATE users SET status = 'disabled'")

    await work(database)

    assert await sql.fetchval("SELECT count(*) FROM notifications") == 0
    assert await sql.fetchval("SELECT count(*) FROM series WHERE end_notice_at IS NOT NULL") == 0


async def test_an_owner_who_is_locked_is_notified_later(ada: Person, database: Database, sql: Sql) -> None:
    await act(ada, await begin(ada, "2031-01-01", ONCE), "complete")

    async with sql.transaction():
        await sql.execute("SELECT FROM users FOR UPDATE")
        await endings.notify_ended_series(database)
        waiting = await sql.fetchval("SELECT count(*) FROM series WHERE end_notice_at IS NOT NULL")
    await endings.notify_ended_series(database)

    assert (waiting, await sent(ada)) == (1, ["Series ended: Water the plants"])
