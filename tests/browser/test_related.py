"""Related rows in a dialog of the page that they belong to, before a real browser."""

from typing import Any

from playwright.async_api import expect
from support.browser import Window
from support.factories import Person


async def house(boss: Person) -> tuple[str, dict[str, Any]]:
    """The page of a project, and its view Kitchen."""
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    sent = {"name": "Kitchen", "project_id": project["id"]}
    view: dict[str, Any] = (await boss.http.post("/api/views", json=sent)).json()
    return f"/admin/projects/{project['id']}", view


async def test_a_row_below_is_changed_in_a_dialog_by_keyboard(lively: Window, boss: Person, sql: Any) -> None:
    lively.expected.add(422)
    path, view = await house(boss)
    page = await lively.go(path)
    await page.get_by_role("textbox", name="Description").fill("Half written")
    below = page.get_by_role("region", name="Views")
    await below.get_by_role("link", name="Edit Kitchen").press("Enter")
    dialog = page.get_by_role("dialog", name="Edit Kitchen")
    await expect(dialog.get_by_label("Name")).to_be_focused()
    assert await lively.violations_in_both_themes() == []

    await dialog.get_by_label("Name").fill("")
    await dialog.get_by_label("Name").press("Enter")
    await expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Name").fill("Bath")
    await dialog.get_by_label("Name").press("Control+Enter")

    await expect(dialog).to_be_hidden()
    await expect(below.get_by_role("link", name="Bath", exact=True)).to_be_visible()
    await expect(below.get_by_role("link", name="Edit Bath")).to_be_focused()
    await expect(page.get_by_text("View Bath saved.")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Description")).to_have_value("Half written")
    assert page.url.endswith(path)
    stored = "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND action = 'views.change'"
    assert await sql.fetchval(stored, view["id"]) == 1


async def test_a_row_below_that_somebody_else_changed_shows_three_versions(lively: Window, boss: Person) -> None:
    lively.expected.add(409)
    path, view = await house(boss)
    page = await lively.go(path)
    await page.get_by_role("link", name="Edit Kitchen").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Mine")
    (await boss.http.patch(f"/api/views/{view['id']}", json={"name": "Theirs"})).raise_for_status()
    await dialog.get_by_role("button", name="Save", exact=True).click()

    await expect(dialog.get_by_role("heading", name="Edit conflict")).to_be_visible()
    await expect(dialog.get_by_role("cell", name="Theirs")).to_be_visible()
    assert await lively.violations() == []
    await dialog.get_by_role("button", name="Save my version").click()

    await expect(page.get_by_role("link", name="Mine", exact=True)).to_be_visible()


async def test_a_row_below_that_somebody_else_deleted_is_added_again(lively: Window, boss: Person) -> None:
    lively.expected.add(404)
    path, view = await house(boss)
    page = await lively.go(path)
    await page.get_by_role("link", name="Edit Kitchen").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Mine")
    (await boss.http.delete(f"/api/views/{view['id']}")).raise_for_status()
    await dialog.get_by_role("button", name="Save", exact=True).click()

    await expect(dialog.get_by_text("Another user has deleted this row. Saving adds it again.")).to_be_visible()
    await expect(dialog.get_by_label("Name")).to_have_value("Mine")
    assert await lively.violations_in_both_themes() == []
    await dialog.get_by_role("button", name="Add", exact=True).click()

    await expect(page.get_by_role("link", name="Mine", exact=True)).to_be_visible()


async def test_rows_below_are_added_and_deleted_in_a_dialog(lively: Window, boss: Person) -> None:
    path, _ = await house(boss)
    page = await lively.go(path)
    below = page.get_by_role("region", name="Views")
    await below.get_by_role("link", name="Add view").press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Project")).to_have_value(path.rpartition("/")[2])
    await dialog.get_by_label("Name").fill("Attic")
    await dialog.get_by_label("Name").press("Enter")
    await expect(below.get_by_role("link", name="Attic", exact=True)).to_be_visible()
    await expect(below.get_by_role("link", name="Add view")).to_be_focused()

    await below.get_by_role("button", name="Delete Kitchen").press("Enter")
    await expect(dialog.get_by_text("This cannot be undone.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(below.get_by_role("button", name="Delete Kitchen")).to_be_focused()
    await page.keyboard.press("Enter")
    await dialog.get_by_role("button", name="Delete").click()

    await expect(dialog).to_be_hidden()
    await expect(below.get_by_role("link", name="Kitchen", exact=True)).to_have_count(0)
    await expect(below.get_by_role("link", name="Attic", exact=True)).to_be_visible()
    assert page.url.endswith(path)


async def test_a_row_below_is_changed_without_scripts(plain: Window, boss: Person) -> None:
    path, _ = await house(boss)
    page = await plain.go(path)
    await page.get_by_role("link", name="Edit Kitchen").click()
    await page.get_by_label("Name").fill("Bath")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("button", name="Delete Bath").click()
    await page.get_by_role("button", name="Delete", exact=True).click()

    assert page.url.endswith(f"{path}#rows-views")
    await expect(page.get_by_role("link", name="Bath", exact=True)).to_have_count(0)


async def test_the_row_that_a_field_refers_to_is_opened_in_a_dialog(lively: Window, boss: Person) -> None:
    path, _ = await house(boss)
    garden = (await boss.http.post("/api/projects", json={"name": "Garden", "parent_id": path.split("/")[-1]})).json()
    page = await lively.go(f"/admin/projects/{garden['id']}")
    await page.get_by_role("link", name="Open (Parent)").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("Mansion")
    await dialog.get_by_role("button", name="Save", exact=True).click()

    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("combobox", name="Parent")).to_have_value("Mansion")
    await expect(page.get_by_role("combobox", name="Parent")).to_be_focused()


async def test_several_rows_below_are_typed_by_keyboard_and_saved_together(
    lively: Window, boss: Person, sql: Any
) -> None:
    lively.expected.add(422)
    path, _ = await house(boss)
    await boss.http.post(f"{path.replace('admin', 'api', 1)}/sections", json={"name": "Kitchen"})
    page = await lively.go(f"{path}/rows/sections")
    await expect(page.get_by_role("heading", name="Sections of House")).to_be_visible()
    assert await lively.violations_in_both_themes() == []

    await page.get_by_label("Name, line 1").fill("Bath")
    await page.get_by_label("Name, line 1").press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Delete line 1")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Name, line 2")).to_be_focused()
    await page.keyboard.type("Cellar")
    await page.get_by_label("Position, line 3").fill("5")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("Line 3")
    await expect(page.get_by_label("Name, line 2")).to_have_value("Cellar")
    assert await lively.violations_in_both_themes() == []
    await page.get_by_label("Name, line 3").fill("Garden")
    await page.get_by_role("button", name="Save all").press("Enter")

    await expect(page.get_by_text("3 rows saved.")).to_be_visible()
    names = "SELECT array_agg(name ORDER BY name) FROM sections"
    assert await sql.fetchval(names) == ["Bath", "Cellar", "Garden"]
