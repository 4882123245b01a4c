"""A row and the lines of its form are saved in one transaction, or not at all; nothing typed is lost."""

from typing import Any

import httpx
import pytest
from pages.conftest import Entering
from support.factories import Person, World
from support.pages import Visitor, form_of, text_of

MARK = "-sections"


@pytest.fixture
async def house(boss: Person) -> dict[str, Any]:
    """A project with three sections."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    api = f"/api/projects/{project['id']}/sections"
    ids = [(await boss.http.post(api, json={"name": name})).json()["id"] for name in ("Attic", "Bath", "Cellar")]
    return {
        "page": f"/admin/projects/{project['id']}",
        "project": f"/api/projects/{project['id']}",
        "api": api,
        "ids": ids,
    }


async def sections(boss: Person, house: dict[str, Any]) -> list[str]:
    """Their names, in their order."""
    return [one["name"] for one in (await boss.http.get(house["api"])).json()["items"]]


async def opened(visitor: Visitor, house: dict[str, Any]) -> dict[str, list[str]]:
    return form_of(await visitor.get(house["page"]), house["page"])


def line(name: str, place: int) -> str:
    return f"{name}{MARK}-{place}"


async def test_a_row_is_saved_with_its_lines(visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any) -> None:
    form = await opened(visitor, house)
    assert (form[f"_count{MARK}"], form[line("name", 1)]) == (["5"], ["Bath"])
    typed = {"name": ["Mansion"], line("name", 1): ["Bathroom"], line("name", 3): ["Den"], line("_delete", 2): ["1"]}

    answer = await visitor.send(house["page"], **form | typed)

    assert "Project Mansion saved." in await visitor.follow(answer)
    assert await sections(boss, house) == ["Attic", "Bathroom", "Den"]
    found = await sql.fetch("SELECT action, source FROM audit_events WHERE source = 'admin' ORDER BY action")
    actions = [row["action"] for row in found if row["action"].split(".")[0] in {"projects", "sections"}]
    assert actions == ["projects.change", "sections.add", "sections.change", "sections.delete"]


@pytest.mark.parametrize(
    "typed", [{line("name", 1): ["x" * 1000], "name": ["Mansion"]}, {line("name", 1): ["Bathroom"], "name": [""]}]
)
async def test_what_is_refused_anywhere_saves_nothing(
    visitor: Visitor, boss: Person, house: dict[str, Any], typed: dict[str, list[str]]
) -> None:
    form = await opened(visitor, house) | {line("name", 3): ["Den"], "description": ["Half written"]} | typed

    answer = await visitor.send(house["page"], **form)

    assert answer.status_code == 422
    again = form_of(answer, house["page"])
    assert {name: again[name] for name in [*typed, line("name", 3), "description"]} == {
        **typed, line("name", 3): ["Den"], "description": ["Half written"],
    }  # fmt: skip
    assert await sections(boss, house) == ["Attic", "Bath", "Cellar"]
    assert (await boss.http.get(house["project"])).json()["name"] == "House"
    fixed = again | {line("name", 1): ["Bathroom"], "name": ["Mansion"]}
    assert (await visitor.send(house["page"], **fixed)).status_code == 303
    assert await sections(boss, house) == ["Attic", "Bathroom", "Cellar", "Den"]


async def test_lines_are_saved_when_somebody_has_added_more_than_a_form_shows(
    visitor: Visitor, boss: Person, house: dict[str, Any]
) -> None:
    form = await opened(visitor, house)
    for number in range(48):
        (await boss.http.post(house["api"], json={"name": f"Room {number}"})).raise_for_status()
    typed = form | {"name": ["Mansion"], line("name", 1): ["x" * 1000]}

    refused = await visitor.send(house["page"], **typed)
    saved = await visitor.send(house["page"], **typed | {line("name", 1): ["Bathroom"]})

    assert (refused.status_code, saved.status_code) == (422, 303)
    assert form_of(refused, house["page"])[line("name", 1)] == ["x" * 1000]
    assert (await sections(boss, house))[:4] == ["Attic", "Bathroom", "Cellar", "Room 0"]
    assert f"_count{MARK}" not in await opened(visitor, house)  # there is a list instead


async def test_both_errors_are_shown_at_once(visitor: Visitor, house: dict[str, Any]) -> None:
    form = await opened(visitor, house)

    answer = await visitor.send(house["page"], **form | {"name": [""], line("name", 1): ["x" * 1000]})

    assert answer.status_code == 422
    assert 'href="#field-name"' in answer.text and f'href="#cell-{line("name", 1)}"' in answer.text


async def test_a_line_that_somebody_else_changed_is_not_overwritten_unseen(
    visitor: Visitor, boss: Person, house: dict[str, Any]
) -> None:
    form = await opened(visitor, house)
    (await boss.http.patch(f"{house['api']}/{house['ids'][1]}", json={"name": "Theirs"})).raise_for_status()

    answer = await visitor.send(house["page"], **form | {"name": ["Mansion"], line("name", 1): ["Mine"]})

    assert answer.status_code == 422
    assert "Another user has changed this row." in text_of(answer) and "Name: Theirs" in text_of(answer)
    assert (await boss.http.get(house["project"])).json()["name"] == "House"
    assert (await visitor.send(house["page"], **form_of(answer, house["page"]))).status_code == 303
    assert await sections(boss, house) == ["Attic", "Mine", "Cellar"]


async def test_a_row_that_somebody_else_changed_keeps_the_lines(
    visitor: Visitor, boss: Person, house: dict[str, Any]
) -> None:
    form = await opened(visitor, house)
    (await boss.http.patch(house["project"], json={"name": "Theirs"})).raise_for_status()

    answer = await visitor.send(house["page"], **form | {"name": ["Mine"], line("name", 1): ["Bathroom"]})

    assert answer.status_code == 409
    assert await sections(boss, house) == ["Attic", "Bath", "Cellar"]
    assert (await visitor.send(house["page"], **form_of(answer, house["page"]))).status_code == 303
    assert await sections(boss, house) == ["Attic", "Bathroom", "Cellar"]
    assert (await boss.http.get(house["project"])).json()["name"] == "Mine"


async def test_lines_alone_do_not_ask_about_the_row(visitor: Visitor, boss: Person, house: dict[str, Any]) -> None:
    form = await opened(visitor, house)
    (await boss.http.patch(house["project"], json={"name": "Theirs"})).raise_for_status()

    answer = await visitor.send(house["page"], **form | {line("name", 1): ["Bathroom"]})

    assert answer.status_code == 303
    assert (await boss.http.get(house["project"])).json()["name"] == "Theirs"
    assert await sections(boss, house) == ["Attic", "Bathroom", "Cellar"]


async def test_lines_are_moved_without_scripts(visitor: Visitor, boss: Person, house: dict[str, Any], sql: Any) -> None:
    form = await opened(visitor, house) | {"description": ["Half written"], line("name", 3): ["Den"]}

    answer = await visitor.send(house["page"], **form | {"_move": ["sections 2 up"]})
    answer = await visitor.send(house["page"], **form_of(answer, house["page"]) | {"_move": ["sections 1 up"]})

    assert answer.status_code == 200
    assert await sql.fetchval("SELECT max(version) FROM sections") == 1
    moved = form_of(answer, house["page"])
    assert [moved[line("name", place)] for place in range(4)] == [["Cellar"], ["Attic"], ["Bath"], ["Den"]]
    await visitor.send(house["page"], **moved)
    assert await sections(boss, house) == ["Cellar", "Attic", "Bath", "Den"]
    assert (await boss.http.get(house["project"])).json()["description"] == "Half written"


async def test_two_people_order_the_lines_and_lose_nothing(
    visitor: Visitor, boss: Person, house: dict[str, Any]
) -> None:
    form = await opened(visitor, house)
    first = {"_place-sections": ["1", "0", "2", "3", "4"]}
    await visitor.send(house["page"], **form | first)
    assert await sections(boss, house) == ["Bath", "Attic", "Cellar"]

    answer = await visitor.send(house["page"], **form | {"_place-sections": ["0", "2", "1", "3", "4"]})

    assert answer.status_code == 422
    assert "Another user has changed this row." in text_of(answer)
    assert await sections(boss, house) == ["Bath", "Attic", "Cellar"]
    assert (await visitor.send(house["page"], **form_of(answer, house["page"]))).status_code == 303
    assert await sections(boss, house) == ["Attic", "Cellar", "Bath"]


async def test_more_lines_keep_what_was_typed(visitor: Visitor, boss: Person, house: dict[str, Any]) -> None:
    form = await opened(visitor, house) | {"name": ["Mansion"], line("name", 3): ["Den"], "_more": ["sections"]}

    again = form_of(await visitor.send(house["page"], **form), house["page"])

    assert (again["name"], again[f"_count{MARK}"], again[line("name", 3)]) == (["Mansion"], ["10"], ["Den"])
    await visitor.send(house["page"], **again | {line("name", 9): ["Garden"]})
    assert await sections(boss, house) == ["Attic", "Bath", "Cellar", "Den", "Garden"]


@pytest.mark.parametrize(
    "sent",
    [
        {f"_count{MARK}": "100000"}, {f"_count{MARK}": "000000000100000"}, {f"_count{MARK}": "x"},
        {line("_version", 1): "x", line("name", 1): "y"},
        {line("_id", 1): "x", line("name", 1): "y"}, {line("_was.position", 0): "x"},
    ],
)  # fmt: skip
async def test_what_no_form_sends_is_refused(
    visitor: Visitor, boss: Person, house: dict[str, Any], sent: dict[str, str]
) -> None:
    form = await opened(visitor, house)

    assert (await visitor.send(house["page"], **form | sent)).status_code == 422
    for odd in (
        {"_move": "sections 0 up", f"_count{MARK}": "0"},
        {"_move": "sections"},
        {"_move": "sections 9 up"},
        {"_move": "x"},
        {"_place-sections": ["9"]},
    ):
        assert (await visitor.send(house["page"], **form | odd)).status_code in {200, 303}
    assert await sections(boss, house) == ["Attic", "Bath", "Cellar"]


@pytest.mark.parametrize("verb", ["view", "add", "change", "delete"])
async def test_who_may_not_change_lines_sees_a_list(
    entering: Entering, world: World, boss: Person, house: dict[str, Any], sql: Any, verb: str
) -> None:
    permissions = [
        "admin.enter", "projects.view", "projects.all", "projects.change", "sections.view", f"sections.{verb}",
    ]  # fmt: skip
    await sql.execute(
        "INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), $1, $2) ON CONFLICT DO NOTHING",
        f"in-form-{verb}", permissions,
    )  # fmt: skip
    visitor = await entering(await world.person("ada", f"in-form-{verb}"))
    page: httpx.Response = await visitor.get(house["page"])
    form = form_of(page, house["page"])

    assert (f"_count{MARK}" in form) == (verb == "change")
    if verb == "change":
        assert form[f"_count{MARK}"] == ["3"] and line("_delete", 0) not in page.text
    sneaked = {f"_count{MARK}": "4", line("name", 3): "Sneaked", line("_was.name", 3): ""}
    sneaked |= {line("_id", 0): house["ids"][0], line("_version", 0): "1", line("_delete", 0): "1"}
    await visitor.send(house["page"], **form | sneaked)
    assert await sections(boss, house) == ["Attic", "Bath", "Cellar"]
