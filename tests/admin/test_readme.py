"""The program in the engine's README: somebody else's service, with a table of its own."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import httpx
import pytest
from conftest import serving
from sqlalchemy.orm import registry

import todo.admin
from todo.admin.declaration import ModelAdmin
from todo.admin.pages.forms import controls
from todo.admin.pages.sections import groups_of, tabs_of
from todo.admin.pages.templating import tone
from todo.admin.registry import Registry
from todo.admin.rest.document import paths_of
from todo.database import Database, Row, metadata
from todo.domain.projects.schemas import Color
from todo.settings import Settings

README = (Path(todo.admin.__file__).parent / "README.md").read_text()
(PROGRAM,) = re.findall(r"```python\n(from collections.*?)```", README, re.DOTALL)
(SHOWN,) = re.findall(r"```python\n(class BedAdmin.*?)```", README, re.DOTALL)
TABLE = """CREATE TABLE plants (id uuid PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
           version int NOT NULL, name text NOT NULL, height int NOT NULL)"""


# Two tables of another project, in a process that knows none of the service's: `users` is in the database alone.
SHELVES = """
import asyncio, json, sys
from uuid import UUID
import httpx
from sqlmodel import Field
exec(sys.argv[1], globals())


class Shelf(Row, table=True):
    __tablename__ = "shelves"
    name: str


class Book(Row, table=True):
    __tablename__ = "books"
    name: str
    shelf_id: UUID = Field(foreign_key="shelves.id")


class ShelfAdmin(ModelAdmin[Shelf]):
    model, label_one = Shelf, "Shelf"
    columns = search = editable = ("name",)
    verbs = ("view", "add", "delete")


class BookAdmin(ModelAdmin[Book]):
    model = Book
    columns = editable = ("name", "shelf_id")
    verbs = ("view", "add", "delete")


async def main():
    from todo.settings import Settings
    global REGISTRY, GARDENER
    REGISTRY = Registry([ShelfAdmin, BookAdmin])
    GARDENER = Actor(id=None, name="gardener", permissions=frozenset({"admin.enter", *REGISTRY.permissions}))
    database = Database(Settings())
    app = create_app(database)
    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        shelf = (await http.post("/api/admin/shelves", json={"name": "Top"})).json()
        await http.post("/api/admin/books", json={"name": "Ferns", "shelf_id": shelf["id"]})
        url = f"/api/admin/shelves/{shelf['id']}"
        preview, kept = await http.delete(f"{url}?preview=true"), await http.delete(url)
        print(json.dumps([preview.status_code, preview.json(), kept.status_code, kept.json()]))


asyncio.run(main())
"""


@lru_cache
def program() -> ModuleType:
    sys.modules["plants"] = module = ModuleType("plants")
    exec(PROGRAM, vars(module))  # noqa: S102 -- our own README
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


async def test_a_delete_is_previewed_where_users_are_in_the_database_alone(database_url: str, sql: Any) -> None:
    common = "id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz, version int, name text"
    await sql.execute(f"CREATE TABLE shelves ({common})")
    await sql.execute(f"CREATE TABLE books ({common}, shelf_id uuid REFERENCES shelves)")
    environment = os.environ | {"TODO_DATABASE_URL": database_url, "TODO_ENV": "test", "TODO_SECRET_KEY": "x" * 32}
    command = (sys.executable, "-c", SHELVES, PROGRAM)
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
        output, errors = await process.communicate()
    finally:
        await sql.execute("DROP TABLE books, shelves")

    assert process.returncode == 0, errors.decode()
    preview_status, preview, status, problem = json.loads(output.splitlines()[-1])
    assert (preview_status, [(one["label"], one["effect"], one["count"]) for one in preview["taken"]]) == (
        200,
        [("Books", "refused", 1)],
    )
    assert (status, problem["detail"].startswith("Other rows refer to")) == (409, True)


def test_what_it_says_of_pages_is_a_declaration() -> None:
    class Ground(Row, registry=registry()):
        """Tables that are none of the service's."""

    class Bed(Ground, table=True):
        """Where plants grow."""

        __tablename__ = "beds"

        name: str
        kind: str
        heated_until: str = ""
        color: str = ""
        priority: int = 0

    names: dict[str, Any] = {"Bed": Bed, "ModelAdmin": ModelAdmin, "Literal": Literal, "Color": Color}
    exec(SHOWN, names)  # noqa: S102 -- the README of this project
    bed = Registry([names["BedAdmin"]])["beds"]

    tabs = tabs_of(bed, groups_of(bed, controls([bed.fields[name] for name in bed.fields], None, "UTC")), [])

    assert {tab.label: [group.label for group in tab.groups] for tab in tabs} == {
        "Bed": ["", "Bed", "Looks"],
        "Dates": ["Dates"],
    }
    assert [tone(value, bed.fields["priority"]) for value in (0, 1)] == ["", "tag-bad"]
    assert tone("outdoor", bed.fields["kind"]) == "tag-good"
    assert bed.fields["color"].widget == "color"
