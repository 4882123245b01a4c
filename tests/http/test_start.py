"""`/` and `/api` lead somewhere."""

import httpx
import pytest

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/", "/api", "/api/"])
async def test_a_browser_is_led_to_the_documentation(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=BROWSER, follow_redirects=True)

    assert answer.history[0].status_code == 303
    assert "Accept" in answer.history[0].headers.get_list("vary", split_commas=True)
    assert answer.url.path == "/docs"
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
@pytest.mark.parametrize("path", ["/", "/api"])
async def test_a_program_learns_where_everything_is(client: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(path, headers={"accept": accept})
    links = {name: link for name, link in answer.json().items() if link.startswith("/")}

    assert answer.json()["name"] == "todo"
    assert set(links) == {"docs", "openapi", "openapi_admin", "admin", "account", "problems", "health"}
    for link in links.values():
        assert (await client.get(link)).status_code in {200, 303}, link
