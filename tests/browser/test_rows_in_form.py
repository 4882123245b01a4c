"""Lines of a row's form: typed, moved and deleted there, and saved with the row."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect
from support.browser import Window
from support.factories import Person


@pytest.fixture
async def path(boss: Person) -> str:
    """The page of a project with three sections."""
    project: dict[str, Any] = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    for name in ("Attic", "Bath", "Cellar"):
        await boss.http.post(f"/api/projects/{project['id']}/sections", json={"name": name})
    return f"/admin/projects/{project['id']}"


def cell(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Name, line {number}", exact=True)


async def names(sql: Any) -> list[str]:
    return [row["name"] for row in await sql.fetch("SELECT name FROM sections ORDER BY position, id")]


async def test_lines_are_typed_and_moved_by_keyboard(lively: Window, path: str, sql: Any) -> None:
    lively.expected.add(422)
    page = await lively.go(path)
    assert await lively.violations_in_both_themes() == []
    await page.get_by_label("Name", exact=True).fill("Mansion")
    await cell(page, 2).fill("")
    await cell(page, 4).fill("Den")
    await cell(page, 4).press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("Line 2")
    assert await lively.violations_in_both_themes() == []
    await cell(page, 2).fill("Bathroom")
    await page.get_by_role("button", name="Move line 2 up").press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Now line 1. Save to keep this order.")
    await expect(page.get_by_role("button", name="Move line 1 up")).to_be_focused()
    await expect(cell(page, 1)).to_have_value("Bathroom")
    await page.get_by_label("Delete line 2").check()
    assert await names(sql) == ["Attic", "Bath", "Cellar"]
    await cell(page, 1).press("Enter")

    await expect(page.get_by_text("Project Mansion saved.")).to_be_visible()
    assert await names(sql) == ["Bathroom", "Cellar", "Den"]


async def test_lines_are_dragged_and_saved_with_the_row(lively: Window, path: str, sql: Any) -> None:
    page = await lively.go(path)
    await cell(page, 3).fill("Cave")
    grips = page.locator("#rows-sections [data-grip]")
    await grips.nth(2).scroll_into_view_if_needed()
    boxes = [await grips.nth(place).bounding_box() for place in (2, 0)]
    (x, y, _, height), (_, top, _, _) = (tuple(box.values()) for box in boxes if box)
    await page.mouse.move(x + 5, y + height / 2)
    await page.mouse.down()
    await page.mouse.move(x + 5, top + 5, steps=4)
    await page.mouse.up()

    await expect(cell(page, 1)).to_have_value("Cave")
    await page.get_by_role("button", name="Save and continue editing").click()
    await expect(page.get_by_text("Project House saved.")).to_be_visible()
    await expect(cell(page, 1)).to_have_value("Cave")
    assert await names(sql) == ["Cave", "Attic", "Bath"]


async def test_lines_are_moved_and_saved_without_scripts(plain: Window, path: str, sql: Any) -> None:
    page = await plain.go(path)
    await page.get_by_label("Name", exact=True).fill("Mansion")
    await page.get_by_role("button", name="Move line 3 up").click()
    await page.get_by_role("button", name="More lines").click()
    await cell(page, 10).fill("Den")
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_text("Project Mansion saved.")).to_be_visible()
    assert await names(sql) == ["Attic", "Cellar", "Bath", "Den"]
