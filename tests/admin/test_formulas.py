"""No cell of any export is a formula, whatever a text begins with."""

import csv
import io
import zipfile
from typing import Any

import asyncpg
import pytest
from support.admin_rows import Rows
from support.factories import World, origin_for

from todo.access import Actor
from todo.admin.declaration import ModelAdmin
from todo.admin.file_formats import Format
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.modules import REGISTRY

FORMULA = '=HYPERLINK("https://evil.example","x")'
EXPORTED = [one for one in REGISTRY if isinstance(one, ModelAdmin) and "export" in one.verbs]


@pytest.mark.parametrize("resource", EXPORTED, ids=lambda resource: resource.name)
async def test_no_text_of_any_field_becomes_a_formula(
    world: World, database: Database, sql: Any, resource: ModelAdmin[Any]
) -> None:
    root = await world.person("root", "superuser")
    row_id = await Rows(REGISTRY, database, root.id).of(resource)
    admin = AdminService(REGISTRY, database, origin_for(Actor(root.id, root.email, permissions=frozenset({"*"}))))
    for field in resource.fields.values():
        if field.kind in {"text", "long_text"} and not field.computed:
            await plant(sql, str(resource.model.__tablename__), field.name, row_id)

    (row,) = csv.DictReader(io.StringIO((await exported(admin, resource, row_id, "csv")).decode("utf-8-sig")))
    sheet = zipfile.ZipFile(io.BytesIO(await exported(admin, resource, row_id, "xlsx")))

    assert [name for name, cell in row.items() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert "<f>" not in sheet.read("xl/worksheets/sheet1.xml").decode()


async def plant(sql: Any, table: str, name: str, row_id: Any) -> None:
    """Where the table takes any text."""
    try:
        await sql.execute(f'UPDATE "{table}" SET "{name}" = $1 WHERE id = $2', FORMULA, row_id)
    except (asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError):
        return


async def exported(admin: AdminService, resource: ModelAdmin[Any], row_id: Any, form: Format) -> bytes:
    parts = await admin.files.export(resource.name, ListQuery(q=str(row_id)), form)
    return b"".join([part async for part in parts])
