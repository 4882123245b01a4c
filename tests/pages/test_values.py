"""What rows hold, and what was changed of them, as people read it: names for ids, words for values."""

import json
import re
from typing import Any

import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, form_of, heading_of, text_of

from todo.admin.pages.changed_values import changed_value, notable
from todo.admin.pages.languages import language_of
from todo.admin.pages.templating import in_order
from todo.admin.schemas import Difference
from todo.modules import REGISTRY


@pytest.fixture
async def task(boss: Person) -> dict[str, Any]:
    """A task in a project, with a comment and an assignee."""
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    task = await boss.add("Paint", project_id=project["id"], assignee_ids=[str(boss.id)])
    comment = await boss.http.post(f"/api/tasks/{task['id']}/comments", json={"text": "Which color?"})
    return {"path": f"/admin/tasks/{task['id']}", "project": project["id"], "comment": comment.json()["id"]}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("status", "in_progress", "In progress"),
        ("priority", 4, "Urgent"),
        ("due_at", "2026-12-20T23:30:00Z", "2026-12-21 00:30"),
        ("blocked", False, "No"),
        ("labels", [], "nothing"),
        ("project_id", "0190f5f0-7c1d-7000-8000-000000000000", "House"),
        ("assignee_ids", ["0190f5f0-7c1d-7000-8000-000000000000"], "House"),
    ],
)
def test_a_value_of_the_audit_log_is_written_as_people_say_it(name: str, value: Any, shown: str) -> None:
    names = {"0190f5f0-7c1d-7000-8000-000000000000": "House"}

    found = changed_value(language_of("en"), value, REGISTRY["tasks"].fields[name], "Europe/Berlin", names)

    assert found == shown


def test_data_is_written_as_its_names_and_values() -> None:
    data = {"title": "Rent", "notes": "", "labels": ["home", "money"], "limit": {"used": 3}}

    found = changed_value(language_of("en"), data, None, "UTC")

    assert found == "Title: Rent; Labels: home, money; Limit: Used: 3"


def test_numbers_in_data_have_their_names() -> None:
    found = changed_value(
        language_of("en"), {"title": "Rent", "priority": 4, "estimate_minutes": 4},
        REGISTRY["series"].fields["template"], "UTC",
    )  # fmt: skip

    assert found == "Title: Rent; Priority: Urgent; Estimate minutes: 4"


def test_what_every_row_has_is_no_change_worth_showing() -> None:
    changes = [Difference(name, name, None, "x") for name in ("id", "version", "title", "created_at")]

    assert [one.field for one in notable([Difference("notes", "Notes", "x", None), *changes])] == ["title", "notes"]


async def test_the_history_names_what_is_referred_to(visitor: Visitor, boss: Person, task: dict[str, Any]) -> None:
    other = (await boss.http.post("/api/projects", json={"name": "Garden"})).json()
    moved = await boss.http.patch(f"/api{task['path'].removeprefix('/admin')}", json={"project_id": other["id"]})
    assert moved.status_code == 200, moved.text

    history = text_of(await visitor.get(f"{task['path']}/history"))

    assert re.search("Project ?before: House ?after: Garden", history)
    assert task["project"] not in history
    assert "Version" not in history


async def test_a_row_is_called_by_what_it_belongs_to(visitor: Visitor, boss: Person, task: dict[str, Any]) -> None:
    comment = await visitor.get(f"/admin/comments/{task['comment']}")
    asked = await visitor.send("/admin/comments/act", action="delete", id=[task["comment"]])
    preview = (await boss.http.delete(f"/api/admin/comments/{task['comment']}?preview=true")).json()

    assert heading_of(comment) == "Paint"
    assert "Paint" in text_of(asked)
    assert preview["rows"] == [{"value": task["comment"], "label": "Paint"}]


