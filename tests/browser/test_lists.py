"""Lists: what finds something in them, what is done to many rows, files out and in; with scripts and without."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.async_api import FilePayload, Page, expect
from support.browser import Window
from support.factories import Person, World

from todo.access import worker_origin
from todo.admin.runs import carry_out
from todo.database import Database
from todo.domain.accounts.services.authentication import actor_of
from todo.modules import REGISTRY


async def three_tasks(boss: Person) -> None:
    await boss.add("Water the plants", priority=1)
    await boss.add("Pay the rent", priority=3)
    done = await boss.add("Call the dentist", priority=3)
    await boss.http.post(f"/api/tasks/{done['id']}/complete")


async def expect_rows(page: Page, *titles: str) -> None:
    """Exactly these, in this order."""
    await expect(page.locator("tr[data-row] .row-link")).to_have_text(list(titles))


async def test_a_facet_narrows_the_list_and_counts(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?sort=created_at")
    done = page.get_by_label("Filters").get_by_role("link", name=re.compile("^Done"))
    await expect(done.locator(".count")).to_have_text("1")

    await done.click()

    await expect_rows(page, "Call the dentist")
    await expect(page).to_have_url(re.compile("status=done"))
    await expect(page.locator(".chip")).to_contain_text("Done")


async def test_a_chip_takes_its_filter_away(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?sort=created_at&status=done")

    await page.locator(".chip").click()

    await expect_rows(page, "Water the plants", "Pay the rent", "Call the dentist")


async def test_the_search_finds_words(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks")
    field = page.get_by_role("searchbox", name="Search Tasks")

    await field.fill("rent")
    await field.press("Enter")

    await expect_rows(page, "Pay the rent")
    await expect(page).to_have_url(re.compile("q=rent"))


async def test_the_search_shows_what_it_finds_while_one_types(lively: Window, boss: Person) -> None:
    await three_tasks(boss)
    page = await lively.go("/admin/tasks")

    await page.get_by_role("searchbox", name="Search Tasks").press_sequentially("plants")

    await expect_rows(page, "Water the plants")
    await page.go_back()
    await expect(page.locator("tr[data-row]")).to_have_count(3)


async def test_a_search_without_result_says_so_and_shows_the_way_back(page: Page, boss: Person) -> None:
    await boss.add("Water the plants")
    await page.goto("/admin/tasks?q=nothing")

    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.get_by_role("link", name="Clear search and filters").click()

    await expect_rows(page, "Water the plants")


async def test_a_heading_sorts_and_says_so(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?status=open")

    await page.get_by_role("link", name="Priority", exact=True).click()

    await expect(page.get_by_role("columnheader", name="Priority")).to_have_attribute("aria-sort", "ascending")
    await expect_rows(page, "Water the plants", "Pay the rent")


async def test_the_next_page_goes_on_where_the_first_ended(page: Page, boss: Person) -> None:
    for number in range(30):
        await boss.add(f"Task {number:02}")
    await page.goto("/admin/tasks?limit=25&sort=created_at")

    await page.get_by_role("link", name="Next page").click()

    await expect_rows(page, *(f"Task {number}" for number in range(25, 30)))


async def test_columns_are_chosen(page: Page, boss: Person) -> None:
    await boss.add("Water the plants")
    await page.goto("/admin/tasks")

    await page.locator("summary", has_text="Columns").click()
    await page.get_by_role("checkbox", name="Version").check()
    await page.get_by_role("button", name="Show", exact=True).click()

    await expect(page.get_by_role("columnheader", name="Version")).to_be_visible()


async def test_a_view_is_saved_found_again_and_forgotten(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?status=done")
    await page.locator("summary", has_text="Views").click()
    await page.get_by_label("Name", exact=True).fill("All done")
    await page.get_by_role("button", name="Save this view").click()
    await expect(page.get_by_text("The view All done was saved.")).to_be_visible()

    await page.goto("/admin/tasks")
    await page.locator("summary", has_text="Views").click()
    await page.get_by_role("link", name="All done").click()
    await expect_rows(page, "Call the dentist")
    await page.locator("summary", has_text="Views").click()
    await page.get_by_role("button", name="Delete the view All done").click()

    await expect(page.get_by_text("The view was deleted.")).to_be_visible()


async def test_selected_rows_are_changed_at_once(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?sort=created_at&status=open")
    await page.get_by_role("checkbox", name="Select Water the plants").check()
    await page.get_by_role("checkbox", name="Select Pay the rent").check()

    await page.get_by_role("button", name="Edit fields").click()
    await page.get_by_role("checkbox", name="Set priority").check()
    await page.get_by_role("combobox", name="Priority").select_option("Urgent")
    await page.get_by_role("button", name="Save").click()

    await expect(page.locator("td[data-label=Priority]")).to_have_text([re.compile("^Urgent")] * 2)


async def test_all_that_match_are_completed_not_only_this_page(page: Page, boss: Person) -> None:
    for number in range(27):
        await boss.add(f"Task {number}")
    await page.goto("/admin/tasks?limit=25&status=open")
    await page.get_by_role("checkbox", name="Select Task 26").check()
    await page.get_by_role("checkbox", name=re.compile("^All 27")).check()

    await page.get_by_role("button", name="Complete", exact=True).click()
    await page.get_by_role("button", name="Complete", exact=True).click()
    await expect(page.get_by_role("status").or_(page.locator(".flash")).first).to_be_visible()
    await page.goto("/admin/tasks?status=done&limit=25")

    await expect(page.locator(".pager")).to_contain_text("27 tasks")


async def test_an_action_without_a_row_says_what_is_missing(plain: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    page = await plain.go("/admin/tasks")

    await page.get_by_role("button", name="Complete", exact=True).click()

    await expect(page.get_by_text("Select at least one row.")).to_be_visible()


async def test_deleted_rows_wait_in_the_trash(page: Page, boss: Person) -> None:
    await boss.add("Water the plants")
    await page.goto("/admin/tasks")
    await page.get_by_role("checkbox", name="Select Water the plants").check()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_text("These can be restored from the trash.")).to_be_visible()
    await page.get_by_label("Reason").fill("Not mine")
    await page.get_by_role("button", name="Delete", exact=True).click()

    await page.goto("/admin/tasks?trash=1")
    await page.get_by_role("checkbox", name="Select Water the plants").check()
    await page.get_by_role("button", name="Restore", exact=True).click()
    await page.goto("/admin/tasks")

    await expect_rows(page, "Water the plants")


async def test_deleting_for_good_shows_the_cascade_and_asks_who_one_is(page: Page, boss: Person) -> None:
    await boss.add("Water the plants")
    await page.goto("/admin/tasks")
    await page.get_by_role("checkbox", name="Select Water the plants").check()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.goto("/admin/tasks?trash=1")
    await page.get_by_role("checkbox", name="Select Water the plants").check()

    await page.get_by_role("button", name="Delete permanently").click()

    await expect(page.get_by_text("This cannot be undone.")).to_be_visible()


async def test_the_rows_shown_go_out_as_a_file(page: Page, boss: Person, tmp_path: Path) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?priority=3")
    await page.get_by_label("More for Tasks").click()

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export as JSON").click()
    file = await download.value
    await file.save_as(tmp_path / "tasks.json")

    rows = json.loads((tmp_path / "tasks.json").read_text())
    assert re.fullmatch(r"tasks-\d{4}-\d\d-\d\d\.json", file.suggested_filename)
    assert {row["title"] for row in rows} == {"Pay the rent", "Call the dentist"}


def csv_file(text: str) -> FilePayload:
    return {"name": "t.csv", "mimeType": "text/csv", "buffer": text.encode()}


async def test_a_file_is_imported_after_its_columns_are_assigned(page: Page, boss: Person) -> None:
    csv = f"What,priority,Owner,version\nWater the plants,1,{boss.email},7\nPay the rent,urgent,{boss.id},\n"
    await page.goto("/admin/tasks/import")
    await page.get_by_label("File").set_input_files(csv_file(csv))
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_label("Owner")).to_have_value("owner_id")
    await expect(page.get_by_label("version")).to_have_value("")

    await page.get_by_label("What").select_option("Title *")
    await page.get_by_role("button", name="Update the preview").click()
    await expect(page.get_by_text("2 added, 0 changed, 0 unchanged, 0 rejected")).to_be_visible()
    await page.get_by_role("button", name="Import 2 tasks").click()
    await expect(page.get_by_text("2 of 2 done, 0 rejected.")).to_be_visible()
    await page.goto("/admin/tasks?sort=priority")

    await expect_rows(page, "Water the plants", "Pay the rent")


async def test_rejected_rows_are_downloaded_and_the_rest_imported(page: Page, boss: Person, tmp_path: Path) -> None:
    csv = f"Name,Importance,Owner\nWater the plants,99,{boss.email}\nPay the rent,2,{boss.email}\n"
    await page.goto("/admin/tasks/import")
    await page.get_by_label("File").set_input_files(csv_file(csv))
    await page.get_by_role("button", name="Upload").click()
    await page.get_by_label("Name").select_option("title")
    await page.get_by_label("Importance").select_option("priority")
    await page.get_by_role("button", name="Import 2 tasks").click()
    await expect(page.get_by_text("1 of 2 done, 1 rejected.")).to_be_visible()
    await expect(page.get_by_text("Row 1: priority")).to_be_visible()

    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the rejected rows").click()
    await (await download.value).save_as(tmp_path / "rest.csv")
    left = (tmp_path / "rest.csv").read_text()
    assert "rejected_because" in left and "Pay the rent" not in left
    await page.get_by_role("link", name="Import the rest").click()
    await page.get_by_label("File").set_input_files(csv_file(left.replace("99", "1")))
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_label("Importance")).to_have_value("priority")
    await expect(page.get_by_label("rejected_because")).to_have_count(0)
    await page.get_by_role("button", name="Import 1 task", exact=True).click()

    await expect(page.get_by_text("1 of 1 done, 0 rejected.")).to_be_visible()


async def test_a_large_file_is_imported_in_the_background(
    lively: Window, boss: Person, database: Database, sql: Any
) -> None:
    csv = "title,owner\n" + "".join(f"Row {n},{boss.email}\n" for n in range(150))
    page = await lively.go("/admin/tasks/import")
    await page.get_by_label("File").set_input_files(csv_file(csv))
    await page.get_by_role("button", name="Upload").click()
    assert await lively.violations_in_both_themes() == []
    await page.get_by_role("button", name="Import 150 tasks").click()
    await expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    await page.goto("/admin/labels")

    run = await sql.fetchval("SELECT id FROM admin_runs")
    await carry_out(REGISTRY, database, actor_of, run, worker_origin())

    await page.get_by_role("link", name="A background job has ended: Finished").click()
    await expect(page.get_by_text("150 of 150 done, 0 rejected.")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert await lively.violations_in_both_themes() == []


async def test_who_may_see_only_their_own_sees_no_more_here(world: World, lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    ada = await world.person("ada")
    await ada.add("A secret of ada")
    page = await lively.go(f"/admin/tasks?owner_id={ada.id}")

    await expect_rows(page, "A secret of ada")


async def test_a_row_and_what_it_refers_to_open_as_pages(page: Page, boss: Person) -> None:
    await boss.add("Pay the rent")
    await page.goto("/admin/tasks")

    await page.locator(".row-link").first.click()
    await expect(page.locator("h1")).to_contain_text("Pay the rent")
    await page.go_back()
    await page.locator("td a[href^='/admin/users/']").first.click()

    await expect(page.locator("h1")).to_contain_text(boss.email)


async def test_selected_rows_are_exported_with_the_columns_of_the_list(page: Page, boss: Person) -> None:
    await three_tasks(boss)
    await page.goto("/admin/tasks?columns=title,status&sort=title")
    await page.get_by_role("checkbox", name="Select Pay the rent").check()

    async with page.expect_download() as download:
        await page.get_by_role("button", name="Export selected").click()

    path = await (await download.value).path()
    assert path.read_text(encoding="utf-8-sig").splitlines() == ["title,status", "Pay the rent,open"]
