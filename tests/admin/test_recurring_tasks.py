"""Adding a recurring task: the same on every interface, by the service that the API uses."""

from typing import Any

import pytest
from support.admin_interfaces import FACES, Ask, Stage
from support.factories import Person, World

from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Invalid
from todo.modules import REGISTRY

RULE = {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}
LAST_DAY = {"kind": "day", "date": "2031-01-31"}


@pytest.mark.parametrize("interface", FACES)
async def test_an_operator_adds_a_recurring_task_for_somebody(
    world: World, ada: Person, database: Database, sql: Any, interface: str
) -> None:
    stage = Stage(REGISTRY, database, await world.person("boss", "superuser", timezone="UTC"))
    recurrence: Any = RULE["rrule"] if interface == "cli" else RULE
    values = {"title": "Rent", "owner_id": str(ada.id), "due": LAST_DAY, "recurrence": recurrence}

    added = await FACES[interface](stage, Ask("add", "tasks", values=values))

    assert added.status == 200
    assert (added.body["recurrence"], added.body["occurrence"]) == (RULE, "2031-01-31")
    completed = (await ada.http.post(f"/api/tasks/{added.body['id']}/complete")).json()
    assert completed["next_task"]["due"] == {"kind": "day", "date": "2031-02-28"}
    events = await sql.fetch("SELECT action, source FROM audit_events WHERE action IN ('tasks.add', 'series.begin')")
    source = {"service": "admin", "rest": "api", "cli": "cli"}[interface]
    assert {event["action"] for event in events} == {"tasks.add", "series.begin"}
    assert {event["source"] for event in events} == {source}


@pytest.mark.parametrize("rrule", ["FREQ=SECONDLY", "FREQ=DAILY;COUNT=0"])
async def test_a_rule_that_cannot_be_is_refused_by_the_name_of_the_field(
    admin: AdminService, ada: Person, sql: Any, rrule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "A", "owner_id": str(ada.id), "recurrence": {"rrule": rrule}})

    assert [error.field for error in refused.value.errors] == ["body.recurrence.rrule"]
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0


async def test_rows_of_a_file_become_recurring_tasks(admin: AdminService, ada: Person) -> None:
    file = f"title,owner_id,recurrence\nRent,{ada.id},{RULE['rrule']}\nMilk,{ada.id},\n".encode()

    report = await admin.imports.import_rows("tasks", file, "csv", apply=True)

    assert (report.applied, report.added) == (True, 2)
    items = (await ada.http.get("/api/tasks?sort=created_at")).json()["items"]
    assert [item["series_id"] is not None for item in items] == [True, False]
