"""What people reported of other administrations, tried on these pages. docs/admin.md lists all, with their tests."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from pages.conftest import Entering
from support.factories import Person, World, origin_for
from support.pages import Visitor, form_of

from todo.access import Actor
from todo.admin.declaration import ActionContext
from todo.admin.registry import Registry
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.tasks.labels.admin import LabelAdmin
from todo.domain.tasks.labels.models import Label


def rows_of(page: httpx.Response) -> list[str]:
    """The names of the rows of a list."""
    return [
        re.sub(r"<[^>]+>", "", link).strip() for link in re.findall(r'class="row-link"[^>]*>(.*?)</a>', page.text, re.S)
    ]


async def added_at(boss: Person, sql: Any, *moments: str) -> None:
    for moment in moments:
        task = await boss.add(moment)
        await sql.execute(
            "UPDATE tasks SET created_at = $1::text::timestamptz WHERE id = $2::text::uuid", moment, task["id"]
        )


async def test_the_last_days_of_a_month_are_there_when_clocks_change(
    entering: Entering, world: World, boss: Person, sql: Any
) -> None:
    """Django 29724, 30922, 27475: days were those of UTC, and the last one was missing."""
    berlin = await entering(await world.person("eva", "superuser", timezone="Europe/Berlin"))
    of_october = ["2020-09-30T22:30Z", "2020-10-25T00:30Z", "2020-10-25T22:30Z", "2020-10-31T22:30Z"]
    await added_at(boss, sql, *of_october, "2020-10-31T23:30Z", "2020-09-30T21:30Z")

    month = await berlin.get("/admin/tasks", created_at="2020-10")
    days = {day: rows_of(await berlin.get("/admin/tasks", created_at=day)) for day in ("2020-10-25", "2020-10-31")}

    assert sorted(rows_of(month)) == of_october
    assert days == {"2020-10-25": of_october[2:0:-1], "2020-10-31": [of_october[3]]}
    assert {"2020-10-01", "2020-10-25", "2020-10-31"} == set(re.findall(r"created_at=(2020-10-\d\d)", month.text))


@pytest.mark.parametrize("timezone", ["Pacific/Apia", "Pacific/Pago_Pago"])
async def test_today_is_that_of_the_viewer(
    entering: Entering, world: World, boss: Person, sql: Any, timezone: str
) -> None:
    """django-filter 1461, django-admin-rangefilter 8: today was that of UTC."""
    midnight = datetime.now(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    before, after = ((midnight + timedelta(minutes=one)).isoformat() for one in (-1, 1))
    await added_at(boss, sql, before, after)
    there = await entering(await world.person("tia", "superuser", timezone=timezone))

    assert rows_of(await there.get("/admin/tasks", created_at="today")) == [after]


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Apia", "Pacific/Pago_Pago"])
async def test_a_date_is_the_same_day_everywhere(entering: Entering, world: World, boss: Person, timezone: str) -> None:
    """Directus 10093: a date was shown a day off."""
    task = await boss.add(deadline="2031-03-01")
    there = await entering(await world.person("tia", "superuser", timezone=timezone))
    path = f"/admin/tasks/{task['id']}"

    listed = await there.get("/admin/tasks", columns="title,deadline")
    form = form_of(await there.get(path), path)
    await there.send(path, **form)

    assert '<time datetime="2031-03-01">' in listed.text
    assert form["deadline"] == ["2031-03-01"]
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["deadline"] == "2031-03-01"


async def test_a_refused_form_keeps_its_references(visitor: Visitor, world: World) -> None:
    """django-jet 202: a reference was empty after another field was refused."""
    ada = await world.person("ada")

    refused = await visitor.send("/admin/tasks/add", title="", owner_id=ada.email)

    assert refused.status_code == 422
    assert form_of(refused, "/admin/tasks/add")["owner_id"] == [ada.email]


async def test_another_filter_begins_at_the_first_page(visitor: Visitor, boss: Person) -> None:
    """Avo 428: the page stayed when a filter was chosen, and the list was empty."""
    for number in range(26):
        await boss.add(f"Task {number}")
    first = await visitor.get("/admin/tasks", limit="25")
    (following,) = set(re.findall(r'href="(/admin/tasks\?[^"]*cursor=[^"]*)"', first.text))

    second = await visitor.get(following.replace("&amp;", "&"))

    assert rows_of(second) == ["Task 0"]
    facets = re.findall(r'href="([^"]*status=open[^"]*)"', second.text)
    assert facets and not [link for link in facets if "cursor" in link]
    assert not re.findall(r'name="cursor"', second.text)


@pytest.fixture
async def reader(world: World, sql: Any) -> AsyncIterator[Person]:
    """Somebody who may see tasks here, with one of their own, and change nothing."""
    person = await world.person("reader")
    await person.add("Water")
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", person.id)
    await sql.execute(
        "WITH role AS (INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), 'readers', '{admin.enter,tasks.view}') RETURNING id)"
        " INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM role",
        person.id,
    )
    yield person
    await sql.execute("DELETE FROM user_roles; DELETE FROM roles WHERE name = 'readers'")


async def test_who_may_not_change_rows_edits_no_cell(entering: Entering, reader: Person, sql: Any) -> None:
    """Flask-Admin 2219: cells could be edited without the permission."""
    here, task = await entering(reader), await sql.fetchval("SELECT id FROM tasks")

    listed = await here.get("/admin/tasks")
    sent = await here.send(f"/admin/tasks/{task}/cell/title", title="Other", _version="1")

    assert rows_of(listed) == ["Water"] and "cell-edit" not in listed.text
    assert (await here.get(f"/admin/tasks/{task}/cell/title")).status_code == 404
    assert sent.status_code == 403
    assert await sql.fetchval("SELECT title FROM tasks") == "Water"


class LoudLabelAdmin(LabelAdmin):
    """Does something before a change."""

    name, verbs = "labels", ("view", "change")
    only_on_add, defaults = (), {}

    async def change_row(self, do: ActionContext, row: Label, values: dict[str, Any]) -> None:
        await super().change_row(do, row, values | {"name": values["name"].upper()})


async def test_what_runs_before_a_change_may_alter_it(database: Database, boss: Person, sql: Any) -> None:
    """starlette-admin 696: what a hook before the change had altered was lost."""
    label = (await boss.http.post("/api/labels", json={"name": "garden"})).json()
    registry = Registry([LoudLabelAdmin])
    actor = Actor(boss.id, "boss", permissions=registry.permissions)
    admin = AdminService(registry, database, origin_for(actor))

    changed = await admin.editor.change("labels", label["id"], {"name": "balcony"})

    assert (changed.name, await sql.fetchval("SELECT name FROM labels")) == ("BALCONY", "BALCONY")
