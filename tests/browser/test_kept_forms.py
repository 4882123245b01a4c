"""A session that ends while a form is open, before a real browser."""

from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import PASSWORD, Person


async def sign_in(page: Page, boss: Person) -> None:
    await page.get_by_label("E-mail").fill(boss.email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_form_goes_on_after_the_sign_in(window: Window, boss: Person) -> None:
    window.expected.add(401)
    page = await window.go("/admin/tasks/add")
    await page.get_by_label("Title").fill("Water the plants")
    await window.context.clear_cookies()

    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("What you entered is kept.")).to_be_visible()
    await sign_in(page, boss)
    await expect(page.get_by_text("Nothing has been saved yet")).to_be_visible()
    await page.get_by_role("button", name="Send the form").click()

    await expect(page.locator("tr[data-row]")).to_contain_text("Water the plants")


async def test_a_cell_goes_on_after_the_sign_in(lively: Window, boss: Person) -> None:
    task = await boss.add("Water the plants", priority=1)
    lively.expected.add(401)
    page = await lively.go("/admin/tasks")
    await page.get_by_role("link", name="Edit priority of Water the plants").click()
    await page.get_by_role("combobox", name="Priority").select_option("Urgent")
    await lively.context.clear_cookies()

    await page.get_by_role("combobox", name="Priority").press("Enter")
    await expect(page.get_by_text("What you entered is kept.")).to_be_visible()
    assert await lively.violations_in_both_themes() == []
    await sign_in(page, boss)
    await expect(page.get_by_role("button", name="Send the form")).to_be_focused()
    assert await lively.violations_in_both_themes() == []
    await page.get_by_role("button", name="Send the form").click()

    await expect(page.locator("td[data-label=Priority]")).to_contain_text("Urgent")
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["priority"] == 4


async def test_another_theme_does_not_lose_a_form(lively: Window, boss: Person) -> None:
    page = await lively.go("/admin/tasks/add")
    page.on("dialog", lambda dialog: dialog.dismiss())
    await page.get_by_label("Title").fill("Mine")

    await page.get_by_role("button", name="Theme: System").click()

    await expect(page.get_by_label("Title")).to_have_value("Mine")
