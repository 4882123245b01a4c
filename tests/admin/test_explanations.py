"""Why a task did or did not come up: what is said, to whom, and what it costs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import settings_for
from support.admin_interfaces import FACES, Ask, Stage
from support.factories import Person, World, origin_for
from support.sending import confirm, due_reminder, remind, work
from support.series import act, begin, steer
from support.sharing import project, share
from support.wire import Wire, tapped

from todo.access import Actor
from todo.admin.explanations import ExplanationEntry
from todo.admin.service import AdminService
from todo.database import Database
from todo.modules import REGISTRY

TOMORROW = {"kind": "day", "date": "2099-01-01"}


async def said(admin: AdminService, resource: str, row_id: Any) -> dict[str, ExplanationEntry]:
    """The entries of an explanation, by what they say."""
    found = await admin.explanations.of_row(resource, row_id)
    return {one.what: one for one in found.entries}


async def wait_for(person: Person, task: dict[str, Any], blocker: dict[str, Any]) -> None:
    answer = await person.http.post(f"/api/tasks/{task['id']}/dependencies", json={"blocker_id": blocker["id"]})
    assert answer.status_code < 300, answer.text


def blocking(entries: dict[str, ExplanationEntry]) -> set[str]:
    return {what for what, one in entries.items() if one.blocks and one.kind != "worker"}


async def test_a_task_that_nothing_keeps_back(admin: AdminService, ada: Person) -> None:
    task = await ada.add(due=TOMORROW)

    entries = await said(admin, "tasks", task["id"])

    assert blocking(entries) == set()
    due = entries["Due"]
    assert (due.at, due.local) == (datetime(2098, 12, 31, 23, tzinfo=UTC), "2099-01-01T00:00+01:00")


async def test_a_blocker_a_start_and_the_trash_keep_it_back(admin: AdminService, ada: Person) -> None:
    task = await ada.add(start=TOMORROW)
    blocker = await ada.add("Buy a can")
    await wait_for(ada, task, blocker)
    await ada.http.delete(f"/api/tasks/{task['id']}")

    entries = await said(admin, "tasks", task["id"])

    assert blocking(entries) == {"Waits for Buy a can", "Start", "Moved to the trash"}
    assert entries["Waits for Buy a can"].id == blocker["id"]


async def test_a_blocker_that_the_operator_may_not_see_has_no_title(
    database: Database, world: World, ada: Person, sql: Any
) -> None:
    grace = await world.person("grace")
    shared = await project(grace)
    await share(sql, shared, ada.id)
    task = await grace.add(project_id=shared)
    await wait_for(grace, task, await grace.add("Secret"))
    held = frozenset({"admin.enter", "tasks.view", "tasks.explain"})
    admin = AdminService(REGISTRY, database, origin_for(Actor(ada.id, ada.email, permissions=held)))

    entries = await said(admin, "tasks", task["id"])

    assert entries["Waits for a task that you may not see"].id == ""


async def test_a_series_says_its_rule_what_was_decided_and_what_comes(
    admin: AdminService, ada: Person, sql: Any
) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY;BYMONTHDAY=31")
    await act(ada, task, "complete")

    entries = await said(admin, "series", task["series_id"])

    assert entries["Every month on the 31st; in shorter months the last day"].kind == "rule"
    assert entries["Occurrence 2031-01-31 done"].why == "Its task was completed."
    opened = entries["Occurrence 2031-02-28 opened as a task"]
    assert "early: the one before it was closed" in opened.why
    assert "February 2031 has no 31st" in opened.why or "February has no 31st" in opened.why
    assert entries["Occurrence 2031-03-31 is to open"].at is not None
    assert "The schedule materialize_due has not succeeded yet" in entries


async def test_a_paused_and_a_failing_series_are_kept_back(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await begin(ada, "2031-01-31")
    await steer(ada, task, "pause", {})
    await sql.execute("UPDATE series SET failures = 3, last_error = 'boom'")

    entries = await said(admin, "tasks", task["id"])

    assert blocking(entries) == {"The series is paused"}
    assert entries["The series is set aside after 3 failures"].why == "boom"


async def test_the_worker_is_shown_with_its_last_success(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await begin(ada, "2031-01-31")
    ran = "INSERT INTO job_runs (function, status, finished_at, succeeded_at, seconds, runs, failures) VALUES"
    await sql.execute(f"{ran} ('materialize_due', 'complete', now(), now(), 1, 1, 0)")
    await sql.execute(f"{ran} ('send_reminders', 'complete', now(), now() - interval '1 hour', 1, 1, 0)")

    entries = await said(admin, "tasks", task["id"])

    assert not entries["The schedule materialize_due last succeeded"].blocks
    assert entries["The schedule send_reminders last succeeded"].blocks
    await sql.execute("DELETE FROM job_runs")


async def test_reminders_and_their_messages(admin: AdminService, database: Database, ada: Person, sql: Any) -> None:
    await confirm(sql, ada)
    task = await due_reminder(ada, sql)
    await work(database)

    entries = await said(admin, "tasks", task["id"])

    assert entries["Reminder of ada sent"].resource == "reminders"
    assert entries["ada was notified: reminder"].why == "In the list of notifications."
    assert entries["E-mail to ada is to be sent"].resource == "deliveries"
    await sql.execute("UPDATE deliveries SET failed_at = now(), attempts = 9, last_error = 'no such host'")
    failed = (await said(admin, "tasks", task["id"]))["E-mail to ada failed"]
    assert (failed.blocks, failed.why) == (True, "9 attempts. no such host")


async def test_a_reminder_that_is_not_scheduled_says_why(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add()
    await remind(ada, task)

    assert (await said(admin, "tasks", task["id"]))["Reminder of ada is not scheduled"].why == (
        "The task has no due date."
    )


async def test_reminders_of_others_are_for_those_who_may_see_them(database: Database, ada: Person) -> None:
    task = await ada.add(due=TOMORROW)
    await remind(ada, task)
    held = frozenset({"admin.enter", "tasks.view", "tasks.all", "tasks.explain"})
    admin = AdminService(REGISTRY, database, origin_for(Actor(None, "operator", permissions=held)))

    assert "Nobody has set a reminder that you may see" in await said(admin, "tasks", task["id"])


@pytest.mark.parametrize("resource", ["tasks", "series"])
async def test_all_interfaces_explain_the_same(world: World, database: Database, ada: Person, resource: str) -> None:
    task = await begin(ada, "2031-01-31")
    stage = Stage(REGISTRY, database, await world.person("boss", "superuser", timezone="UTC"))
    row_id = task["id"] if resource == "tasks" else task["series_id"]

    answers = [await face(stage, Ask("explain", resource, row_id)) for face in FACES.values()]

    assert [answer.status for answer in answers] == [200] * len(FACES)
    assert answers[0] == answers[1] == answers[2]


@pytest.fixture
async def wire(database_url: str, sql: object) -> AsyncIterator[Wire]:
    async with tapped(database_url) as wire:
        yield wire


async def test_it_costs_the_same_however_much_happened(wire: Wire, boss: Actor, ada: Person, sql: Any) -> None:
    database = await Database(settings_for(wire.url, database_pool=4, database_overflow=0)).open()
    admin = AdminService(REGISTRY, database, origin_for(boss))
    task = await begin(ada, "2031-01-31")
    costs = []
    for number in range(3):
        await admin.explanations.of_row("tasks", task["id"])
        await remind(ada, task, timing={"kind": "absolute", "at": f"2098-01-0{number + 1}T00:00:00Z"})
        await wait_for(ada, task, await ada.add())
    for _ in range(9):
        wire.trips = 0
        found = await admin.explanations.of_row("tasks", task["id"])
        costs.append(wire.trips)
    await database.close()

    assert len([one for one in found.entries if one.kind == "dependency"]) == 3
    assert min(costs) == 10  # row, time zone; place, blockers, series, occurrences, worker; reminders, messages, worker
