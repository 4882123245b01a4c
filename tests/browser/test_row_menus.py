"""The menu of each row of a list: by pointer, keyboard and finger, with scripts and without."""

import re
from typing import Any

from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person, World


async def test_an_action_of_a_row_comes_back_to_its_place_in_the_list(page: Page, boss: Person, sql: Any) -> None:
    for title in ("Water", "Rent", "Call"):
        await boss.add(title)
    await page.goto("/admin/tasks?status=open&sort=created_at")

    await page.get_by_role("button", name="Actions of Rent").click()
    await page.locator(".row-menu:popover-open").get_by_role("button", name="Complete", exact=True).click()

    await expect(page).to_have_url(re.compile(r"/admin/tasks\?status=open&sort=created_at#row-"))
    await expect(page.locator("tr[data-row] .row-link")).to_have_text(["Water", "Call"])
    assert await sql.fetchval("SELECT title FROM tasks WHERE status = 'done'") == "Rent"


async def test_a_dangerous_action_of_a_row_asks_first(page: Page, boss: Person) -> None:
    for title in ("Water", "Rent"):
        await boss.add(title)
    await page.goto("/admin/tasks?sort=created_at")

    await page.get_by_role("button", name="Actions of Water").click()
    await page.locator(".row-menu:popover-open").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="Move to the trash")).to_be_visible()
    await page.get_by_role("button", name="Delete").click()

    await expect(page).to_have_url(re.compile(r"/admin/tasks\?sort=created_at#row-"))
    await expect(page.locator("tr[data-row] .row-link")).to_have_text(["Rent"])


async def test_a_menu_is_operated_by_keyboard(page: Page, boss: Person) -> None:
    await boss.add("Water")
    await page.goto("/admin/tasks")
    opener = page.get_by_role("button", name="Actions of Water")

    await opener.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator(".row-menu a").first).to_be_focused()
    await page.keyboard.press("Escape")

    await expect(page.locator(".row-menu")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_a_menu_fits_on_a_phone(phone: Window, boss: Person) -> None:
    await boss.add("Water")
    page = await phone.go("/admin/tasks")

    await page.get_by_role("button", name="Actions of Water").tap()
    await page.locator(".row-menu").get_by_role("link", name="Duplicate").tap()

    await expect(page.get_by_label("Title")).to_have_value("Water")


async def test_a_menu_has_only_what_the_person_may_do(world: World, lively: Window, boss: Person, opening: Any) -> None:
    await boss.add("Water")
    page = await lively.go("/admin/tasks")
    await page.get_by_role("button", name="Actions of Water").click()
    await expect(page.locator(".row-menu").get_by_role("button", name="Reopen")).to_have_count(0)
    assert await lively.violations_in_both_themes() == []

    ada = await world.person("ada", "support")
    window = await opening(ada)
    page = await window.go("/admin/users")
    await page.get_by_role("button", name=re.compile("^Actions of ada")).click()
    menu = page.locator(".row-menu:popover-open")
    await expect(menu.get_by_role("link", name="Open")).to_be_visible()
    await expect(menu.get_by_role("button", name="Delete")).to_have_count(0)
