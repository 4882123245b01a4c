"""A browser without eyes: it keeps cookies, and sends the forms of the pages as they are."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
from litestar import Litestar
from support.factories import PASSWORD, Person, origin_for

from todo.access import ANYBODY

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
        cookie = await app.state.pages.accounts.enter(origin_for(ANYBODY, "admin"), person.email, PASSWORD, "a browser")
        http.cookies.set(app.state.pages.cookies.session, cookie, domain="test.local")  # where answers set it
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


def form_of(answer: httpx.Response, action: str) -> dict[str, list[str]]:
    """What a browser would send of the form that posts to `action`, untouched; without its token."""
    parser = FormParser(action)
    parser.feed(answer.text)
    parser.fields.pop("form_token", None)
    return parser.fields


class FormParser(HTMLParser):
    """Collects the successful controls of one form."""

    def __init__(self, action: str):
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._action, self._inside = action, False
        self._text, self._select = "", ""  # the text area or the select that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = found.get("action") == self._action
        elif not self._inside:
            return
        elif tag == "textarea":
            self._text = found["name"]
            self._add(self._text, "")
        elif tag == "select":
            self._select = found.get("name", "")  # without one, it is not sent
        elif tag == "option" and self._select:
            if "selected" in found or self._select not in self.fields:  # the first one, unless another is chosen
                self.fields[self._select] = [found["value"]]
        elif tag == "input" and "name" in found and (found.get("type") != "checkbox" or "checked" in found):
            self._add(found["name"], found.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "form"
        self._text = "" if tag == "textarea" else self._text
        self._select = "" if tag == "select" else self._select

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text][-1] += data

    def _add(self, name: str, value: str) -> None:
        self.fields.setdefault(name, []).append(value)
