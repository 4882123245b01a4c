"""The pages in another language, and from right to left."""

import pytest
from browser.conftest import Opening
from browser.test_everywhere import OWN, found_on
from playwright.async_api import expect
from support.browser import Window
from support.factories import Person

PAGES = [*OWN, "/admin/tasks", "/admin/tasks/add", "/admin/series", "/admin/users", "/admin/audit", "/admin/health"]
ENDS = """() => {
  const side = document.querySelector("#nav").getBoundingClientRect();
  return [side.left > innerWidth / 2, document.documentElement.scrollWidth <= innerWidth];
}"""


async def test_a_language_is_chosen_in_the_account_menu(lively: Window) -> None:
    await lively.go("/admin/tasks")
    await lively.page.locator(".account summary").click()
    await lively.page.get_by_role("button", name="Deutsch").click()

    await expect(lively.page.get_by_role("heading", level=1)).to_have_text("Aufgaben")
    assert await found_on(lively, PAGES) == {}


async def test_a_selection_is_counted_in_the_language(lively: Window, boss: Person) -> None:
    await boss.add("Miete")
    await lively.context.set_extra_http_headers({"Accept-Language": "de"})
    await lively.go("/admin/tasks")

    await lively.page.locator('tbody [name="id"]').first.check()

    await expect(lively.page.locator("[data-count]")).to_have_text("1 ausgewählt")


@pytest.mark.parametrize("path", PAGES)
async def test_from_right_to_left_the_page_is_mirrored(opening: Opening, boss: Person, path: str) -> None:
    window = await opening(boss)
    await window.go(path)
    await window.page.evaluate("document.documentElement.dir = 'rtl'")

    assert await window.page.evaluate(ENDS) == [True, True]
