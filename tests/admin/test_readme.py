"""The program in the engine's README: somebody else's service, with a table of its own."""

import re
import sys
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from conftest import serving

import todo.admin
from todo.admin.rest.document import paths_of
from todo.database import Database, metadata
from todo.settings import Settings

README = (Path(todo.admin.__file__).parent / "README.md").read_text()
TABLE = """CREATE TABLE plants (id uuid PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
           version int NOT NULL, name text NOT NULL, height int NOT NULL)"""


@lru_cache
def program() -> ModuleType:
    (text,) = re.findall(r"```python\n(from collections.*?)```", README, re.DOTALL)
    sys.modules["plants"] = module = ModuleType("plants")
    exec(text, vars(module))  # noqa: S102 -- our own README
    metadata.remove(metadata.tables["plants"])  # none of the service's own tables
    return module


@pytest.fixture
async def gardener(settings: Settings, sql: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at that service."""
    await sql.execute(TABLE)
    async with (
        serving(program().create_app(Database(settings))) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        yield http
    await sql.execute("DROP TABLE plants")


async def test_it_runs(gardener: httpx.AsyncClient, sql: Any) -> None:
    added = (await gardener.post("/api/admin/plants", json={"name": "Fern"})).json()
    url = f"/api/admin/plants/{added['id']}"

    assert (await gardener.post(f"{url}/actions/water")).json()["messages"] == ["Fern is 1 high."]
    assert (await gardener.patch(url, json={"name": ""})).status_code == 200
    assert (await gardener.patch(url, json={"id": "x"})).status_code == 422
    page = (await gardener.get("/api/admin/plants?height=1..3&sort=-id")).json()
    assert [item["id"] for item in page["items"]] == [added["id"]]
    assert (await gardener.get("/api/admin/plants/export")).text.count("\n") == 2
    assert (await gardener.delete(f"{url}?preview=true")).status_code == 200
    events = await sql.fetch("SELECT actor, action FROM audit_events WHERE subject = 'plants' ORDER BY id")
    assert [tuple(row) for row in events[:2]] == [("gardener", "plants.add"), ("gardener", "plants.water")]


def test_its_document_has_the_types_of_its_table() -> None:
    paths, schemas = paths_of(program().REGISTRY)

    assert {"AdminPlant", "AdminPlantIn", "AdminPlantPatch"} <= schemas.keys()
    body = paths["/api/admin/plants"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/AdminPlantIn"}
