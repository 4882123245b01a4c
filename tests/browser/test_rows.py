"""One row: its form, two people at once, what happened to it, what is done to it. With scripts and without."""

import re
from typing import Any

import asyncpg
from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import PASSWORD, Person, World


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).click()


async def reads(boss: Person, task: dict[str, Any]) -> dict[str, Any]:
    """The task as the API has it."""
    found: dict[str, Any] = (await boss.http.get(f"/api/tasks/{task['id']}")).json()
    return found


async def test_a_row_is_added(page: Page) -> None:
    await page.goto("/admin/tasks")
    await page.get_by_role("link", name="Add task").first.click()
    await page.get_by_label("Title").fill("Water the plants")
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.get_by_text("Task Water the plants added.")).to_be_visible()


async def test_a_row_is_changed(page: Page, boss: Person) -> None:
    task = await boss.add("Water the plants")
    await page.goto("/admin/tasks")
    await page.get_by_role("link", name="Water the plants", exact=True).click()
    await page.get_by_label("Title").fill("Water all the plants")
    await save(page)

    await expect(page.get_by_text("Task Water all the plants saved.")).to_be_visible()
    assert (await reads(boss, task))["title"] == "Water all the plants"


async def test_what_is_refused_is_reported_beside_its_field_and_nothing_is_lost(window: Window, boss: Person) -> None:
    task = await boss.add("Water the plants")
    window.expected.add(422)
    page = await window.go(f"/admin/tasks/{task['id']}")
    await page.get_by_label("Title").fill("Water all the plants")
    await page.get_by_label("Estimate minutes").fill("-1")
    await save(page)

    await expect(page.get_by_label("Estimate minutes")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#field-estimate_minutes-error")).to_be_visible()
    await expect(page.get_by_label("Title")).to_have_value("Water all the plants")
    assert (await reads(boss, task))["title"] == "Water the plants"


async def test_two_people_at_once_see_three_versions(window: Window, boss: Person) -> None:
    task = await boss.add("Water the plants", priority=0)
    window.expected.add(409)
    page = await window.go(f"/admin/tasks/{task['id']}")
    await page.get_by_label("Title").fill("Mine")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Theirs", "priority": 3})
    await save(page)

    title = page.get_by_role("row", name=re.compile("^Title"))
    await expect(title.get_by_role("cell").nth(0)).to_have_text("Water the plants")
    await expect(title.get_by_role("cell").nth(1)).to_have_text("Theirs")
    await expect(title.get_by_label("Title")).to_have_value("Mine")
    await page.get_by_role("button", name="Save my version").click()

    await expect(page.get_by_text("Task Mine saved.")).to_be_visible()
    saved = await reads(boss, task)
    assert (saved["title"], saved["priority"]) == ("Mine", 3)


async def test_a_refused_form_then_shows_three_versions_when_somebody_saved_meanwhile(
    window: Window, boss: Person
) -> None:
    task = await boss.add("Water the plants", notes="A spoonful.")
    window.expected |= {409, 422}
    page = await window.go(f"/admin/tasks/{task['id']}")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"notes": "A bucket."})
    await page.get_by_label("Title").fill("Water all the plants")
    await page.get_by_label("Due", exact=True).fill("31st")
    await save(page)
    await expect(page.locator("#field-due-error")).to_be_visible()

    await page.get_by_label("Due", exact=True).fill("2031-01-31")
    await save(page)

    await expect(page.get_by_role("heading", level=1)).to_have_text("Edit conflict")
    notes = page.get_by_role("row", name=re.compile("^Notes"))
    await expect(notes.get_by_role("cell").nth(0)).to_have_text("A spoonful.")
    await expect(notes.get_by_role("cell").nth(1)).to_have_text("A bucket.")
    await page.get_by_role("button", name="Save my version").click()
    await expect(page.get_by_text("Task Water all the plants saved.")).to_be_visible()
    assert (await reads(boss, task))["notes"] == "A bucket."


async def test_a_cell_that_somebody_else_changed_leads_to_the_three_versions(lively: Window, boss: Person) -> None:
    task = await boss.add("Water the plants", priority=1)
    lively.expected |= {409, 422}
    page = await lively.go("/admin/tasks")
    await page.get_by_role("link", name="Edit priority of Water the plants").click()
    await page.get_by_role("combobox", name="Priority").select_option("Urgent")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"priority": 2})
    await page.get_by_role("combobox", name="Priority").press("Enter")
    await page.get_by_role("button", name="Compare").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Edit conflict")
    priority = page.get_by_role("row", name=re.compile("^Priority"))
    await expect(priority.get_by_role("cell").nth(1)).to_have_text("Medium")
    await expect(priority.get_by_label("Priority")).to_have_value("4")


