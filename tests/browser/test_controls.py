"""Controls: the panel of filters with one button, and the picker of permissions."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person
from support.sharing import project, share


async def test_what_is_typed_in_the_filters_applies_at_once(page: Page, boss: Person) -> None:
    for title, priority in (("Water", 1), ("Rent", 3), ("Call", 4)):
        await boss.add(title, priority=priority)
    await page.goto("/admin/tasks?status=open&sort=created_at")
    filters = page.locator("#filters")

    await filters.get_by_label("From Priority").fill("3")
    await filters.get_by_label("From Created at").fill("2020-01-01")
    await expect(filters.get_by_role("button")).to_have_count(1)
    await filters.get_by_role("button", name="Apply").click()

    await expect(page.locator("tr[data-row] .row-link")).to_have_text(["Rent", "Call"])
    await expect(page.locator(".chip")).to_have_count(3)
    await page.get_by_label("From Priority").fill("")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("tr[data-row] .row-link")).to_have_text(["Water", "Rent", "Call"])
    await expect(page).to_have_url(re.compile("status=open"))


@pytest.fixture
async def no_role(sql: Any) -> AsyncIterator[None]:
    """Roles outlive a test, unless it deletes its own."""
    yield
    await sql.execute("DELETE FROM roles WHERE name = 'keeper'")


@pytest.mark.usefixtures("no_role")
async def test_permissions_are_picked_from_groups(window: Window, boss: Person) -> None:
    page = await window.go("/admin/roles/add")
    await page.get_by_label("Name").fill("keeper")
    await page.get_by_label("tasks.view", exact=True).check()
    await page.get_by_label("users.view", exact=True).check()

    await page.get_by_role("button", name="Add", exact=True).click()

    await page.get_by_role("link", name="keeper").click()
    await expect(page.get_by_label("users.view", exact=True)).to_be_checked()
    await page.get_by_label("users.view", exact=True).uncheck()
    await page.get_by_role("button", name="Save", exact=True).click()
    roles = (await boss.http.get("/api/admin/roles?q=keeper")).json()["items"]
    assert [role["permissions"] for role in roles] == [["tasks.view"]]


async def test_the_picker_is_searched_and_counts(lively: Window) -> None:
    page = await lively.go("/admin/roles/add")
    assert await lively.violations_in_both_themes() == []

    await page.get_by_label("Search permissions").fill("audit.v")
    await expect(page.get_by_label("tasks.view", exact=True)).to_be_hidden()
    await page.get_by_label("audit.view", exact=True).check()

    await expect(page.get_by_text("1 selected")).to_be_visible()


async def test_a_due_is_picked_or_typed(lively: Window, boss: Person) -> None:
    task = await boss.add("Water")
    page = await lively.go(f"/admin/tasks/{task['id']}")
    pick = page.get_by_role("group", name="Pick Due")

    await pick.get_by_label("Day").fill("2031-01-31")
    await expect(page.get_by_label("Due", exact=True)).to_have_value("2031-01-31")
    await pick.get_by_label("Time", exact=True).fill("09:30")
    await pick.get_by_label("Time zone").select_option("UTC")
    await expect(page.get_by_label("Due", exact=True)).to_have_value("2031-01-31 09:30 UTC")
    await page.get_by_label("Due", exact=True).fill("2031-02-28 10:00 Europe/Berlin")
    await expect(pick.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_text("Task Water saved.")).to_be_visible()
    due = (await boss.http.get(f"/api/tasks/{task['id']}")).json()["due"]
    assert due == {"kind": "zoned", "at": "2031-02-28T10:00", "timezone": "Europe/Berlin"}


async def test_dates_of_filters_are_typed_in_iso_order_beside_a_calendar(lively: Window, boss: Person) -> None:
    await boss.add("Water")
    page = await lively.go("/admin/tasks")
    field = page.get_by_label("From Created at")

    await expect(field).to_have_attribute("placeholder", "YYYY-MM-DD")
    await expect(page.locator(".facet").filter(has=field).locator("input.calendar")).to_have_count(2)
    await page.locator(".facet").filter(has=field).locator("input.calendar").first.fill("2098-01-01")
    await expect(field).to_have_value("2098-01-01")
    await field.fill("2099-01-01")
    await page.locator("#filters").get_by_role("button", name="Apply").click()
    await expect(page.locator("tr[data-row]")).to_have_count(0)


async def test_a_priority_is_chosen_by_its_name(page: Page, boss: Person) -> None:
    task = await boss.add("Water")
    await page.goto(f"/admin/tasks/{task['id']}")
    options = page.get_by_label("Priority").locator("option")
    await expect(options).to_have_text(["None", "Low", "Medium", "High", "Urgent"])

    await page.get_by_label("Priority").select_option("Urgent")
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_text("Task Water saved.")).to_be_visible()
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["priority"] == 4


async def test_the_form_of_an_action_takes_a_person_by_address(
    window: Window, boss: Person, ada: Person, sql: Any
) -> None:
    house = await project(boss)
    await share(sql, house, ada.id)
    page = await window.go(f"/admin/projects/{house}")
    await (
        page.locator("summary", has_text="More actions").or_(page.get_by_role("button", name="Hand over")).first.click()
    )
    if not await page.get_by_label("User").count():
        await page.get_by_role("button", name="Hand over").click()
    await page.get_by_label("User").fill("ada@example.com")
    await page.get_by_role("button", name="Hand over").click()

    await expect(page.get_by_text("Hand over: 1 project.")).to_be_visible()
    assert await sql.fetchval("SELECT owner_id FROM projects WHERE name = 'House'") == ada.id


async def test_a_row_to_refer_to_is_added_in_a_dialog(lively: Window, boss: Person, sql: Any) -> None:
    lively.expected.add(422)
    page = await lively.go("/admin/sections/add")
    await page.get_by_role("link", name="Add one (Project)").click()
    dialog = page.get_by_role("dialog", name="Add")
    await expect(dialog.get_by_role("heading", name="Add project")).to_be_visible()
    await expect(dialog.locator("input:focus")).to_have_count(1)
    assert await lively.violations_in_both_themes() == []

    await dialog.get_by_label("Name *", exact=True).fill("Garden")
    await dialog.get_by_label("Owner").fill("nobody at all")
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(dialog.get_by_text("No row is called nobody at all.").first).to_be_visible()
    await dialog.get_by_label("Owner").fill(boss.email)
    await dialog.get_by_role("button", name="Add", exact=True).click()

    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("combobox", name="Project")).to_have_value("Garden")
    await expect(page.get_by_role("combobox", name="Project")).to_be_focused()
    await page.get_by_label("Name *", exact=True).fill("Beds")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("Section Beds added.")).to_be_visible()


async def test_without_scripts_it_is_added_on_a_page_of_its_own(plain: Window) -> None:
    page = await plain.go("/admin/sections/add")

    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Add one (Project)").click()

    assert (await opened.value).url.endswith("/admin/projects/add")


async def test_who_may_not_add_such_rows_is_not_offered_it(lively: Window) -> None:
    page = await lively.go("/admin/projects/add")

    await expect(page.get_by_label("Owner")).to_be_visible()
    await expect(page.get_by_role("link", name="Add one (Owner)")).to_have_count(0)


async def test_notes_are_looked_at_as_markdown_while_they_are_written(lively: Window, boss: Person) -> None:
    task = await boss.add("Water", notes="# Beds\n\n- peas\n- beans\n\nSee <https://garden.example>.")
    page = await lively.go(f"/admin/tasks/{task['id']}")
    notes, preview = page.get_by_label("Notes", exact=True), page.get_by_role("region", name="Preview", exact=True)
    toggle = page.get_by_role("button", name="Preview (Notes)")

    await notes.fill("# Beds\n\n- peas\n- **leeks**\n\n<b>no</b>")
    await toggle.press("Enter")

    await expect(preview.get_by_role("heading", name="Beds")).to_be_visible()
    await expect(preview.get_by_role("listitem")).to_have_text(["peas", "leeks"])
    await expect(preview).to_contain_text("<b>no</b>")
    await expect(notes).to_be_hidden()
    assert await lively.violations_in_both_themes() == []
    await toggle.click()
    await expect(notes).to_have_value("# Beds\n\n- peas\n- **leeks**\n\n<b>no</b>")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Task Water saved.")).to_be_visible()
    await boss.http.delete(f"/api/tasks/{task['id']}")
    page = await lively.go(f"/admin/tasks/{task['id']}")
    await expect(page.locator(".markdown").get_by_role("heading", name="Beds")).to_be_visible()


async def test_a_list_of_texts_has_a_field_for_each(lively: Window, boss: Person) -> None:
    task = await boss.add("Water", labels=["garden", "home"])
    page = await lively.go(f"/admin/tasks/{task['id']}")
    labels = page.get_by_role("group", name="Labels", exact=True)
    await expect(labels.get_by_role("textbox")).to_have_count(2)
    assert await lively.violations_in_both_themes() == []

    await labels.get_by_label("Labels 1", exact=True).press("Enter")
    await page.keyboard.type("summer")
    await labels.get_by_role("button", name="Remove (Labels 3)").click()
    await labels.get_by_role("button", name="Add an entry").press("Enter")
    await page.keyboard.type("north")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Backspace")
    await page.keyboard.type("-east")
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_text("Task Water saved.")).to_be_visible()
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["labels"] == ["garden", "summer", "north-east"]
