"""Controls: the panel of filters with one button, and the picker of permissions."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person


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