async def test_the_page_of_a_conflict_has_no_violation(lively: Window, boss: Person) -> None:
    task = await boss.add("Water the plants")
    lively.expected.add(409)
    page = await lively.go(f"/admin/tasks/{task['id']}")
    await page.get_by_label("Title").fill("Mine")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Theirs"})
    await save(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Edit conflict")

    assert await lively.violations_in_both_themes() == []


async def test_a_cell_is_changed_where_it_stands(lively: Window, boss: Person) -> None:
    task = await boss.add("Water the plants", priority=1)
    page = await lively.go("/admin/tasks")
    await page.get_by_role("link", name="Edit priority of Water the plants").click()
    await page.get_by_role("combobox", name="Priority").select_option("Urgent")
    await page.get_by_role("combobox", name="Priority").press("Enter")

    await expect(page.locator("td[data-label=Priority]")).to_have_text(re.compile("^Urgent"))
    assert (await reads(boss, task))["priority"] == 4


async def test_a_cell_that_is_refused_says_why_and_is_left_by_escape(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants", estimate_minutes=15)
    lively.expected.add(422)
    page = await lively.go("/admin/tasks?columns=title,estimate_minutes")
    await page.get_by_role("link", name="Edit estimate minutes of Water the plants").click()
    await page.get_by_role("spinbutton", name="Estimate minutes").fill("-1")
    await page.get_by_role("spinbutton", name="Estimate minutes").press("Enter")
    await expect(page.locator("td[data-label='Estimate minutes'] .error")).to_be_visible()
    assert await lively.violations() == []

    await page.get_by_role("spinbutton", name="Estimate minutes").press("Escape")

    await expect(page.locator("td[data-label='Estimate minutes']")).to_have_text(re.compile("^15"))


async def test_a_change_is_undone_from_the_history(page: Page, boss: Person) -> None:
    task = await boss.add("Water the plants")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Dry the plants"})
    await page.goto(f"/admin/tasks/{task['id']}")
    await page.get_by_role("link", name="History", exact=True).click()
    await expect(page.locator(".change").first.locator("del")).to_contain_text("Water the plants")

    await page.get_by_role("button", name="Undo this change").first.click()

    await expect(page.get_by_text("The change was reverted.")).to_be_visible()
    assert (await reads(boss, task))["title"] == "Water the plants"


async def test_a_row_is_duplicated(page: Page, boss: Person) -> None:
    task = await boss.add("Water the plants", priority=2)
    await page.goto(f"/admin/tasks/{task['id']}")
    await page.get_by_role("link", name="Duplicate").click()
    await page.get_by_label("Title").fill("Water the plants again")
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.locator("tr[data-row]")).to_have_count(2)


async def test_an_action_of_a_row(page: Page, boss: Person) -> None:
    task = await boss.add("Water the plants")
    await page.goto(f"/admin/tasks/{task['id']}")

    await page.get_by_role("button", name="Complete", exact=True).click()

    await expect(page.get_by_role("button", name="Reopen", exact=True)).to_be_visible()
    assert (await reads(boss, task))["status"] == "done"


async def test_a_dangerous_action_with_a_form_asks_who_one_is(
    window: Window, world: World, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ada = await world.person("ada")
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '11 minutes'")
    window.expected.add(403)
    page = await window.go(f"/admin/users/{ada.id}")
    await page.locator("summary", has_text="More actions").click()
    await page.get_by_role("button", name="Add role").click()
    await page.get_by_label("Role").fill("admin")
    await page.get_by_label("Reason").fill("She helps")
    await page.get_by_role("button", name="Add role").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your identity")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Continue").click()

    await expect(page.get_by_role("heading", level=1)).to_contain_text("ada@example.com")
    given = "SELECT name FROM roles JOIN user_roles ON roles.id = role_id WHERE user_id = $1"
    assert "admin" in [row["name"] for row in await sql.fetch(given, ada.id)]


async def test_a_form_that_was_begun_is_not_left_by_accident(lively: Window, boss: Person) -> None:
    task = await boss.add("Water the plants")
    page = await lively.go(f"/admin/tasks/{task['id']}")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.dismiss())[1])
    await page.get_by_label("Title").fill("Mine")

    await page.get_by_role("link", name="Cancel").click()

    await expect(page.get_by_label("Title")).to_have_value("Mine")
    assert dialogs == ["beforeunload"]


async def test_a_task_says_why_it_does_not_come_up(page: Page, boss: Person) -> None:
    due = {"kind": "day", "date": "2031-01-31"}
    task = await boss.add(due=due, recurrence={"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"})
    blocker = await boss.add("Buy a can")
    await boss.http.post(f"/api/tasks/{task['id']}/dependencies", json={"blocker_id": blocker["id"]})
    await page.goto("/admin/tasks?q=plants")
    await page.get_by_role("link", name="Water the plants", exact=True).click()
    await page.get_by_role("link", name="Why?").click()

    kept_back = page.get_by_role("region", name="What keeps it back")
    await expect(kept_back.get_by_role("link", name="Waits for Buy a can")).to_be_visible()
    await expect(page.get_by_role("region", name="What holds now")).to_contain_text("Every month on the 31st")
    coming = page.get_by_role("region", name="Timeline").locator(".is-coming")
    await expect(coming.filter(has_text="Occurrence 2031-02-28 is to open")).to_be_visible()
    await page.get_by_role("link", name="Back to task").click()
    await page.locator(".crumbs").get_by_role("link", name="Tasks").click()
    await expect(page).to_have_url(re.compile("q=plants"))


async def test_a_series_says_why_it_does_not_come_up(page: Page, boss: Person) -> None:
    due = {"kind": "day", "date": "2031-01-31"}
    task = await boss.add(due=due, recurrence={"rrule": "FREQ=DAILY"})
    await boss.http.post(f"/api/series/{task['series_id']}/pause", json={})
    await page.goto(f"/admin/series/{task['series_id']}")
    await page.get_by_role("link", name="Why?").click()

    await expect(page.get_by_role("region", name="What keeps it back")).to_contain_text("The series is paused")


async def test_a_row_is_shown_as_of_a_time(page: Page, boss: Person, sql: Any) -> None:
    task = await boss.add("Water the plants")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Dry the plants"})
    await sql.execute("UPDATE audit_events SET at = at - interval '2 days' WHERE action = 'tasks.add'")
    then = await sql.fetchval("SELECT to_char(now() - interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI')")
    await page.goto(f"/admin/tasks/{task['id']}/history")
    await page.get_by_label("Show it as of").fill(then)
    await page.get_by_role("button", name="Show", exact=True).click()

    since = page.get_by_role("region", name="Changed since")
    await expect(since.locator("del").first).to_contain_text("Water the plants")
    await expect(page.get_by_role("region", name="All fields then")).to_contain_text("Water the plants")
