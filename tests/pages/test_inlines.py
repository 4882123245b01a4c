"""The rows below a row: what each person may do to them there, and the way back to the row."""

import re
from html import unescape
from typing import Any

import httpx
import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, form_of, text_of


@pytest.fixture
async def house(boss: Person) -> dict[str, Any]:
    """A project with a view."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    view = (await boss.http.post("/api/views", json={"name": "Kitchen", "project_id": project["id"]})).json()
    return {"path": f"/admin/projects/{project['id']}", "project": project["id"], "view": view["id"]}


def ways_in(answer: httpx.Response) -> dict[str, str]:
    """What leads to a change of the views: two links, and what a form sends."""
    found = re.search(r'<section class="panel" id="rows-views".*?</section>', answer.text, re.DOTALL)
    assert found is not None
    part = unescape(found.group())
    patterns = {
        "add": r'href="(/admin/views/add[^"]*)"',
        "edit": r'id="edit-[^"]*" href="([^"]*)"',
        "delete": r'name="state" value="([^"]*)"',
    }
    matches = {name: re.search(pattern, part) for name, pattern in patterns.items()}
    return {name: match.group(1) for name, match in matches.items() if match}


async def role(sql: Any, name: str, permissions: list[str]) -> str:
    """A role with these permissions, and that to enter."""
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2) ON CONFLICT DO NOTHING",
        f"views-{name}", ["admin.enter", *permissions],
    )  # fmt: skip
    return f"views-{name}"


def back_to(house: dict[str, Any]) -> str:
    return f"{house['path']}#rows-views"


async def test_a_row_below_is_added_and_leads_back(visitor: Visitor, house: dict[str, Any]) -> None:
    address = ways_in(await visitor.get(house["path"]))["add"]
    form = await visitor.get(address)
    action = unescape(re.findall(r'<form method="post" action="([^"]*)" class="form', form.text)[0])
    sent = form_of(form, action)
    assert sent["project_id"] == [house["project"]]

    answer = await visitor.send(action, **sent | {"name": ["Attic"]})

    assert answer.headers["location"] == back_to(house)
    assert "View Attic added." in await visitor.follow(answer)


async def test_a_row_below_is_changed_and_leads_back(visitor: Visitor, house: dict[str, Any], sql: Any) -> None:
    address = ways_in(await visitor.get(house["path"]))["edit"]
    form = await visitor.get(address)
    assert f'href="{back_to(house)}">Cancel' in form.text

    answer = await visitor.send(address, **form_of(form, address) | {"name": ["Bath"]})

    assert answer.headers["location"] == back_to(house)
    assert "Bath" in await visitor.follow(answer)
    event = "SELECT actor_id, source FROM audit_events WHERE subject_id = $1 ORDER BY id DESC LIMIT 1"
    assert tuple(await sql.fetchrow(event, house["view"])) == (visitor.person.id, "admin")


async def test_a_row_below_that_somebody_else_changed_is_not_overwritten(
    visitor: Visitor, boss: Person, house: dict[str, Any]
) -> None:
    address = ways_in(await visitor.get(house["path"]))["edit"]
    sent = form_of(await visitor.get(address), address)
    api = f"/api/views/{house['view']}"
    (await boss.http.patch(api, json={"name": "Theirs"})).raise_for_status()

    answer = await visitor.send(address, **sent | {"name": ["Mine"]})

    assert answer.status_code == 409
    again = form_of(answer, address)
    saved = await visitor.send(address, **again)
    assert saved.headers["location"] == back_to(house)


async def test_a_row_below_is_deleted_after_a_question(visitor: Visitor, house: dict[str, Any], sql: Any) -> None:
    state = ways_in(await visitor.get(house["path"]))["delete"]
    asked = await visitor.send("/admin/views/act", on=f"delete {house['view']}", state=state)
    assert asked.status_code == 200 and "Kitchen" in text_of(asked)
    assert await sql.fetchval("SELECT count(*) FROM views") == 1

    answer = await visitor.send("/admin/views/act", **form_of(asked, "/admin/views/act"))

    assert answer.headers["location"] == back_to(house)
    assert await sql.fetchval("SELECT count(*) FROM views") == 0


async def test_a_row_below_that_somebody_else_changed_is_asked_about_again(
    visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any
) -> None:
    page = await visitor.get(house["path"])
    first = {"on": f"delete {house['view']}", "state": ways_in(page)["delete"], "_version": "1"}
    asked = form_of(await visitor.send("/admin/views/act", **first), "/admin/views/act")
    api = f"/api/views/{house['view']}"
    (await boss.http.patch(api, json={"name": "Theirs"})).raise_for_status()

    again = await visitor.send("/admin/views/act", **asked)

    assert again.status_code == 409
    assert "Another user has changed this row." in text_of(again) and "Theirs" in text_of(again)
    assert await sql.fetchval("SELECT count(*) FROM views") == 1
    answer = await visitor.send("/admin/views/act", **form_of(again, "/admin/views/act"))
    assert answer.headers["location"] == back_to(house)
    assert await sql.fetchval("SELECT count(*) FROM views") == 0


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
async def test_only_what_one_may_do_is_offered(
    entering: Entering, world: World, house: dict[str, Any], sql: Any, verb: str
) -> None:
    permissions = ["projects.view", "projects.all", "views.view", "views.all", f"views.{verb}"]
    person = await world.person("ada", await role(sql, verb, permissions))
    visitor = await entering(person)

    found = ways_in(await visitor.get(house["path"]))

    assert set(found) == {{"change": "edit"}.get(verb, verb)}
    if verb != "change":
        answer = await visitor.send(f"/admin/views/{house['view']}", name="Mine", _version="1")
        assert answer.status_code == 403
    if verb != "delete":
        answer = await visitor.send("/admin/views/act", on=f"delete {house['view']}", confirmed="1")
        assert answer.status_code == 403


async def test_the_way_back_leads_nowhere_else(visitor: Visitor, house: dict[str, Any]) -> None:
    path = f"/admin/views/{house['view']}?_list=_back%3Dhttps%253A%252F%252Fexample.com%252F"
    page = await visitor.get(path)

    assert 'href="https://example.com' not in page.text
    assert 'href="/admin">Cancel' in page.text
