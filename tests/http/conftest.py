"""The documents that several files look at."""

import httpx
import pytest
from support.openapi import Document, read_document


@pytest.fixture(params=["/openapi.json", "/openapi-admin.json"])
async def document(client: httpx.AsyncClient, request: pytest.FixtureRequest) -> Document:
    return await read_document(client, request.param)


@pytest.fixture
async def everything(client: httpx.AsyncClient) -> Document:
    return await read_document(client, "/openapi-admin.json")


@pytest.fixture
async def clients(client: httpx.AsyncClient) -> Document:
    return await read_document(client, "/openapi.json")
