"""The page that adds a row, with lines for the rows below it."""

from typing import Any

from playwright.async_api import Locator, Page, expect
from support.browser import Window
from support.factories import Person

ADD = "/admin/projects/add"


def cell(page: Page, number: int) -> Locator:
    return page.get_by_label(f"Name, line {number}", exact=True)


async def names(sql: Any) -> list[str]:
    return [row["name"] for row in await sql.fetch("SELECT name FROM sections ORDER BY position, id")]


async def test_a_row_is_added_with_its_lines_by_keyboard(lively: Window, sql: Any) -> None:
    lively.expected.add(422)
    page = await lively.go(ADD)
    assert await lively.violations_in_both_themes() == []
    await page.get_by_label("Name *", exact=True).fill("House")
    await cell(page, 1).fill("Bath")
    await cell(page, 2).fill("Attic")
    await page.get_by_label("Parent", exact=True).fill("No such project")
    await cell(page, 2).press("Enter")

    await expect(page.get_by_role("alert")).to_be_visible()
    assert await lively.violations_in_both_themes() == []
    assert await names(sql) == []
    await page.get_by_label("Parent", exact=True).fill("")
    await page.get_by_role("button", name="Move line 2 up").press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Now line 1. Save to keep this order.")
    await page.get_by_role("button", name="Save and add another").press("Enter")

    await expect(page.get_by_text("Project House added.")).to_be_visible()
    await expect(cell(page, 1)).to_have_value("")
    assert await names(sql) == ["Attic", "Bath"]


async def test_errors_are_shown_at_the_line(lively: Window, sql: Any) -> None:
    lively.expected.add(422)
    page = await lively.go(ADD)
    await page.get_by_label("Name *", exact=True).fill("House")
    await cell(page, 2).evaluate("(box) => box.removeAttribute('maxlength')")
    await cell(page, 2).fill("x" * 1000)
    await page.get_by_role("button", name="Add", exact=True).click()

    await page.get_by_role("alert").get_by_role("link", name="Line 2").press("Enter")
    await expect(cell(page, 2)).to_be_focused()
    await expect(cell(page, 2)).to_have_attribute("aria-invalid", "true")
    assert await lively.violations_in_both_themes() == []
    await cell(page, 2).fill("Bath")
    await cell(page, 2).press("Enter")
    await expect(page.get_by_text("Project House added.")).to_be_visible()
    assert await names(sql) == ["Bath"]


async def test_a_row_is_added_with_its_lines_without_scripts(plain: Window, sql: Any) -> None:
    page = await plain.go(ADD)
    await page.get_by_label("Name *", exact=True).fill("House")
    await cell(page, 2).fill("Attic")
    await page.get_by_role("button", name="Move line 2 up").click()
    await page.get_by_role("button", name="More lines").click()
    await cell(page, 7).fill("Bath")
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.get_by_text("Project House added.")).to_be_visible()
    assert await names(sql) == ["Attic", "Bath"]


async def test_a_row_is_duplicated_with_its_lines(window: Window, boss: Person, sql: Any) -> None:
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    await boss.http.post(f"/api/projects/{project['id']}/sections", json={"name": "Attic"})
    page = await window.go(f"/admin/projects/{project['id']}")
    await page.get_by_role("link", name="Duplicate").click()

    await expect(cell(page, 1)).to_have_value("Attic")
    await page.get_by_label("Name *", exact=True).fill("Barn")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("Project Barn added.")).to_be_visible()
    assert await names(sql) == ["Attic", "Attic"]


async def test_a_related_row_is_added_with_its_lines_in_a_dialog(lively: Window, boss: Person, sql: Any) -> None:
    page = await lively.go(ADD)
    await cell(page, 1).fill("Behind")
    await page.get_by_role("link", name="Add one (Parent)").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name *", exact=True).fill("Village")
    await dialog.get_by_label("Name, line 1", exact=True).fill("Roads")
    assert await lively.violations_in_both_themes() == []
    await dialog.get_by_role("button", name="Add", exact=True).click()

    await expect(dialog).to_be_hidden()
    await expect(page.get_by_label("Parent", exact=True)).to_have_value("Village")
    await expect(cell(page, 1)).to_have_value("Behind")
    assert await names(sql) == ["Roads"]
