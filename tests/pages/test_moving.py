"""Rows below a row are put into another order: each with its version and its event, by several people at once."""

import asyncio
import re
from html import unescape
from typing import Any

import httpx
import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, text_of

NAMES = ("Attic", "Bath", "Cellar", "Den")


@pytest.fixture
async def house(boss: Person) -> dict[str, Any]:
    """A project with four views, none of which has a position of its own."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    api, project_id = "/api/views", project["id"]
    sent = [{"name": name, "project_id": project_id} for name in NAMES]
    ids = [(await boss.http.post(api, json=one)).json()["id"] for one in sent]
    page = f"/admin/projects/{project_id}"
    return {
        "page": page,
        "api": api,
        "project": project_id,
        "order": f"{page}/rows/views/order",
        **dict(zip(NAMES, ids, strict=True)),
    }


def button(page: httpx.Response, label: str) -> str:
    """What a button of the page sends."""
    found = re.search(rf'name="move" value="([^"]*)"[^>]*>(?:(?!</button>).)*{label}', page.text, re.DOTALL)
    assert found is not None, label
    return unescape(found.group(1))


async def order(boss: Person, house: dict[str, Any]) -> str:
    """The first letters of the views, as everybody sees them."""
    found = (await boss.http.get(house["api"], params={"project_id": house["project"]})).json()["items"]
    return "".join(one["name"][0] for one in found)


def moved(house: dict[str, Any], name: str, step: str, past: str) -> str:
    """What a button says of the first order."""
    ids = ["-", *(house[one] for one in NAMES), "-"]
    place = ids.index(house[name])
    return f"{ids[place]} {ids[place - 1]} {ids[place + 1]} {step} {house[past]}"


async def test_a_row_is_moved_by_its_buttons(visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any) -> None:
    page = await visitor.get(house["page"])

    answer = await visitor.send(house["order"], move=button(page, "Move Cellar up"))

    assert answer.headers["location"] == f"{house['page']}#rows-views"
    assert "Cellar moved to place 2 of 4." in await visitor.follow(answer)
    assert await order(boss, house) == "ACBD"
    await sql.execute("DELETE FROM audit_events")
    page = await visitor.get(house["page"])
    await visitor.send(house["order"], move=button(page, "Move Attic down"))
    assert await order(boss, house) == "CABD"
    events = await sql.fetch("SELECT subject_id, action, actor_id, before, after FROM audit_events")
    assert {str(row["subject_id"]) for row in events} == {house["Attic"], house["Cellar"]}  # no other row changes
    assert {(row["action"], row["actor_id"]) for row in events} == {("views.change", visitor.person.id)}


async def test_rows_at_the_ends_go_no_further(visitor: Visitor, house: dict[str, Any]) -> None:
    page = await visitor.get(house["page"])

    for label in ("Move Attic up", "Move Den down"):
        assert re.search(rf'type="button" aria-disabled="true">(?:(?!</button>).)*{label}', page.text, re.DOTALL)


async def test_two_people_move_rows_at_once_and_lose_nothing(
    visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any
) -> None:
    wanted = [moved(house, "Den", "up", "Attic"), moved(house, "Bath", "down", "Cellar")]

    answers = await asyncio.gather(*(visitor.send(house["order"], move=one) for one in wanted))

    assert [answer.status_code for answer in answers] == [303, 303]
    assert await order(boss, house) == "DACB"
    assert await sql.fetchval("SELECT count(DISTINCT position) FROM views") == 4
    events = await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'views.change'")
    assert await sql.fetchval("SELECT sum(version - 1) FROM views") == events


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (("Den", "up", "Attic"), ("Den", "up", "Bath"), "DABC"),  # the same row
        (("Bath", "down", "Den"), ("Bath", "up", "Attic"), "ACDB"),
        (("Attic", "down", "Den"), ("Bath", "up", "Attic"), "BCDA"),  # what the row came after
    ],
)
async def test_what_another_one_moved_is_not_moved_unseen(
    visitor: Visitor, boss: Person, house: dict[str, Any], first: Any, second: Any, left: str
) -> None:
    await visitor.send(house["order"], move=moved(house, *first))

    answer = await visitor.send(house["order"], move=moved(house, *second))

    assert "Another user has changed the order. It is shown as it is now: move the row again." in (
        await visitor.follow(answer)
    )
    assert await order(boss, house) == left


@pytest.mark.parametrize("gone", ["Bath", "Den"])
async def test_a_row_that_is_gone_is_said(visitor: Visitor, boss: Person, house: dict[str, Any], gone: str) -> None:
    (await boss.http.delete(f"{house['api']}/{house[gone]}")).raise_for_status()

    answer = await visitor.send(house["order"], move=moved(house, "Den", "up", "Bath"))

    assert "Another user has changed the order." in await visitor.follow(answer)
    assert await order(boss, house) == "".join(name[0] for name in NAMES if name != gone)


@pytest.mark.parametrize("move", ["", "x", "x y z a", "x - - up -", "- - - up -"])
async def test_what_no_button_sends_is_refused(visitor: Visitor, house: dict[str, Any], move: str) -> None:
    assert (await visitor.send(house["order"], move=move)).status_code in {404, 422}
    for path in ("tasks", "nothing", "users"):
        assert (await visitor.send(f"{house['page']}/rows/{path}/order", move=move)).status_code == 404


async def test_a_row_of_another_project_is_not_moved(visitor: Visitor, boss: Person, house: dict[str, Any]) -> None:
    other = (await boss.http.post("/api/projects", json={"name": "Garden"})).json()["id"]

    answer = await visitor.send(f"/admin/projects/{other}/rows/views/order", move=moved(house, "Attic", "down", "Bath"))

    assert "Another user has changed the order." in await visitor.follow(answer)
    assert await order(boss, house) == "ABCD"


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["projects.view", "projects.all", "views.view"], 403),
        (["projects.view", "views.view", "views.change"], 404),  # not a project of theirs
        (["projects.all", "views.view", "views.change"], 403),
    ],
)
async def test_only_who_may_change_rows_moves_them(
    entering: Entering, world: World, house: dict[str, Any], boss: Person, sql: Any, permissions: list[str], status: int
) -> None:
    role = f"moving-{'-'.join(permissions)}"
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2) ON CONFLICT DO NOTHING",
        role, ["admin.enter", *permissions],
    )  # fmt: skip
    visitor = await entering(await world.person("ada", role))

    answer = await visitor.send(house["order"], move=moved(house, "Den", "up", "Attic"))

    assert answer.status_code == status, text_of(answer)
    assert "Move Den up" not in (await visitor.get(house["page"])).text
    assert await order(boss, house) == "ABCD"
