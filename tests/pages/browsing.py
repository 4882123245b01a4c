"""A browser without eyes: it keeps cookies, and sends the forms of the pages as they are."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from factories import PASSWORD, Person
from litestar import Litestar

TOKEN = re.compile(r'name="form_token" value="(\w+)"')
HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


@dataclass
class Visitor:
    """Somebody signed in to the admin pages, as httpx sees them."""

    http: httpx.AsyncClient
    person: Person
    token: str = field(default="", repr=False)

    @classmethod
    async def enter(cls, app: Litestar, http: httpx.AsyncClient, person: Person) -> "Visitor":
        cookie = await app.state.pages.accounts.enter(person.email, PASSWORD, "a browser")
        http.cookies.set(app.state.pages.cookies.session, cookie)
        visitor = cls(http, person)
        found = TOKEN.search((await http.get("/admin/account")).text)
        assert found
        visitor.token = found.group(1)
        return visitor

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query or None)

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form of a page."""
        return await self.http.post(path, data={"form_token": self.token, **fields})

    async def follow(self, answer: httpx.Response) -> str:
        """The text of the page that an answer leads to."""
        assert answer.status_code == 303, text_of(answer)
        page = await self.http.get(answer.headers["location"])
        assert page.status_code == 200, text_of(page)
        return text_of(page)


def text_of(answer: httpx.Response) -> str:
    """What somebody reads on a page."""
    body = re.sub(r"<(script|style|svg).*?</\1>", "", answer.text, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)))


def heading_of(answer: httpx.Response) -> str:
    """The heading of a page."""
    found = HEADING.search(answer.text)
    return unescape(re.sub(r"<[^>]+>", "", found.group(1))).strip() if found else ""
