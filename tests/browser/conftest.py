"""The pages in a real browser: Debian's chromium, driven by playwright, before the whole application."""

import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from conftest import serving, settings_for
from litestar import Litestar
from playwright.async_api import Browser, Page, async_playwright, expect
from support.browser import Window, free_socket, listening
from support.factories import Person, World

from todo.app import create_app
from todo.settings import Settings

expect.set_options(timeout=15_000)  # machines that test are busy
PHONE = {"width": 390, "height": 844}
Opening = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="session")
def port() -> Iterator[socket.socket]:
    with free_socket() as found:
        yield found


@pytest.fixture(scope="session")
def base(port: socket.socket) -> str:
    return f"http://localhost:{port.getsockname()[1]}"  # passkeys want a name, not a number


@pytest.fixture(scope="session")
def settings(database_url: str, base: str) -> Settings:
    return settings_for(database_url, public_url=base)


@pytest.fixture(scope="session")
async def running_app(settings: Settings, port: socket.socket) -> AsyncIterator[Litestar]:
    async with serving(create_app(settings)) as app, listening(app, port):
        yield app


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of this process."""
    # The one without windows takes a third less of the processor.
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        missing = "There is no chromium on this machine (apt-get install chromium-headless-shell)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest.fixture
async def opening(browser: Browser, app: Litestar, base: str) -> AsyncIterator[Opening]:
    """Opens windows; when the test is over, none of them may have complained."""
    windows: list[Window] = []

    async def open_window(person: Person | None = None, **options: Any) -> Window:
        window = await Window.open(browser, base, **options)
        windows.append(window)
        if person is not None:
            await window.sign_in(app, person)
        return window

    yield open_window
    for window in windows:
        await window.context.close()
    assert [complaint for window in windows for complaint in window.complaints] == []


@pytest.fixture
async def boss(world: World) -> Person:
    """Somebody who may do everything."""
    return await world.person("boss", "superuser", timezone="UTC")


@pytest.fixture(params=[True, False], ids=["scripts", "no_scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)


@pytest.fixture
async def window(opening: Opening, boss: Person, scripts: bool) -> Window:
    """The boss before a browser; the test runs with scripts and without."""
    return await opening(boss, java_script_enabled=scripts)


@pytest.fixture
async def lively(opening: Opening, boss: Person) -> Window:
    """The boss before a browser with scripts."""
    return await opening(boss)


@pytest.fixture
async def plain(opening: Opening, boss: Person) -> Window:
    """The boss before a browser without scripts."""
    return await opening(boss, java_script_enabled=False)


@pytest.fixture
async def phone(opening: Opening, boss: Person, scripts: bool) -> Window:
    """The boss before a phone."""
    return await opening(boss, java_script_enabled=scripts, viewport=PHONE, has_touch=True, is_mobile=True)


@pytest.fixture
def page(window: Window) -> Page:
    return window.page
