"""Working through a list, before a real browser: the place in the list is kept, and keys lead on."""

import re

from playwright.async_api import Locator, Page, expect
from support.browser import Window
from support.factories import Person


async def many(boss: Person) -> None:
    for number in range(30):
        await boss.add(f"Task {number:02}", priority=number % 2)


async def test_saving_leads_back_to_the_row_in_its_list(window: Window, boss: Person) -> None:
    await many(boss)
    page = await window.go("/admin/tasks?sort=created_at&q=Task")
    await page.get_by_role("link", name="Task 25", exact=True).click()
    await page.get_by_label("Title").fill("Task 25, changed")

    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page).to_have_url(re.compile(r"/admin/tasks\?q=Task&sort=created_at#row-"))
    await expect(page.get_by_role("link", name="Task 25, changed", exact=True)).to_be_in_viewport()


async def test_the_scroll_position_and_the_focus_are_kept(lively: Window, boss: Person) -> None:
    await many(boss)
    page = await lively.go("/admin/tasks?sort=created_at")
    row = page.get_by_role("link", name="Task 20", exact=True)
    await row.scroll_into_view_if_needed()
    before = await page.evaluate("window.scrollY")
    await row.click()

    await page.get_by_role("link", name="Cancel").click()

    await expect(row).to_be_focused()
    assert await page.evaluate("window.scrollY") == before > 0


async def test_a_queue_is_worked_through_by_keys(lively: Window, boss: Person) -> None:
    await many(boss)
    page = await lively.go("/admin/tasks?sort=created_at&priority=1")
    await page.get_by_role("link", name="Task 01", exact=True).click()
    await expect(heading(page)).to_have_text("Task 01")

    await page.keyboard.press("j")
    await expect(heading(page)).to_have_text("Task 03")
    await page.keyboard.press("k")
    await expect(heading(page)).to_have_text("Task 01")
    await page.get_by_label("Notes").fill("Done today")
    await page.keyboard.press("Control+Enter")

    await expect(page.get_by_text("Task Task 01 saved.")).to_be_visible()
    await expect(heading(page)).to_have_text("Task 03")


async def test_pages_lead_forwards_and_back(page: Page, boss: Person) -> None:
    await many(boss)
    await page.goto("/admin/tasks?sort=created_at")
    await page.get_by_label("Rows per page").get_by_role("link", name="25").click()
    await expect(page.locator("tr[data-row]")).to_have_count(25)
    await page.get_by_role("link", name="Next page").click()
    await expect(page.locator("tr[data-row]")).to_have_count(5)

    await page.get_by_role("link", name="Previous page").click()

    await expect(page.locator("tr[data-row] .row-link").first).to_have_text("Task 00")
    await expect(page.get_by_role("link", name="Previous page")).to_have_count(0)


async def test_a_heading_sorts_by_title(page: Page, boss: Person) -> None:
    for title in ("Beta", "Alpha"):
        await boss.add(title)
    await page.goto("/admin/tasks")

    await page.get_by_role("link", name="Title", exact=True).click()

    await expect(page.locator("tr[data-row] .row-link")).to_have_text(["Alpha", "Beta"])


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)
