"""Going places: the palette, the search over everything, the keyboard."""

import re

from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person


async def test_the_palette_finds_rows_by_keyboard_alone(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    page = await lively.go("/admin")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("plants")
    await expect(page.get_by_role("option", name="Water the plants")).to_have_attribute("aria-selected", "true")
    assert await lively.violations_in_both_themes() == []

    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1)).to_have_text("Water the plants")


async def test_the_palette_goes_to_places(lively: Window) -> None:
    page = await lively.go("/admin")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("add task")
    await expect(page.get_by_role("option", name="Add task")).to_be_visible()

    await page.keyboard.press("Enter")

    await expect(page).to_have_url(re.compile("/admin/tasks/add$"))


async def test_the_palette_takes_a_whole_title(lively: Window, boss: Person) -> None:
    await boss.add("Plans for the new garden behind the house")
    page = await lively.go("/admin")
    await page.keyboard.press("Control+k")
    await page.locator("#palette-q").fill("plans for the new garden behind the house")

    option = page.get_by_role("option", name="Plans for the new garden behind the house")
    await expect(option).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#palette-found h1")).to_have_count(0)


async def test_a_request_that_is_refused_puts_no_page_into_the_palette(lively: Window) -> None:
    lively.expected.add(422)
    page = await lively.go("/admin")
    await page.route(
        "**/admin/palette*", lambda route: route.continue_(url=f"{route.request.url.split('?')[0]}?nonsense=1")
    )
    await page.keyboard.press("Control+k")

    await expect(page.locator("#palette [data-said]")).to_contain_text("There is no such parameter.")
    await expect(page.locator("#palette-found > *")).to_have_count(0)


async def test_escape_closes_the_palette(lively: Window) -> None:
    page = await lively.go("/admin")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()

    await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_the_search_over_everything_works_without_the_palette(page: Page, boss: Person) -> None:
    await boss.add("Water the plants")
    await page.goto("/admin/search?q=plants")

    await page.get_by_role("link", name="Water the plants").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Water the plants")


async def test_rows_are_walked_and_selected_by_keys(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    await boss.add("Pay the rent")
    page = await lively.go("/admin/tasks?sort=created_at")

    for key in ("j", "j", "x"):
        await page.keyboard.press(key)

    await expect(page.get_by_role("checkbox", name="Select Pay the rent")).to_be_checked()
    await expect(page.get_by_text("1 selected")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Pay the rent")


async def test_the_first_tab_leads_past_the_menus(page: Page) -> None:
    await page.goto("/admin/tasks")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()

    await page.keyboard.press("Enter")

    await expect(page).to_have_url(re.compile("#main$"))


async def test_the_menu_of_a_phone_opens_and_closes(phone: Window) -> None:
    page = await phone.go("/admin/tasks")

    await page.get_by_role("link", name="Menu", exact=True).click()
    await expect(page.get_by_role("link", name="Users")).to_be_visible()
    await page.get_by_role("link", name="Close menu").click()

    await expect(page.get_by_role("link", name="Users")).to_be_hidden()
