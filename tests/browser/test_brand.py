"""The pages under another name, with a logo and an accent color of one's own."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.conftest import Opening
from conftest import serving, settings_for
from litestar import Litestar
from playwright.async_api import Browser, expect
from support.browser import Window, free_socket, listening
from support.factories import Person

from todo.app import create_app

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><script>alert(1)</script><circle r="4"/></svg>'
CSS = """
:root { --radius: 3px; --accent: light-dark(#005f5f, #007a7a); --on-accent: #ffffff }
.button { text-transform: uppercase }
"""


@pytest.fixture
async def branded(database_url: str, tmp_path: Path, browser: Browser) -> AsyncIterator[tuple[Litestar, Window]]:
    (tmp_path / "logo.svg").write_text(SVG)
    (tmp_path / "own.css").write_text(CSS)
    with free_socket() as port:
        base = f"http://localhost:{port.getsockname()[1]}"
        look = {
            "admin_name": "Garden <office>", "admin_color": "#ffcc00", "admin_logo": str(tmp_path / "logo.svg"),
            "admin_css": str(tmp_path / "own.css"),
        }  # fmt: skip
        async with (
            serving(create_app(settings_for(database_url, public_url=base, **look))) as app,
            listening(app, port),
        ):
            window = await Window.open(browser, base)
            yield app, window
            await window.context.close()
            assert window.complaints == []


async def test_a_brand_is_shown_on_every_page(branded: tuple[Litestar, Window], boss: Person) -> None:
    app, window = branded
    await window.sign_in(app, boss)
    page = await window.go("/admin/tasks")

    await expect(page).to_have_title("Tasks · Garden <office>")
    await expect(page.get_by_role("link", name="Garden <office>")).to_be_visible()
    assert await page.locator(".brand img").evaluate("one => one.complete && one.naturalWidth > 0")
    add = page.get_by_role("link", name="Add task")
    assert await add.first.evaluate("one => getComputedStyle(one).backgroundColor") != "rgb(67, 56, 202)"
    assert await window.violations_in_both_themes() == []
    logo = await page.request.get(str(await page.locator(".brand img").get_attribute("src")))
    assert "sandbox" in logo.headers["content-security-policy"]
    assert (await page.request.get("/admin/brand/000000000000/brand.css")).status == 404


async def test_a_style_sheet_comes_before_all_others(branded: tuple[Litestar, Window], boss: Person) -> None:
    app, window = branded
    page = await window.go("/admin/login")
    await expect(page.locator("link[rel=stylesheet]").last).to_have_attribute("href", re.compile("/own.css$"))
    button = page.get_by_role("button", name="Sign in", exact=True)
    await expect(button).to_have_css("border-radius", "3px")
    await window.sign_in(app, boss)
    page = await window.go("/admin/tasks")

    add = page.get_by_role("link", name="Add task").first
    await expect(add).to_have_css("text-transform", "uppercase")
    for theme, color in (("light", "rgb(0, 95, 95)"), ("dark", "rgb(0, 122, 122)")):
        await page.emulate_media(color_scheme=theme)
        await expect(add).to_have_css("background-color", color)


async def test_without_settings_nothing_of_a_brand_is_loaded(opening: Opening, boss: Person) -> None:
    page = await (await opening(boss)).go("/admin")

    await expect(page.locator('link[href*="/admin/brand/"]')).to_have_count(0)
    await expect(page).to_have_title("Dashboard · todo")
