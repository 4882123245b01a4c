"""The filters beside a list, which can be hidden; on a phone they are a drawer."""

import pytest
from browser.conftest import PHONE, Opening
from playwright.async_api import Page, expect
from support.browser import Window
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


@pytest.mark.parametrize(
    ("label", "typed", "message"),
    [
        ("From Priority", "abc", "Priority: Use a number, or `from..to`."),
        ("From Created at", "blub", "Created at: Use a day, a month, a year"),
        ("Owner", "nobody", "Owner: No row is called nobody."),
    ],
)
async def test_a_wrong_value_leaves_the_panel_and_says_what_is_wrong(
    window: Window, boss: Person, label: str, typed: str, message: str
) -> None:
    await boss.add("Water the plants")
    window.expected.add(422)
    page = await window.go("/admin/tasks?status=open")

    field = page.locator("#filters").get_by_label(label, exact=True).and_(page.locator("input"))
    await field.fill(typed)
    await page.get_by_role("button", name="Apply").click()

    await expect(page.get_by_role("alert")).to_contain_text(message)
    await expect(field).to_have_value(typed)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator(".chip")).to_have_count(2)

    await field.fill("")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator(".row-link", has_text="Water the plants")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_search_of_six_words_keeps_the_list(page: Page, boss: Person) -> None:
    await boss.add("Plans for the new garden behind the house")
    await page.goto("/admin/tasks")

    await page.get_by_role("searchbox", name="Search tasks").fill("plans for the new garden behind the river")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("Only the first 5 words are searched for.")).to_be_visible()
    await expect(page.locator(".row-link")).to_have_text("Plans for the new garden behind the house")
