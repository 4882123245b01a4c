"""Badges, and controls of one's own; with scripts and without."""

from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person


async def test_values_have_the_declared_badges(page: Page, boss: Person) -> None:
    await boss.add("Now", priority=4)
    await boss.add("Later", priority=1)
    await page.goto("/admin/tasks?sort=title&columns=title,priority,blocked")

    await expect(page.locator("tr", has_text="Now").locator(".tag-bad")).to_have_text("Urgent")
    await expect(page.locator("tr", has_text="Later").locator(".tag")).to_have_count(0)


async def test_a_color_is_typed_picked_and_shown(lively: Window, boss: Person) -> None:
    page = await lively.go("/admin/labels/add")
    await page.get_by_label("Name").fill("red")
    await page.get_by_label("Color").fill("#ff0000")
    await expect(page.locator("input[type=color]")).to_have_value("#ff0000")

    await page.locator("input[type=color]").fill("#aa0000")
    assert await lively.violations_in_both_themes() == []
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.locator("tr", has_text="red").locator("circle")).to_have_attribute("fill", "#aa0000")
    assert await lively.violations_in_both_themes() == []


async def test_without_scripts_a_color_is_typed(plain: Window, boss: Person) -> None:
    page = await plain.go("/admin/labels/add")
    await page.get_by_label("Name").fill("red")
    await page.get_by_label("Color").fill("#ff0000")
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.locator("tr", has_text="red")).to_contain_text("#ff0000")


async def test_a_rule_is_chosen_from_common_ones(page: Page, boss: Person) -> None:
    await page.goto("/admin/tasks/add")
    if await page.get_by_label("Recurrence").is_hidden():
        await page.get_by_role("link", name="Recurrence").click()

    field = page.get_by_label("Recurrence")
    rules = page.locator(f"#{await field.get_attribute('list')} option")

    await expect(rules.first).to_have_attribute("value", "FREQ=DAILY")
    await field.fill("FREQ=DAILY")