async def test_several_people_are_chosen_by_name(
    visitor: Visitor, boss: Person, world: World, task: dict[str, Any]
) -> None:
    grace, linus = await world.person("grace"), await world.person("linus")
    for member in (grace, linus):
        shared = {"project_id": task["project"], "user_id": str(member.id), "role": "editor"}
        assert (await boss.http.post("/api/admin/project_members", json=shared)).status_code == 201
    form = await visitor.get(task["path"])
    sent = form_of(form, task["path"])
    assert sent["assignee_ids"] == ["", str(boss.id), ""]
    assert f"<span>{boss.email}</span>" in form.text

    refused = await visitor.send(task["path"], **sent | {"assignee_ids": ["", str(boss.id), "nobody@example.com"]})
    saved = await visitor.send(task["path"], **sent | {"assignee_ids": ["", f"{grace.email}, {linus.email}"]})

    assert (refused.status_code, "No row is called nobody@example.com." in text_of(refused)) == (422, True)
    assert saved.status_code == 303
    found = (await boss.http.get(f"/api{task['path'].removeprefix('/admin')}")).json()
    assert found["assignee_ids"] == sorted([str(grace.id), str(linus.id)])


async def test_what_a_user_has_used_is_a_list_not_code(visitor: Visitor, boss: Person) -> None:
    page = await visitor.get(f"/admin/users/{boss.id}")

    assert '<dl class="data">' in page.text
    assert "{" not in text_of(page)


def test_a_local_time_is_written_without_seconds() -> None:
    field = REGISTRY["occurrences"].fields["original_start"]

    assert changed_value(language_of("en"), "2026-12-25T09:30:00", field, "UTC") == "2026-12-25 09:30"


def test_data_stands_in_the_order_of_its_schema() -> None:
    found = in_order({"other": 1, "notes": "", "title": "Rent"}, REGISTRY["series"].fields["template"])

    assert list(found) == ["title", "notes", "other"]
    assert in_order([{"until": 2, "from": 1}], REGISTRY["series"].fields["pauses"]) == [{"from": 1, "until": 2}]


async def test_a_form_begins_with_what_a_new_row_needs(visitor: Visitor) -> None:
    page = await visitor.get("/admin/roles/add")

    assert page.text.index('id="field-name"') < page.text.index(" data-picker")


@pytest.mark.parametrize(
    ("due", "shown"),
    [
        ({"kind": "day", "date": "9999-12-31"}, "9999-12-31 14:00 Pacific/Kiritimati"),
        ({"kind": "floating", "at": "9999-12-31T23:59"}, "9999-12-31 23:59 Pacific/Kiritimati (9999-12-31 23:59 UTC)"),
        ({"kind": "day", "date": "1900-01-01"}, "1899-12-31 13:30 Pacific/Kiritimati"),
    ],
)
async def test_a_date_at_the_end_of_the_calendar_is_shown(
    entering: Entering, world: World, boss: Person, due: dict[str, str], shown: str
) -> None:
    """In UTC where the calendar of a time zone does not have it."""
    task = await boss.add("Some day", due=due, start=due)
    east = await entering(await world.person("east", "superuser", timezone="Pacific/Kiritimati"))

    pages = [await east.get(f"/admin/tasks{path}") for path in ("", f"/{task['id']}", f"/{task['id']}/explanation")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert shown in pages[0].text
    assert all(due.get("date", "9999-12-31") in page.text for page in pages)


async def test_a_list_shows_a_date_stored_before_such_years_were_refused(
    visitor: Visitor, boss: Person, sql: Any
) -> None:
    task = await boss.add(due={"kind": "day", "date": "2030-01-01"})
    await sql.execute("UPDATE tasks SET due_at = '-infinity', overdue_at = '-infinity'")

    for path in ("", f"/{task['id']}"):
        assert "0001-01-01T00:00:00+00:00" in (await visitor.get(f"/admin/tasks{path}")).text


async def test_the_page_of_a_background_job_names_rejected_rows(visitor: Visitor, boss: Person, sql: Any) -> None:
    task = await boss.add("Water the plants")
    failures = json.dumps([{"id": task["id"], "message": "title: This field is required."}])
    run = await sql.fetchval(
        "INSERT INTO admin_runs (id, created_at, updated_at, version, actor_id, resource, action, target, form, status,"
        " total, done, failed, failures, messages) VALUES (gen_random_uuid(), now(), now(), 1, $1, 'tasks', 'change',"
        " '{}', '{}', 'done', 1, 0, 1, $2, '{}') RETURNING id", boss.id, failures,
    )  # fmt: skip

    page = text_of(await visitor.get(f"/admin/runs/{run}"))

    assert "Water the plants: Title: This field is required." in page
