"""Every page by keyboard alone, and for people who see, hear or move differently (WCAG 2.2 AA, beyond axe)."""

from typing import Any

import pytest
from browser.conftest import Opening
from browser.test_everywhere import OWN, RESOURCES, pages_of, row_of
from playwright.async_api import Page, expect
from support.browser import Window
from support.factories import Person

from todo.admin.declaration import ModelAdmin
from todo.database import Database

# The walk begins at the top. What was focused is remembered, and what of it shows no outline.
WATCH = """() => {
  window.focused = new Set(); window.faint = [];
  document.addEventListener("focusin", (event) => {
    const box = event.target;
    window.focused.add(box);
    const outlined = getComputedStyle(box).outlineStyle !== "none" || box.matches("main, .palette input");
    if (!outlined) window.faint.push(box.outerHTML.slice(0, 120));
  }, true);
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
STEP = """() => {
  const at = document.activeElement;
  const over = at === document.body || at.matches(".skip") && window.focused.size > 2;
  return [over, at.matches("details:not([open]) > summary"), Boolean(document.querySelector("dialog[open]"))];
}"""
MISSED = """() => {
  for (const menu of document.querySelectorAll("details")) menu.open = true;
  const selector = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  return [...document.querySelectorAll(selector)]
    .filter((box) => box.tabIndex >= 0 && !box.disabled && !box.closest("dialog, [hidden]"))
    .filter((box) => box.checkVisibility({ visibilityProperty: true }) && !window.focused.has(box))
    .map((box) => box.outerHTML.slice(0, 120));
}"""
SMALL = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter((box) => box.checkVisibility({ visibilityProperty: true }) && !box.matches(".unseen, .skip"))
  .filter((box) => !box.closest("dialog") && getComputedStyle(box).display !== "inline")
  .filter((box) => {
    const at = (box.closest("label") ?? box).getBoundingClientRect();
    return at.width < 24 || at.height < 24;
  })
  .map((box) => box.outerHTML.slice(0, 120))"""
MOVING = """() => [...document.querySelectorAll("*")].filter((box) => {
  const style = getComputedStyle(box);
  return style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => time !== "0s");
}).map((box) => box.outerHTML.slice(0, 80))"""

# Somebody who presses Escape as soon as the form of a cell is there.
ESCAPE_AT_ONCE = """() => new MutationObserver((_, observer) => {
  const control = document.querySelector("[data-cell] select");
  if (!control) return;
  observer.disconnect();
  window.escaped = control.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
}).observe(document.body, { childList: true, subtree: true })"""


async def walk(window: Window, path: str) -> dict[str, Any]:
    """Tab through a page, open each menu on the way; what was not reached, and what shows no focus."""
    page = await window.go(path)
    await page.evaluate(WATCH)
    for _ in range(600):
        await page.keyboard.press("Tab")
        over, closed, dialog = await page.evaluate(STEP)
        assert not dialog, f"focus alone opened a dialog on {path}"
        if over:
            break
        if closed:
            await page.keyboard.press("Enter")
    assert page.url == f"{window.base}{path}"
    found = {"missed": await page.evaluate(MISSED), "faint": await page.evaluate("window.faint")}
    return {name: boxes for name, boxes in found.items() if boxes}


@pytest.mark.parametrize("path", [*OWN, "/admin/login"])
async def test_tab_reaches_everything_on_a_page(opening: Opening, boss: Person, path: str) -> None:
    window = await opening(None if path == "/admin/login" else boss)

    assert await walk(window, path) == {}


@pytest.mark.parametrize("name", RESOURCES)
async def test_tab_reaches_everything_of_a_resource(
    lively: Window, database: Database, boss: Person, name: str
) -> None:
    resource = RESOURCES[name]
    paths = [path for path in pages_of(resource) if "/docs/" not in path]
    if isinstance(resource, ModelAdmin):
        paths += [f"/admin/{name}/{await row_of(resource, database, boss)}"]

    found = {path: await walk(lively, path) for path in paths}

    assert {path: boxes for path, boxes in found.items() if boxes} == {}


