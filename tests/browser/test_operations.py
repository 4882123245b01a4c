"""Acting as somebody else, a job that failed, and how the installation is. With scripts and without."""

import re
from typing import Any

from playwright.async_api import Page, expect
from saq import Status
from support.browser import Window
from support.factories import Person, World

from todo.database import Database
from todo.queue import new_job
from todo.saq_queue import open_queue


async def failed_job(database: Database) -> str:
    """The key of a job that has gone wrong."""
    queue = open_queue(database.settings, database.url)
    await queue.connect()
    try:
        job = await queue.enqueue(new_job("delete_full", {}, "test-request"))
        assert job is not None
        await queue.finish(job, Status.FAILED, error="RuntimeError: no reason")
        return str(job.key)
    finally:
        await queue.disconnect()


async def test_an_operator_acts_as_somebody_and_stops(page: Page, boss: Person, world: World) -> None:
    ada = await world.person("ada", "member")
    await ada.add("Hers")
    await boss.add("Mine")
    await page.goto(f"/admin/users/{ada.id}")
    await page.get_by_role("link", name="Impersonate").click()
    await page.get_by_label("Reason").fill("Ticket 42")
    await page.get_by_role("button", name="Impersonate").click()

    await expect(page.get_by_text("You are impersonating")).to_be_visible()
    await page.goto("/admin/tasks")
    await expect(page.get_by_role("link", name="Hers", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Mine", exact=True)).to_have_count(0)

    await page.get_by_role("button", name="Stop").click()
    await page.goto("/admin/tasks")

    await expect(page.get_by_text("You are impersonating")).to_have_count(0)
    await expect(page.get_by_role("link", name="Mine", exact=True)).to_be_visible()


async def test_a_job_that_failed_is_tried_again(window: Window, database: Database) -> None:
    key = await failed_job(database)
    page = await window.go(f"/admin/jobs/{key}")
    await expect(page.get_by_text("RuntimeError: no reason")).to_be_visible()
    await page.get_by_role("button", name="Retry").click()

    await page.goto(f"/admin/jobs/{key}")
    await expect(page.get_by_text("Queued", exact=True).first).to_be_visible()


async def test_health_says_how_everything_is(lively: Window) -> None:
    page = await lively.go("/admin/health")

    await expect(page.get_by_text("PostgreSQL").first).to_be_visible()
    assert await lively.violations_in_both_themes() == []


async def test_a_role_says_what_it_would_see(window: Window, boss: Person, sql: Any) -> None:
    support = await sql.fetchval("SELECT id FROM roles WHERE name = 'support'")
    page = await window.go(f"/admin/roles/{support}")
    await page.get_by_role("link", name="What it allows").click()

    users = page.get_by_role("row", name=re.compile("^Users"))
    await expect(users).to_contain_text("every row")
    await expect(users.get_by_role("cell").nth(1)).to_have_text("view")
    await expect(page.get_by_role("row", name=re.compile("^Audit log"))).to_contain_text("Before, After")
    await expect(page.get_by_role("row", name=re.compile("^Tasks"))).to_have_count(0)


async def test_a_role_that_does_not_open_the_administration_says_so(window: Window, boss: Person, sql: Any) -> None:
    member = await sql.fetchval("SELECT id FROM roles WHERE name = 'member'")
    page = await window.go(f"/admin/role-access/{member}")

    await expect(page.get_by_text("This role does not open the administration")).to_be_visible()
    await expect(page.get_by_text("Change, complete, reopen, cancel and skip tasks.")).to_be_visible()
