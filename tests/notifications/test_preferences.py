"""How one wants to be told: defaults, changes, quiet hours, channels; and the list of what was told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.factories import Person, job_context
from support.sending import Sql, ago, arrive, confirm, due_reminder, email_templates, remind, sent, work, zoned

from todo.database import Database
from todo.modules import JOBS

DEFAULTS = {
    "version": 1, "timezone": "Europe/Berlin", "email": True, "email_confirmed": False,
    "reminder": ["app", "email"], "missed": ["app", "email"], "digest": [], "overdue": [], "series_ended": ["app"],
    "assigned": ["app", "email"], "mentioned": ["app", "email"], "commented": ["app"], "completed": ["app"],
    "projects": [],
    "digest_time": "08:00", "day_time": "09:00", "quiet_hours": None,
}  # fmt: skip
ADDRESS = "/api/me/notifications"


async def test_who_has_said_nothing_has_the_defaults(ada: Person, sql: Sql) -> None:
    assert (await ada.http.get(ADDRESS)).json() == DEFAULTS
    assert await sql.fetchval("SELECT count(*) FROM notification_preferences") == 0


async def test_what_is_sent_is_changed_and_the_rest_stays(ada: Person) -> None:
    quiet = {"begin": "22:00", "end": "07:00"}

    changed = await ada.http.patch(ADDRESS, json={"digest": ["email", "email"], "quiet_hours": quiet})
    ended = await ada.http.patch(ADDRESS, json={"quiet_hours": None})

    assert changed.json() == DEFAULTS | {"version": 2, "digest": ["email"], "quiet_hours": quiet}
    assert ended.json() == (await ada.http.get(ADDRESS)).json() == DEFAULTS | {"version": 3, "digest": ["email"]}


@pytest.mark.parametrize(
    "body", [{"digest": ["pigeon"]}, {"day_time": "9:00"}, {"day_time": "24:00"}, {"day_time": "09:00\n"},
             {"quiet_hours": {"begin": "22:00", "end": "22:00"}}, {"quiet_hours": {"begin": "22:00"}}, {"zone": "UTC"}]
)  # fmt: skip
async def test_what_cannot_be_is_refused(ada: Person, sql: Sql, body: dict[str, Any]) -> None:
    answer = await ada.http.patch(ADDRESS, json=body)

    assert answer.status_code == 422
    assert (await ada.http.get(ADDRESS)).json() == DEFAULTS


async def test_a_stale_version_changes_nothing(ada: Person) -> None:
    await ada.http.patch(ADDRESS, json={"email": False})

    answer = await ada.http.patch(ADDRESS, json={"email": True}, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["current"]["email"]) == (412, False)


async def test_another_hour_for_days_moves_their_reminders(ada: Person, database: Database) -> None:
    await remind(ada, await ada.add(due={"kind": "day", "date": "2031-01-31"}))

    await ada.http.patch(ADDRESS, json={"day_time": "06:30"})
    await work(database)

    (reminder,) = (await ada.http.get("/api/reminders")).json()["items"]
    assert reminder["remind_at"] == "2031-01-31T05:30:00Z"


@pytest.mark.parametrize(("urgent", "count"), [(False, 0), (True, 1)])
async def test_quiet_hours_hold_back_what_is_not_urgent(
    ada: Person, database: Database, sql: Sql, urgent: bool, count: int
) -> None:
    await ada.http.patch("/api/auth/me", json={"timezone": "UTC"})
    now = datetime.now(UTC)
    quiet = {"begin": f"{now - timedelta(hours=1):%H:%M}", "end": f"{now + timedelta(hours=1):%H:%M}"}
    await ada.http.patch(ADDRESS, json={"quiet_hours": quiet})
    await remind(ada, await ada.add(due=zoned(ago(minutes=5))), urgent=urgent)
    await arrive(sql)

    await work(database)

    waiting = [item["remind_at"][11:16] for item in (await ada.http.get("/api/reminders")).json()["items"]]
    assert (len(await sent(ada)), waiting) == (count, [] if urgent else [quiet["end"]])


async def test_made_urgent_it_does_not_wait_for_the_morning(ada: Person, database: Database, sql: Sql) -> None:
    await ada.http.patch("/api/auth/me", json={"timezone": "UTC"})
    now = datetime.now(UTC)
    quiet = {"begin": f"{now - timedelta(hours=1):%H:%M}", "end": f"{now + timedelta(hours=1):%H:%M}"}
    await ada.http.patch(ADDRESS, json={"quiet_hours": quiet})
    reminder = await remind(ada, await ada.add(due=zoned(ago(minutes=5))))
    await arrive(sql)
    await work(database)
    before = await sent(ada)

    await ada.http.patch(f"/api/reminders/{reminder['id']}", json={"urgent": True})
    await work(database)

    assert (before, len(await sent(ada))) == ([], 1)


async def test_an_address_that_is_none_stops_nobody(ada: Person, bob: Person, database: Database, sql: Sql) -> None:
    await confirm(sql, ada, bob)
    await sql.execute("UPDATE users SET email = E'a\x7f@example.com' WHERE id = $1", ada.id)
    await due_reminder(ada, sql)
    await due_reminder(bob, sql)

    await work(database)

    assert (len(await sent(ada)), len(await sent(bob))) == (1, 1)
    assert [mail["recipient"] for mail in await email_templates(sql)] == [bob.email]


@pytest.mark.parametrize(
    ("preferences", "confirmed", "in_app", "by_mail"),
    [
        ({}, True, 1, 1),
        ({}, False, 1, 0),
        ({"email": False}, True, 1, 0),
        ({"reminder": ["app"]}, True, 1, 0),
        ({"reminder": ["email"]}, True, 0, 1),
        ({"reminder": ["email"]}, False, 1, 0),  # what cannot go by mail must not be lost
        ({"reminder": ["email"], "email": False}, True, 1, 0),
        ({"reminder": []}, True, 0, 0),
    ],
)
async def test_a_message_takes_the_ways_one_wants(
    ada: Person, database: Database, sql: Sql, preferences: dict[str, Any], confirmed: bool, in_app: int, by_mail: int
) -> None:
    await ada.http.patch(ADDRESS, json=preferences)
    if confirmed:
        await confirm(sql, ada)
    await due_reminder(ada, sql)

    await work(database)

    assert (len(await sent(ada)), len(await email_templates(sql))) == (in_app, by_mail)


async def test_the_list_counts_filters_and_marks(ada: Person, bob: Person, database: Database, sql: Sql) -> None:
    for number in range(3):
        await due_reminder(ada, sql, str(number))
        await due_reminder(bob, sql, str(number))
    await work(database)
    items = (await ada.http.get("/api/notifications?unread=true&count=true")).json()

    read = await ada.http.post(f"/api/notifications/{items['items'][0]['id']}/read")
    again = await ada.http.post(f"/api/notifications/{items['items'][0]['id']}/read")
    left = (await ada.http.get("/api/notifications/unread")).json()
    marked = await ada.http.post("/api/notifications/read")

    assert (items["total"], left, marked.json()) == (3, {"unread": 2}, {"marked": 2})
    assert (read.json()["version"], read.json()["read_at"]) == (2, again.json()["read_at"])
    assert (await ada.http.get("/api/notifications/unread")).json() == {"unread": 0}
    assert (await ada.http.get("/api/notifications?unread=true")).json()["items"] == []
    assert len((await ada.http.get("/api/notifications?unread=false")).json()["items"]) == 3
    assert (await bob.http.get("/api/notifications/unread")).json() == {"unread": 3}


async def test_what_is_read_is_forgotten_in_a_month(ada: Person, database: Database, sql: Sql) -> None:
    (forget,) = [cron.function for cron in JOBS.schedules if cron.function.__name__ == "delete_old_notifications"]
    for number in range(3):
        await due_reminder(ada, sql, str(number))
    await work(database)
    await sql.execute("UPDATE notifications SET created_at = now() - interval '40 days'")
    await sql.execute("UPDATE notifications SET read_at = now() - interval '31 days' WHERE title = 'Reminder: 0'")
    await sql.execute("UPDATE notifications SET read_at = now() - interval '29 days' WHERE title = 'Reminder: 1'")

    await forget(job_context(database))

    assert await sent(ada) == ["Reminder: 1", "Reminder: 2"]


async def test_what_is_known_is_not_sent_again_until_anything_of_it_changes(ada: Person, sql: Sql) -> None:
    async def again(etag: str) -> tuple[int, str]:
        answer = await ada.http.get(ADDRESS, headers={"if-none-match": etag})
        return answer.status_code, answer.headers["etag"]

    first = (await ada.http.get(ADDRESS)).headers["etag"]
    unchanged = await again(first)
    await ada.http.patch("/api/auth/me", json={"timezone": "Asia/Tokyo"})
    moved, second = await again(first)
    await sql.execute("UPDATE users SET email_verified_at = now()")
    confirmed, third = await again(second)
    await ada.http.patch(ADDRESS, json={"digest": ["app"]})

    assert unchanged == (304, first)
    assert (moved, confirmed, (await again(third))[0]) == (200, 200, 200)
    assert len({first, second, third}) == 3
