"""A session that ends while a form is open, before a real browser."""

import re
from typing import Any

import pytest
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
    page = await lively.go("/admin/tasks?q=water")
    await page.get_by_role("link", name="Edit priority of Water the plants").click()
    await page.get_by_role("combobox", name="Priority").select_option("Urgent")
    await lively.context.clear_cookies()

    await page.get_by_role("combobox", name="Priority").press("Enter")
    await expect(page.get_by_text("What you entered is kept.")).to_be_visible()
    assert await lively.violations_in_both_themes() == []
    await sign_in(page, boss)
    await expect(page.get_by_role("button", name="Send the form")).to_be_focused()
    await expect(page.get_by_role("definition")).to_have_text("Urgent")
    assert await lively.violations_in_both_themes() == []
    await page.get_by_role("button", name="Send the form").click()

    await expect(page.locator("td[data-label=Priority]")).to_contain_text("Urgent")
    await expect(page).to_have_url(re.compile(r"/admin/tasks\?q=water#row-"))
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["priority"] == 4


async def test_another_theme_does_not_lose_a_form(lively: Window, boss: Person) -> None:
    page = await lively.go("/admin/tasks/add")
    page.on("dialog", lambda dialog: dialog.dismiss())
    await page.get_by_label("Title").fill("Mine")

    await page.get_by_role("button", name="Theme: System").click()

    await expect(page.get_by_label("Title")).to_have_value("Mine")


@pytest.mark.parametrize("where", ["picker", "palette", "preview"])
async def test_a_key_in_a_picker_or_the_palette_does_not_take_the_form_away(
    lively: Window, boss: Person, where: str
) -> None:
    lively.expected.add(401)
    page = await lively.go("/admin/tasks/add")
    await page.get_by_label("Title").fill("Water the plants")
    await lively.context.clear_cookies()

    if where == "picker":
        await page.get_by_role("combobox", name="Project").press_sequentially("gar")
    elif where == "palette":
        await page.keyboard.press("Control+k")
        await page.keyboard.type("garden")
    else:
        await page.get_by_role("button", name="Preview (Notes)").click()
    said = page.get_by_role("dialog" if where == "palette" else "main").get_by_role("status")
    await expect(said).to_contain_text("Your session has ended.")
    assert await lively.violations_in_both_themes() == []
    if where == "palette":
        await page.keyboard.press("Escape")
    await page.get_by_role("combobox", name="Project").fill("")
    await expect(page.get_by_label("Title")).to_have_value("Water the plants")
    await page.get_by_role("button", name="Add", exact=True).click()
    await sign_in(page, boss)
    await page.get_by_role("button", name="Send the form").click()

    await expect(page.locator("tr[data-row]")).to_contain_text("Water the plants")


async def test_a_link_within_a_list_leads_to_the_sign_in_and_then_where_it_leads(lively: Window, boss: Person) -> None:
    lively.expected.add(401)
    await boss.add("Water the plants")
    page = await lively.go("/admin/tasks?q=water")
    await lively.context.clear_cookies()

    await page.get_by_role("link", name="Title", exact=True).click()
    await sign_in(page, boss)

    await expect(page).to_have_url(re.compile(r"/admin/tasks\?q=water&sort=title$"))


async def test_a_dialog_keeps_its_text_while_one_signs_in_in_another_tab(
    lively: Window, boss: Person, sql: Any
) -> None:
    lively.expected |= {401, 403}
    page = await lively.go("/admin/tasks/add")
    await page.get_by_label("Title").fill("Water the plants")
    await page.get_by_role("link", name="Add one (Project)").click()
    dialog = page.get_by_role("dialog", name="Add one (Project)")
    name = dialog.get_by_role("textbox", name="Name *")
    await name.fill("Garden")
    await lively.context.clear_cookies()

    await name.press("Enter")
    await expect(dialog.get_by_role("status")).to_contain_text("Your session has ended.")
    await expect(name).to_have_value("Garden")
    assert await lively.violations_in_both_themes() == []
    async with lively.context.expect_page() as opened:
        await dialog.get_by_role("link", name="Sign in again in a new tab").click()
    await sign_in(await opened.value, boss)
    await expect((await opened.value).get_by_role("heading", name="Dashboard")).to_be_visible()
    await name.press("Enter")
    await expect(dialog.get_by_role("status")).to_contain_text("Nothing has been saved yet")
    assert await sql.fetchval("SELECT count(*) FROM projects WHERE name = 'Garden'") == 0
    await name.press("Enter")

    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("combobox", name="Project")).to_have_value("Garden")
    await expect(page.get_by_label("Title")).to_have_value("Water the plants")


async def test_rows_below_in_a_dialog_keep_their_text_too(lively: Window, boss: Person) -> None:
    lively.expected.add(401)
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    page = await lively.go(f"/admin/projects/{project['id']}")
    await page.get_by_role("textbox", name="Description").fill("Half written")
    await page.get_by_role("region", name="Views").get_by_role("link", name="Add view").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Attic")
    await lively.context.clear_cookies()

    await dialog.get_by_label("Name").press("Enter")

    await expect(dialog.get_by_role("status")).to_contain_text("Your session has ended.")
    await expect(dialog.get_by_label("Name")).to_have_value("Attic")
    await expect(page.get_by_role("textbox", name="Description")).to_have_value("Half written")


@pytest.mark.parametrize("place", ["page", "dialog"])
async def test_what_was_typed_is_saved_with_the_restore_of_its_row(lively: Window, boss: Person, place: str) -> None:
    lively.expected.add(409)
    project = (await boss.http.post("/api/projects", json={"name": "Garden"})).json()
    task = await boss.add("Water", project_id=project["id"])
    page = await lively.go(f"/admin/tasks/{task['id']}" if place == "page" else f"/admin/projects/{project['id']}")
    if place == "dialog":
        await page.get_by_role("link", name="Edit Water").click()
    form = page.get_by_role("main" if place == "page" else "dialog")
    await form.get_by_label("Title").fill("Water all")
    (await boss.http.delete(f"/api/tasks/{task['id']}")).raise_for_status()

    await form.get_by_role("button", name="Save", exact=True).click()
    await expect(form.get_by_text("Another user has moved this row to the trash.")).to_be_visible()
    await expect(form.get_by_label("Title")).to_have_value("Water all")
    assert await lively.violations_in_both_themes() == []
    await form.get_by_role("button", name="Restore and save").click()

    await expect(page.get_by_text("Task Water all saved.")).to_be_visible()
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["title"] == "Water all"
