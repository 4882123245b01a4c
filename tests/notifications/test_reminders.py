"""Setting reminders, and that they follow whatever becomes of their task."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.factories import Person, World
from support.sending import AT_DUE, Sql, ago, arrive, due_reminder, remind, sent, work, zoned
from support.waiting import waiting_for_locks

from todo.access import WORKER, worker_origin
from todo.database import Database
from todo.domain.tasks.models import TASK
from todo.domain.tasks.series.services.occurrences import TaskWriter

TOMORROW = {"kind": "day", "date": "2031-01-31"}


async def upcoming(person: Person) -> list[str]:
    items = (await person.http.get("/api/reminders")).json()["items"]
    return [item["remind_at"] for item in items]


async def of_task(person: Person, task: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.http.get(f"/api/tasks/{task['id']}/reminders")).json()["items"]
    return items


async def test_a_reminder_is_set_and_listed(ada: Person) -> None:
    task = await ada.add(due=TOMORROW)

    reminder = await remind(ada, task, timing=AT_DUE | {"days": -1, "time": "18:00"})

    assert reminder["remind_at"] == "2031-01-30T17:00:00Z"
    assert reminder["timing"] == {"kind": "relative", "to": "due", "days": -1, "minutes": 0, "time": "18:00"}
    assert (reminder["every_occurrence"], reminder["urgent"], reminder["sent_at"]) == (False, False, None)
    assert reminder["created_at"] == reminder["updated_at"]
    assert await of_task(ada, task) == [reminder]
    assert (await ada.http.get("/api/reminders")).json()["items"] == [reminder]


async def test_the_next_reminder_comes_first_and_pages_go_on(ada: Person) -> None:
    task = await ada.add(due=TOMORROW)
    for days in (-1, -3, -2):
        await remind(ada, task, timing=AT_DUE | {"days": days})

    first = (await ada.http.get("/api/reminders?limit=2&count=true")).json()
    rest = (await ada.http.get(f"/api/reminders?limit=2&cursor={first['next_cursor']}")).json()

    found = [item["timing"]["days"] for item in first["items"] + rest["items"]]
    assert (found, first["total"], rest["next_cursor"]) == ([-3, -2, -1], 3, None)


async def test_an_instant_is_kept_in_utc(ada: Person) -> None:
    task = await ada.add()

    reminder = await remind(ada, task, timing={"kind": "absolute", "at": "2031-01-01T09:00:00+02:00"})

    assert reminder["remind_at"] == reminder["timing"]["at"] == "2031-01-01T07:00:00Z"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"timing": {"kind": "relative", "time": "25:00"}}, "body.timing.time"),
        ({"timing": {"kind": "relative", "days": 367}}, "body.timing.days"),
        ({"timing": {"kind": "absolute", "at": "2031-01-01T09:00:00"}}, "body.timing.at"),
        ({"timing": {"kind": "absolute", "at": "0001-01-01T00:00:00+14:00"}}, "body.timing.at"),
        ({"timing": {"kind": "absolute", "at": "2020-01-01T09:00:00Z"}}, "body.timing.at"),
        ({"timing": {"kind": "relative"}, "every_occurrence": True}, "body.every_occurrence"),
        ({"timing": {"kind": "sometimes"}}, "body.timing.kind"),
    ],
)
async def test_what_cannot_be_is_refused(ada: Person, sql: Sql, body: dict[str, Any], field: str) -> None:
    task = await ada.add(due=TOMORROW)

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reminders", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert await sql.fetchval("SELECT count(*) FROM reminders") == 0


async def test_a_task_has_at_most_twenty(ada: Person) -> None:
    task = await ada.add(due=TOMORROW)
    for _ in range(20):
        await remind(ada, task)

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": AT_DUE})

    assert answer.status_code == 409


async def test_a_stale_version_changes_nothing(ada: Person) -> None:
    reminder = await remind(ada, await ada.add(due=TOMORROW))
    address = f"/api/reminders/{reminder['id']}"
    changed = await ada.http.patch(address, json={"urgent": True}, headers={"If-Match": '"1"'})

    stale = await ada.http.patch(address, json={"urgent": False}, headers={"If-Match": '"1"'})
    deleted = await ada.http.delete(address, headers={"If-Match": '"1"'})

    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (stale.status_code, stale.json()["current"]["urgent"], deleted.status_code) == (412, True, 412)


async def test_every_change_leaves_its_trace(ada: Person, sql: Sql) -> None:
    reminder = await remind(ada, await ada.add(due=TOMORROW))
    address = f"/api/reminders/{reminder['id']}"
    await ada.http.patch(address, json={"urgent": True})
    await ada.http.post(f"{address}/snooze", json={"minutes": 5})
    await ada.http.delete(address)

    rows = await sql.fetch("SELECT action FROM audit_events WHERE subject = 'reminders' ORDER BY id")
    assert [row["action"] for row in rows] == [
        "reminders.add", "reminders.change", "reminders.snooze", "reminders.delete",
    ]  # fmt: skip


async def test_its_time_comes_and_it_is_sent_once(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql, "Pay the rent")

    await work(database)
    await work(database)

    (notification,) = (await ada.http.get("/api/notifications")).json()["items"]
    assert (notification["kind"], notification["title"]) == ("reminder", "Reminder: Pay the rent")
    assert (notification["task_id"], notification["read_at"]) == (task["id"], None)
    (reminder,) = await of_task(ada, task)
    assert reminder["sent_at"] is not None
    assert await upcoming(ada) == []


async def test_two_workers_send_it_once(ada: Person, bob: Person, database: Database, sql: Sql) -> None:
    for person in (ada, bob):
        for number in range(10):
            await due_reminder(person, sql, str(number))

    await work(database, workers=4)

    assert sorted(await sent(ada)) == sorted(await sent(bob)) == [f"Reminder: {number}" for number in range(10)]


async def test_a_worker_that_is_killed_before_the_commit_has_sent_nothing(
    ada: Person, database: Database, sql: Sql
) -> None:
    await due_reminder(ada, sql)
    await sql.execute("ALTER TABLE notifications ADD CONSTRAINT crash CHECK (kind <> 'reminder')")
    with pytest.raises(Exception, match="crash"):
        await work(database)
    await sql.execute("ALTER TABLE notifications DROP CONSTRAINT crash")
    between = await sent(ada)

    await work(database)

    assert (between, len(await sent(ada))) == ([], 1)


async def test_a_reminder_of_the_past_is_not_message(ada: Person, database: Database) -> None:
    task = await ada.add(due=zoned(ago(hours=1)))

    reminder = await remind(ada, task)
    await work(database)

    assert (reminder["remind_at"], reminder["state"], await sent(ada)) == (None, "past", [])


async def test_a_reminder_cannot_be_moved_to_a_fixed_time_of_the_past(ada: Person) -> None:
    reminder = await remind(ada, await ada.add(due=TOMORROW))
    timing = {"kind": "absolute", "at": "2020-01-01T09:00:00Z"}

    answer = await ada.http.patch(f"/api/reminders/{reminder['id']}", json={"timing": timing})

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "body.timing.at")
    assert error["message"] == "This time has passed. It must be in the future."


@pytest.mark.parametrize("name", ["due", "start"])
async def test_a_reminder_says_that_it_waits_for_a_date(ada: Person, database: Database, name: str) -> None:
    task = await ada.add()
    reminder = await remind(ada, task, timing={"kind": "relative", "to": name})
    assert (reminder["remind_at"], reminder["state"]) == (None, f"waiting_for_{name}")
    assert await of_task(ada, task) == [reminder]

    await ada.http.patch(f"/api/tasks/{task['id']}", json={name: TOMORROW})
    await work(database)

    assert [(one["remind_at"], one["state"]) for one in await of_task(ada, task)] == [
        ("2031-01-31T08:00:00Z", "scheduled")
    ]


async def test_a_reminder_says_that_its_task_is_closed_or_that_it_was_sent(ada: Person, database: Database) -> None:
    closed, due = await ada.add(due=TOMORROW), await ada.add(due=zoned(ago()))
    for task in (closed, due):
        await remind(ada, task)
    await ada.http.post(f"/api/tasks/{closed['id']}/complete")
    await work(database)

    assert [(await of_task(ada, task))[0]["state"] for task in (closed, due)] == ["task_closed", "sent"]


async def test_set_for_this_moment_it_is_sent_at_once(ada: Person, database: Database) -> None:
    await remind(ada, await ada.add(due=zoned(ago(seconds=1))))

    await work(database)

    assert len(await sent(ada)) == 1


async def test_it_comes_in_time_and_not_early(ada: Person, database: Database) -> None:
    await remind(ada, await ada.add(due=zoned(ago(seconds=-2))))
    await work(database)
    early = await sent(ada)

    async with asyncio.timeout(30):
        while not (on_time := await sent(ada)):
            await asyncio.sleep(0.05)
            await work(database)

    assert (early, len(on_time)) == ([], 1)


async def test_a_due_that_moves_takes_its_reminder_along(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql)

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": TOMORROW})
    await work(database)

    assert (await sent(ada), await upcoming(ada)) == ([], ["2031-01-31T08:00:00Z"])


async def test_a_due_that_moves_after_it_was_sent_is_sent_again(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql)
    await work(database)

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": TOMORROW})
    await work(database)

    assert (len(await sent(ada)), await upcoming(ada)) == (1, ["2031-01-31T08:00:00Z"])


async def test_raw_sql_moves_it_too(ada: Person, database: Database, sql: Sql) -> None:
    await remind(ada, await ada.add(due=TOMORROW))

    await sql.execute("""UPDATE tasks SET due = '{"kind": "day", "date": "2032-01-31"}'""")
    await work(database)

    assert await upcoming(ada) == ["2032-01-31T08:00:00Z"]


async def test_what_changes_nothing_about_time_asks_nobody_to_look(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=TOMORROW)
    await remind(ada, task)
    before = await sql.fetchval("SELECT run_at FROM reminders")

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Another"})

    assert await sql.fetchval("SELECT run_at FROM reminders") == before


async def test_a_closed_task_is_not_sent_and_reopened_it_waits_again(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=TOMORROW)
    await remind(ada, task)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await work(database)
    closed = await upcoming(ada)

    await ada.http.post(f"/api/tasks/{task['id']}/reopen")
    await work(database)

    assert (closed, await upcoming(ada)) == ([], ["2031-01-31T08:00:00Z"])


async def test_completed_just_in_time_nothing_is_message(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await arrive(sql)

    await work(database)

    assert await sent(ada) == []


async def test_what_was_over_while_the_task_was_closed_stays_untold(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await work(database)

    await ada.http.post(f"/api/tasks/{task['id']}/reopen")
    await work(database)

    assert await sent(ada) == []


async def test_in_the_trash_it_rests_and_restored_it_waits_again(ada: Person, database: Database) -> None:
    task = await ada.add(due=TOMORROW)
    await remind(ada, task)
    await ada.http.delete(f"/api/tasks/{task['id']}")
    await work(database)
    trashed = await upcoming(ada)

    await ada.http.post(f"/api/trash/{task['id']}/restore")
    await work(database)

    assert (trashed, await upcoming(ada)) == ([], ["2031-01-31T08:00:00Z"])


async def test_somebody_disabled_is_sent_nothing(ada: Person, database: Database, sql: Sql) -> None:
    await due_reminder(ada, sql)
    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", ada.id)
    await arrive(sql)

    await work(database)

    assert await sql.fetchval("SELECT count(*) FROM notifications") == 0


async def test_who_moves_is_sent_at_the_new_nine_oclock(ada: Person, database: Database) -> None:
    await remind(ada, await ada.add(due=TOMORROW))

    await ada.http.patch("/api/auth/me", json={"timezone": "America/New_York"})
    await work(database)

    assert await upcoming(ada) == ["2031-01-31T14:00:00Z"]


async def test_after_downtime_all_that_was_missed_is_one_message(ada: Person, database: Database, sql: Sql) -> None:
    for number in range(3):
        await due_reminder(ada, sql, f"Old {number}", hours=9 - number)
    await due_reminder(ada, sql, "New")

    await work(database, workers=2)

    newest, oldest = (await ada.http.get("/api/notifications")).json()["items"]
    assert (newest["title"], oldest["title"]) == ("Reminder: New", "Missed while we were away: 3 tasks")
    assert [line for line in oldest["text"].splitlines() if line.startswith("- ")] == [
        line for line in oldest["text"].splitlines() if "Old" in line
    ]
    assert oldest["text"].count("Old") == 3


async def test_snoozed_it_comes_back_and_not_at_its_own_time(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=zoned(ago(hours=-1)))
    reminder = await remind(ada, task)

    snoozed = await ada.http.post(f"/api/reminders/{reminder['id']}/snooze", json={"minutes": 120})
    await sql.execute("UPDATE reminders SET snoozed_until = now() - interval '1 second', run_at = to_timestamp(0)")
    await work(database)

    assert snoozed.json()["remind_at"] == snoozed.json()["snoozed_until"] > reminder["remind_at"]
    assert (len(await sent(ada)), await upcoming(ada)) == (1, [])


async def test_after_a_snooze_a_due_that_moved_is_sent_as_well(ada: Person, database: Database, sql: Sql) -> None:
    task = await due_reminder(ada, sql)
    await work(database)
    (reminder,) = await of_task(ada, task)
    await ada.http.post(f"/api/reminders/{reminder['id']}/snooze", json={"minutes": 5})
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"due": TOMORROW})
    await sql.execute("UPDATE reminders SET snoozed_until = now() - interval '1 second', run_at = to_timestamp(0)")

    await work(database)

    assert (len(await sent(ada)), await upcoming(ada)) == (2, ["2031-01-31T08:00:00Z"])


@pytest.mark.parametrize(
    "body", [{}, {"minutes": 5, "until": "2031-01-01T00:00:00Z"}, {"until": "2020-01-01T00:00:00Z"},
             {"until": "2099-01-01T00:00:00Z"}, {"minutes": 0}]
)  # fmt: skip
async def test_a_snooze_needs_one_time_within_a_year(ada: Person, body: dict[str, Any]) -> None:
    reminder = await remind(ada, await ada.add(due=TOMORROW))

    answer = await ada.http.post(f"/api/reminders/{reminder['id']}/snooze", json=body)

    assert answer.status_code == 422


async def test_one_that_cannot_be_read_stops_no_other(ada: Person, database: Database, sql: Sql) -> None:
    await due_reminder(ada, sql, "Broken")
    await sql.execute("""UPDATE reminders SET timing = '{"kind": "relative"}'""")
    await due_reminder(ada, sql, "Sound")

    await work(database)

    row = await sql.fetchrow("SELECT last_error, run_at - now() AS pause FROM reminders WHERE last_error IS NOT NULL")
    assert await sent(ada) == ["Reminder: Sound"]
    assert "KeyError" in row["last_error"]
    assert timedelta(minutes=50) < row["pause"] <= timedelta(hours=1)


async def test_a_change_under_way_is_waited_for(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=zoned(ago(hours=-1)))
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("""UPDATE tasks SET due = '{"kind": "day", "date": "2031-01-31"}'""")

    adding = asyncio.create_task(remind(ada, task))
    await waiting_for_locks(sql, 1)
    await transaction.commit()

    assert (await adding)["remind_at"] == "2031-01-31T08:00:00Z"


async def test_a_change_while_a_worker_looks_is_not_lost(ada: Person, database: Database, sql: Sql) -> None:
    tasks = [await due_reminder(ada, sql, str(number)) for number in range(8)]

    moves = (ada.http.patch(f"/api/tasks/{task['id']}", json={"due": TOMORROW}) for task in tasks)
    _, *answers = await asyncio.gather(work(database), *moves)
    await work(database)

    assert [answer.status_code for answer in answers] == [200] * 8
    assert await upcoming(ada) == ["2031-01-31T08:00:00Z"] * 8


async def test_who_changes_a_task_keeps_no_worker_waiting(ada: Person, database: Database, sql: Sql) -> None:
    """They may wait for the reminder that this worker holds; each for the other, both would fail."""
    task = await due_reminder(ada, sql)

    async with database.session(worker_origin()) as session:
        await TaskWriter(session, WORKER).locked(TASK.id == task["id"])
        await work(database)

    assert await sent(ada) == ["Reminder: Water the plants"]


async def test_how_late_reminders_are_can_be_watched(world: World, ada: Person, sql: Sql) -> None:
    operator = await world.person("boss", "admin")
    await remind(ada, await ada.add(due=zoned(ago(minutes=-5))))
    lags = []
    for at in ("'epoch'", "now() + interval '1 hour'", "now() - interval '30 seconds'"):
        await sql.execute(f"UPDATE reminders SET run_at = {at}")
        metrics = (await operator.http.get("/metrics")).text
        (line,) = [line for line in metrics.splitlines() if line.startswith("todo_reminders_lag_seconds")]
        lags.append(float(line.split()[1]))

    assert lags == [0, 0, pytest.approx(30, abs=10)]
