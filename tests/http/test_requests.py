"""How bodies are read."""

from typing import Any

import httpx
import pytest
from litestar._parsers import parse_url_encoded_form_data
from support.factories import Person

from todo.admin.pages.cookies import form_token
from todo.http import requests
from todo.http.requests import LARGE_BODY, MAX_FORM_FIELDS

COOKIE = "a" * 43


class NoDecoder:
    def decode(self, body: bytes) -> Any:
        raise AssertionError("a large body was decoded without its type")


async def sign_in(client: httpx.AsyncClient, fields: dict[str, str]) -> httpx.Response:
    data = {"form_token": form_token(COOKIE)} | fields
    return await client.post("/admin/login", data=data, headers={"Cookie": f"todo_admin={COOKIE}"})


async def test_a_large_body_is_read_by_its_type_alone(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "JSON", NoDecoder())
    body = b'{"title": "x", "notes": [' + b"{}," * (LARGE_BODY // 3) + b"{}]}"

    answer = await ada.http.post("/api/tasks", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.notes"]


@pytest.mark.parametrize("charset, status", [("utf-8", 201), ('"UTF-8"', 201), ("utf-16", 415), ("latin-1", 415)])
async def test_json_is_utf_8(ada: Person, charset: str, status: int) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}

    assert (await ada.http.post("/api/tasks", content=b'{"title": "x"}', headers=headers)).status_code == status


async def test_a_form_holds_a_thousand_fields(client: httpx.AsyncClient) -> None:
    fields = {f"field{number}": "" for number in range(MAX_FORM_FIELDS - 1)}

    assert (await sign_in(client, fields)).status_code == 401
    assert (await sign_in(client, fields | {"one": "more"})).status_code == 413


async def test_a_form_is_not_kept_in_memory(client: httpx.AsyncClient) -> None:
    """Litestar caches the last 1024 forms: a gigabyte of them, passwords included."""
    before = parse_url_encoded_form_data.cache_info().currsize

    assert (await sign_in(client, {"email": "a@example.com", "password": "a secret one"})).status_code == 401

    assert parse_url_encoded_form_data.cache_info().currsize == before
