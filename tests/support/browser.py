"""A browser before the real application, and everything that it complains about."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response
from support.factories import PASSWORD, Person, origin_for

from todo.access import ANYBODY

AXE = (Path(__file__).parents[1] / "browser" / "axe.min.js").read_text()
RUN_AXE = """async (options) => (await axe.run(document, options)).violations.map(
  (found) => `${found.id}: ${found.nodes.map((node) => node.target.join(" ")).slice(0, 4).join(" | ")}`)"""
COLOURS = {"runOnly": ["color-contrast"]}  # all that the other theme can change


class QuietServer(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def free_socket() -> socket.socket:
    """Bound to a port of its own, so that nobody can take it before the server does."""
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found


@asynccontextmanager
async def listening(app: Litestar, port: socket.socket) -> AsyncIterator[None]:
    """An application that is started already, at this socket."""
    server = QuietServer(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    task = asyncio.create_task(server.serve(sockets=[port]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


class Window:
    """A browser of somebody's own: a page, its cookies, and what went wrong in it.

    Errors and warnings of the console (a blocked script is one), exceptions, requests to other hosts and answers that
    refuse are complaints; a test that is refused on purpose says so: `window.expected.add(409)`.
    """

    def __init__(self, context: BrowserContext, page: Page, base: str):
        self.page = page
        self.context = context
        self.base = base
        self.complaints: list[str] = []
        self.expected: set[int] = set()
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))

    @classmethod
    async def open(cls, browser: Browser, base: str, **options: Any) -> "Window":
        context = await browser.new_context(base_url=base, reduced_motion="reduce", **options)
        context.set_default_timeout(20_000)
        return cls(context, await context.new_page(), base)

    async def sign_in(self, app: Litestar, person: Person) -> None:
        """By the cookie alone; the page to sign in on has tests of its own."""
        cookie = await app.state.pages.accounts.enter(origin_for(ANYBODY, "admin"), person.email, PASSWORD, "a browser")
        name = app.state.pages.cookies.session
        await self.context.add_cookies([{"name": name, "value": cookie, "url": self.base, "httpOnly": True}])

    async def go(self, path: str) -> Page:
        await self.page.goto(path)
        return self.page

    async def violations(self, options: dict[str, Any] | None = None) -> list[str]:
        """What axe-core finds on the page as it is now."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE)
        found: list[str] = await self.page.evaluate(RUN_AXE, options or {})
        return found

    async def violations_in_both_themes(self) -> list[str]:
        found = await self.violations()
        await self.page.emulate_media(color_scheme="dark")
        found += [f"dark {one}" for one in await self.violations(COLOURS)]
        await self.page.emulate_media(color_scheme="light")
        return found

    def _console(self, message: ConsoleMessage) -> None:
        refused = message.text.startswith("Failed to load resource")  # told by its answer as well
        if message.type in {"error", "warning"} and not refused:
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:", "blob:")):
            self.complaints.append(f"elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.complaints.append(f"refused: {response.status} {response.url}")
