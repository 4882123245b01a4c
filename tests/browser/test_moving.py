"""Rows below a row are moved by dragging, by keyboard, by touch, and without scripts."""

from typing import Any

import pytest
from browser.conftest import Opening
from playwright.async_api import Locator, Page, expect
from support.browser import Window
from support.factories import Person

NAMES = ("Attic", "Bath", "Cellar")


@pytest.fixture
async def path(boss: Person) -> str:
    """The page of a project with three views."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    for name in NAMES:
        await boss.http.post("/api/views", json={"name": name, "project_id": project["id"]})
    return f"/admin/projects/{project['id']}"


def views(page: Page) -> Locator:
    return page.get_by_role("region", name="Views")


async def shows(page: Page, *names: str) -> None:
    await expect(views(page).get_by_role("rowheader")).to_have_text(list(names))


async def point(page: Page, name: str, inside: str = "") -> tuple[float, float]:
    """The middle of a row, or of a part of it."""
    row = views(page).get_by_role("row", name=name)
    await row.scroll_into_view_if_needed()
    box = await (row.locator(inside) if inside else row).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_a_row_is_moved_by_keyboard(lively: Window, path: str) -> None:
    page = await lively.go(path)
    await page.get_by_role("textbox", name="Description").fill("Half written")
    up, down = (views(page).get_by_role("button", name=f"Move Bath {way}") for way in ("up", "down"))
    assert await lively.violations_in_both_themes() == []

    await up.press("Enter")

    await shows(page, "Bath", "Attic", "Cellar")
    await expect(page.get_by_role("status")).to_have_text("Bath moved to place 1 of 3.")
    await expect(up).to_be_focused()
    await up.press("Enter")  # it is the first already
    await down.press("Enter")
    await shows(page, "Attic", "Bath", "Cellar")
    await expect(down).to_be_focused()
    await expect(page.get_by_role("textbox", name="Description")).to_have_value("Half written")


async def test_a_row_is_dragged(lively: Window, path: str, sql: Any) -> None:
    page = await lively.go(path)
    await page.get_by_role("textbox", name="Description").fill("Half written")
    await page.mouse.move(*await point(page, "Cellar", "[data-grip]"))
    await page.mouse.down()
    x, y = await point(page, "Attic")
    await page.mouse.move(x, y - 5, steps=4)
    await shows(page, "Cellar", "Attic", "Bath")
    await page.keyboard.press("Escape")
    await page.mouse.up()
    await shows(page, "Attic", "Bath", "Cellar")
    assert await sql.fetchval("SELECT max(version) FROM views") == 1

    await page.mouse.move(*await point(page, "Attic", "[data-grip]"))
    await page.mouse.down()
    x, y = await point(page, "Bath")
    await page.mouse.move(x, y + 5, steps=4)
    await page.mouse.up()

    await expect(page.get_by_role("status")).to_have_text("Attic moved to place 2 of 3.")
    await shows(page, "Bath", "Attic", "Cellar")
    await expect(page.get_by_role("textbox", name="Description")).to_have_value("Half written")
    assert await sql.fetch("SELECT name FROM views ORDER BY position") == [("Bath",), ("Attic",), ("Cellar",)]


async def test_a_row_is_dragged_by_touch(opening: Opening, boss: Person, path: str) -> None:
    window = await opening(boss, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = await window.go(path)
    fingers = await page.context.new_cdp_session(page)

    async def touch(kind: str, *at: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in at]
        await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = await point(page, "Cellar", "[data-grip]")
    _, top = await point(page, "Attic")
    await touch("touchStart", (x, y))
    for part in range(1, 9):
        await touch("touchMove", (x, y + (top - 5 - y) * part / 8))
    await touch("touchEnd")

    await expect(page.get_by_role("status")).to_have_text("Cellar moved to place 1 of 3.")
    await shows(page, "Cellar", "Attic", "Bath")


async def test_what_another_one_moved_is_shown(lively: Window, boss: Person, path: str, sql: Any) -> None:
    page = await lively.go(path)
    await sql.execute("UPDATE views SET position = CASE name WHEN 'Cellar' THEN 0 ELSE 1 END")
    up = views(page).get_by_role("button", name="Move Bath up")

    await up.press("Enter")

    await expect(page.get_by_role("status")).to_contain_text("Another user has changed the order.")
    await shows(page, "Cellar", "Attic", "Bath")
    await up.press("Enter")
    await shows(page, "Cellar", "Bath", "Attic")


async def test_a_row_is_moved_without_scripts(plain: Window, path: str) -> None:
    page = await plain.go(path)
    await expect(page.locator("[data-grip]").first).to_be_hidden()

    await views(page).get_by_role("button", name="Move Bath down").click()

    await shows(page, "Attic", "Cellar", "Bath")
    await expect(page.get_by_role("status")).to_have_text("Bath moved to place 3 of 3.")
