"""The pages that mailed links lead to."""

import re

import httpx
import pytest

from todo.domain.accounts.controllers.public_pages import FILES, PAGES, STATIC


@pytest.mark.parametrize("page", sorted(PAGES))
async def test_a_mailed_link_leads_to_a_page_with_its_parts(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(f"/account/{page}")
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert len(parts) == len(FILES)
    for part in parts:
        assert (await client.get(part)).headers["content-type"].startswith(FILES[part.rpartition("/")[2]])


@pytest.mark.parametrize("path", ["/account/other", "/account/files/account.html", "/account/files/nothing.js"])
async def test_there_is_no_other_page(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def test_every_mailed_link_has_its_page_in_the_script() -> None:
    script = (STATIC / "account.js").read_text()

    assert set(re.findall(r"^  (\w+): \{ title", script, re.MULTILINE)) == PAGES
    assert not re.search(r"https?://", script)