PLACES = ["/admin", "/admin/tasks", "/admin/tasks/add", "/admin/users", "/admin/audit", "/admin/account", "/admin/docs"]


@pytest.mark.parametrize("path", PLACES)
async def test_targets_are_large_enough_and_nothing_moves(lively: Window, boss: Person, path: str) -> None:
    await boss.add("Water the plants")
    page = await lively.go(path)

    assert await page.evaluate(SMALL) == []
    assert await page.evaluate(MOVING) == []  # the windows of the tests prefer reduced motion


@pytest.mark.parametrize("width", [720, 320])  # 1440 pixels at 200 %, 1280 at 400 %
async def test_a_zoomed_page_does_not_scroll_sideways(opening: Opening, boss: Person, width: int) -> None:
    task = await boss.add("A title that is far too long for a phone, " * 4)
    window = await opening(boss, viewport={"width": width, "height": 450})

    for path in [*PLACES, f"/admin/tasks/{task['id']}"]:
        page = await window.go(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path


async def test_the_palette_opens_by_typing_and_gives_the_focus_back(lively: Window) -> None:
    page = await lively.go("/admin")
    field = page.get_by_role("searchbox", name="Search everything").first
    await field.focus()
    await expect(page.get_by_role("dialog")).to_be_hidden()

    await page.keyboard.type("u")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.locator("#palette-q")).to_have_value("u")
    await page.keyboard.press("Escape")

    await expect(field).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Theme: System")).to_be_focused()


async def test_the_focus_returns_from_a_cell(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    page = await lively.go("/admin/tasks")
    pencil = page.get_by_role("link", name="Edit priority of Water the plants")
    await pencil.press("Enter")
    await page.get_by_role("combobox", name="Priority").press("Escape")

    await expect(pencil).to_be_focused()


async def test_a_cell_answers_the_keyboard_from_its_first_moment(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    page = await lively.go("/admin/tasks")
    await page.evaluate(ESCAPE_AT_ONCE)
    pencil = page.get_by_role("link", name="Edit priority of Water the plants")
    await pencil.press("Enter")

    await page.wait_for_function("window.escaped")
    await expect(pencil).to_be_focused()


async def test_a_menu_closes_when_the_focus_leaves_it(lively: Window) -> None:
    page = await lively.go("/admin/tasks")
    columns = page.locator("details", has=page.locator("summary", has_text="Columns"))
    await columns.locator("summary").press("Enter")
    await expect(columns).to_have_attribute("open", "")

    await page.get_by_role("searchbox", name="Search Tasks").focus()

    await expect(columns).not_to_have_attribute("open", "")


async def test_shortcuts_of_a_single_key_are_listed_and_turned_off(lively: Window, boss: Person) -> None:
    await boss.add("Water the plants")
    page = await lively.go("/admin/tasks")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_be_visible()
    assert await lively.violations_in_both_themes() == []
    await dialog.get_by_role("checkbox").uncheck()
    await dialog.get_by_role("button", name="Close").click()

    await page.keyboard.press("j")

    await expect(page.locator("tr.here")).to_have_count(0)


@pytest.mark.parametrize("path", ["/admin", "/admin/tasks", "/admin/audit", "/admin/sessions"])
async def test_the_menu_fits_at_900_pixels(opening: Opening, boss: Person, path: str) -> None:
    page: Page = await (await opening(boss, viewport={"width": 1440, "height": 900})).go(path)

    assert (
        await page.evaluate(
            "(() => { const menu = document.querySelector('#nav'); return menu.scrollHeight - menu.clientHeight })()"
        )
        == 0
    )
    if path != "/admin":
        await expect(page.locator("#nav [aria-current=page]")).to_be_visible()
