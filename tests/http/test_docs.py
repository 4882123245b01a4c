"""The page that shows the document: served whole, and from this host only."""

import re

import httpx
import pytest


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/docs/start.css"]
)
async def test_the_page_and_what_it_needs_are_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/docs", "text/html"), ("/docs/start.css", "text/css"), ("/docs/start.js", "text/javascript")],
)
async def test_browsers_learn_the_type_of_what_they_get(client: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await client.get(path)

    assert answer.headers["content-type"].partition(";")[0] == kind


async def test_the_page_asks_no_other_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    script = await client.get("/docs/start.js")

    assert not re.search(r"(https?:)?//\w", page.text + script.text)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*", " ".join(policy.values()))


async def test_every_address_on_the_page_is_served(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")

    for address in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
        assert (await client.get(address)).status_code == 200, address


@pytest.mark.parametrize(
    "path", ["/docs/unknown", "/docs/index.html", "/docs/LICENSE", "/docs/..%2findex.html", "/docs/%2e%2e", "/docs/a/b"]
)
async def test_nothing_else_is_served_beside_it(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
