"""Several rows below a row in one form: saved together or not at all, each with its version; nothing typed is lost."""

import re
from typing import Any

import httpx
import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, form_of, text_of


@pytest.fixture
async def house(boss: Person) -> dict[str, Any]:
    """A project with two sections."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    api = f"/api/projects/{project['id']}/sections"
    ids = [(await boss.http.post(api, json={"name": name})).json()["id"] for name in ("Kitchen", "Attic")]
    page = f"/admin/projects/{project['id']}"
    return {"id": project["id"], "page": page, "at": f"{page}/rows/sections", "api": api, "ids": ids}


async def sections(sql: Any) -> list[str]:
    return [row["name"] for row in await sql.fetch("SELECT name FROM sections ORDER BY name")]


def place_of(form: dict[str, list[str]], row_id: str) -> int:
    """The line of a row."""
    return next(int(name.rpartition("-")[2]) for name, texts in form.items() if texts == [row_id] and "_id-" in name)


def form_in(answer: httpx.Response, house: dict[str, Any]) -> dict[str, list[str]]:
    action = re.findall(r'<form method="post" action="([^"]*/rows/sections[^"]*)"', answer.text)[0]
    return form_of(answer, action)


async def test_rows_are_added_and_changed_together(visitor: Visitor, house: dict[str, Any], sql: Any) -> None:
    page = await visitor.get(house["page"])
    assert f'href="{house["at"].replace("sections", "views")}"' in page.text  # sections are lines of its form
    form = form_in(await visitor.get(house["at"]), house)
    kitchen = place_of(form, house["ids"][0])
    assert form["_count"] == ["7"]
    typed = {f"name-{kitchen}": ["Bath"], "name-2": ["Cellar"], "name-6": ["Garden"]}

    answer = await visitor.send(house["at"], **form | typed)

    assert answer.headers["location"] == f"{house['page']}#rows-sections"
    assert "3 rows saved." in await visitor.follow(answer)
    assert await sections(sql) == ["Attic", "Bath", "Cellar", "Garden"]
    events = await sql.fetch("SELECT action, source FROM audit_events WHERE subject = 'sections' AND source = 'admin'")
    assert sorted(row["action"] for row in events) == ["sections.add", "sections.add", "sections.change"]
    versions = dict(await sql.fetch("SELECT name, version FROM sections"))
    assert (versions["Attic"], versions["Bath"]) == (1, 2)


async def test_a_refused_row_keeps_all_of_them(visitor: Visitor, house: dict[str, Any], sql: Any) -> None:
    form = form_in(await visitor.get(house["at"]), house)
    kitchen = place_of(form, house["ids"][0])
    typed = {f"name-{kitchen}": ["Bath"], "name-3": ["Cellar"], "position-4": ["x"], "name-5": ["y" * 1000]}

    answer = await visitor.send(house["at"], **form | typed)

    assert answer.status_code == 422
    text = text_of(answer)
    assert "Line 5" in text and "Line 6" in text and "Line 4:" not in text
    assert await sections(sql) == ["Attic", "Kitchen"]
    again = form_in(answer, house)
    assert (again[f"name-{kitchen}"], again["name-3"], again["name-5"]) == (["Bath"], ["Cellar"], ["y" * 1000])
    fixed = {"position-4": ["0"], "name-5": ["Garden"]}
    assert (await visitor.send(house["at"], **again | fixed)).status_code == 303
    assert await sections(sql) == ["Attic", "Bath", "Cellar", "Garden"]


async def test_a_row_that_somebody_else_changed_is_not_overwritten_unseen(
    visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any
) -> None:
    form = form_in(await visitor.get(house["at"]), house)
    kitchen, attic = (place_of(form, row_id) for row_id in house["ids"])
    (await boss.http.patch(f"{house['api']}/{house['ids'][0]}", json={"name": "Theirs"})).raise_for_status()
    typed = {f"name-{kitchen}": ["Mine"], f"name-{attic}": ["Loft"]}

    answer = await visitor.send(house["at"], **form | typed)

    assert answer.status_code == 422
    assert "Another user has changed this row." in text_of(answer) and "Name: Theirs" in text_of(answer)
    assert await sections(sql) == ["Attic", "Theirs"]
    again = form_in(answer, house)
    assert (again[f"name-{kitchen}"], again[f"_was.name-{kitchen}"]) == (["Mine"], ["Theirs"])
    assert (await visitor.send(house["at"], **again)).status_code == 303
    assert await sections(sql) == ["Loft", "Mine"]


async def test_what_somebody_else_changed_stays_where_nothing_was_typed(
    visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any
) -> None:
    form = form_in(await visitor.get(house["at"]), house)
    attic = place_of(form, house["ids"][1])
    (await boss.http.patch(f"{house['api']}/{house['ids'][0]}", json={"name": "Theirs"})).raise_for_status()

    answer = await visitor.send(house["at"], **form | {f"name-{attic}": ["Loft"]})

    assert answer.status_code == 303
    assert await sections(sql) == ["Loft", "Theirs"]


async def test_a_row_that_somebody_else_deleted_is_not_lost(
    visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any
) -> None:
    form = form_in(await visitor.get(house["at"]), house)
    kitchen = place_of(form, house["ids"][0])
    (await boss.http.delete(f"{house['api']}/{house['ids'][0]}")).raise_for_status()

    answer = await visitor.send(house["at"], **form | {f"name-{kitchen}": ["Bath"]})

    assert answer.status_code == 422
    assert "Another user has deleted this row. Saving adds it again." in text_of(answer)
    assert (await visitor.send(house["at"], **form_in(answer, house))).status_code == 303
    assert await sections(sql) == ["Attic", "Bath"]


async def test_more_lines_keep_what_was_typed(visitor: Visitor, house: dict[str, Any], sql: Any) -> None:
    form = form_in(await visitor.get(house["at"]), house)

    answer = await visitor.send(house["at"], **form | {"name-2": ["Cellar"], "_more": "1"})

    again = form_in(answer, house)
    assert (answer.status_code, again["_count"], again["name-2"]) == (200, ["12"], ["Cellar"])
    assert (await visitor.send(house["at"], **again | {"name-11": ["Garden"]})).status_code == 303
    assert await sections(sql) == ["Attic", "Cellar", "Garden", "Kitchen"]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("rows/nothing", {"_count": "1"}, 404), ("rows/users", {"_count": "1"}, 404),
        ("rows/sections", {}, 422), ("rows/sections", {"_count": "100000"}, 422),
        ("rows/sections", {"_count": "x"}, 422),
        ("rows/sections", {"_count": "1", "_id-0": "x", "name-0": "a", "_version-0": "1"}, 422),
        ("rows/sections", {"_count": "1", "_id-0": "x", "name-0": "a"}, 422),
    ],
)  # fmt: skip
async def test_what_no_form_sends_is_refused(
    visitor: Visitor, house: dict[str, Any], path: str, fields: dict[str, str], status: int
) -> None:
    assert (await visitor.send(f"{house['page']}/{path}", **fields)).status_code == status


@pytest.mark.parametrize("verb", ["add", "change", "none"])
async def test_only_what_one_may_do_is_offered(
    entering: Entering, world: World, house: dict[str, Any], sql: Any, verb: str
) -> None:
    permissions = ["admin.enter", "projects.view", "projects.all", "sections.view", "sections.all", f"sections.{verb}"]
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2) ON CONFLICT DO NOTHING",
        f"several-{verb}", permissions,
    )  # fmt: skip
    visitor = await entering(await world.person("ada", f"several-{verb}"))

    page = await visitor.get(house["at"])

    if verb == "none":
        assert page.status_code == 404
        assert house["at"] not in (await visitor.get(house["page"])).text
        return
    form = form_in(page, house)
    assert form["_count"] == [{"add": "5", "change": "2"}[verb]]
    sneaked = {"_count": "1", "name-0": "Sneaked", "_was.name-0": ""}
    sneaked |= {} if verb == "change" else {"_id-0": house["ids"][0], "_version-0": "1"}
    await visitor.send(house["at"], **sneaked)
    assert await sections(sql) == ["Attic", "Kitchen"]


async def test_a_row_of_somebody_else_is_not_there(
    entering: Entering, world: World, house: dict[str, Any], sql: Any
) -> None:
    permissions = ["admin.enter", "projects.view", "sections.view", "sections.add", "sections.change"]
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), 'several-own', $1) ON CONFLICT DO NOTHING", permissions,
    )  # fmt: skip
    visitor = await entering(await world.person("ada", "several-own"))

    assert (await visitor.get(house["at"])).status_code == 404
    assert (await visitor.send(house["at"], _count="1")).status_code == 404
