"""Tabs of a row's page, and fields that apply only while another has some value; with scripts and without."""

from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person


async def test_a_tab_is_opened_by_keyboard_and_stays_open_for_the_next_row(lively: Window, boss: Person) -> None:
    one, other = await boss.add("One"), await boss.add("Other")
    await boss.http.post(f"/api/tasks/{one['id']}/comments", json={"text": "Call first."})
    page = await lively.go(f"/admin/tasks/{one['id']}")
    tabs = page.get_by_role("navigation", name="Sections")
    await expect(tabs.get_by_role("link", name="Task", exact=True)).to_have_attribute("aria-current", "true")
    await expect(page.get_by_role("heading", name="Comments")).to_be_hidden()

    await tabs.get_by_role("link", name="Comments 1").press("Enter")

    await expect(page.get_by_role("heading", name="Comments")).to_be_visible()
    await expect(page.get_by_label("Title", exact=True)).to_be_hidden()
    assert await lively.violations_in_both_themes() == []
    await page.goto(f"/admin/tasks/{other['id']}")
    await expect(page.get_by_role("heading", name="Comments")).to_be_visible()


async def test_an_error_opens_its_tab_and_an_address_the_tab_of_a_field(lively: Window, boss: Person) -> None:
    task = await boss.add("One")
    lively.expected.add(422)
    page = await lively.go(f"/admin/tasks/{task['id']}")
    await page.get_by_label("Due", exact=True).fill("some day")
    await page.get_by_role("link", name="Comments 0").click()

    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.locator("#field-due-error")).to_be_visible()
    await page.get_by_role("link", name="Comments 0").click()
    await page.locator("#problem a").click()
    await expect(page.get_by_label("Due", exact=True)).to_be_visible()


async def test_without_scripts_all_tabs_are_shown(plain: Window, boss: Person) -> None:
    task = await boss.add("One")
    page = await plain.go(f"/admin/tasks/{task['id']}")

    await page.get_by_role("navigation", name="Sections").get_by_role("link", name="Comments").click()

    await expect(page.get_by_role("heading", name="Comments")).to_be_in_viewport()
    await expect(page.get_by_label("Title", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="Recurrence")).to_have_count(0)


async def test_a_field_is_shown_only_while_it_applies(lively: Window, boss: Person) -> None:
    page = await lively.go("/admin/tasks/add")
    await page.get_by_label("Title").fill("Moved house")
    await expect(page.get_by_label("Completed at")).to_be_hidden()

    await page.get_by_label("Status").select_option("done")
    await page.get_by_label("Completed at").fill("2020-02-03T04:05")
    await page.get_by_label("Status").select_option("open")
    await expect(page.get_by_label("Completed at")).to_be_hidden()
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.locator(".flash-done")).to_have_text("Task Moved house added.")


async def test_without_scripts_every_field_is_shown(plain: Window, boss: Person) -> None:
    page = await plain.go("/admin/tasks/add")

    await expect(page.get_by_label("Completed at")).to_be_visible()


async def test_what_does_not_apply_to_a_row_is_not_among_its_facts(page: Page, boss: Person) -> None:
    day = {"kind": "day", "date": "2031-01-31"}
    task = await boss.add("Rent", due=day, recurrence={"rrule": "FREQ=MONTHLY"})
    await page.goto(f"/admin/series/{task['series_id']}")

    await expect(page.locator(".facts dt", has_text="Kind")).to_be_visible()
    await expect(page.locator(".facts dt", has_text="Expire after seconds")).to_have_count(0)
