"""The filters beside a list, which can be hidden; on a phone they are a drawer."""

from browser.conftest import PHONE, Opening
from playwright.async_api import Page, expect
from support.factories import Person


async def test_hidden_filters_leave_the_whole_width(page: Page, boss: Person) -> None:
    await page.goto("/admin/tasks?status=open&status=waiting")
    button = page.get_by_role("button", name="Filters 1 active")
    await expect(button).to_have_attribute("aria-expanded", "true")
    narrow = await page.locator(".rows").evaluate("one => one.clientWidth")

    await button.focus()
    await page.keyboard.press("Enter")

    await expect(page.locator("#filters")).to_be_hidden()
    await expect(button).to_have_attribute("aria-expanded", "false")
    assert await page.locator(".rows").evaluate("one => one.clientWidth") > narrow + 150
    await expect(page.locator(".chip")).to_have_count(2)


async def test_filters_stay_hidden_on_every_list_until_they_are_shown(page: Page, boss: Person) -> None:
    await page.goto("/admin/tasks")
    async with page.expect_response(lambda answer: answer.url.endswith("/admin/filters")):
        await page.get_by_role("button", name="Filters").click()

    await page.goto("/admin/users")
    await expect(page.locator("#filters")).to_be_hidden()
    await page.get_by_role("button", name="Filters").click()

    await expect(page.locator("#filters")).to_be_visible()


async def test_a_phone_has_the_filters_in_a_drawer(opening: Opening, boss: Person) -> None:
    page = (await opening(boss, viewport=PHONE)).page
    await page.goto("/admin/tasks")
    await expect(page.locator("#filters")).to_be_hidden()

    await page.get_by_role("link", name="Filters", exact=True).press("Enter")
    await expect(page.locator("#filters")).to_be_visible()
    await page.get_by_role("link", name="Close filters").click()

    await expect(page.locator("#filters")).to_be_hidden()
