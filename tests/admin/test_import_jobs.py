"""Imports in the background over REST: upload, columns, trial, begin, progress, what was refused, and undo."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec import UNSET
from support.factories import Person, World, job_context
from support.workbooks import workbook

from todo.admin import import_steps
from todo.database import Database
from todo.modules import run_admin_action

BASE = "/api/admin/tasks/import/jobs"
FILE = {"file": "plan.csv", "csv": "Title,Who,Rubbish\nRent,ada@example.com,x\n,ada@example.com,\nMilk,nobody,\n"}
WHO = {"Title": "title", "Who": "owner_id"}


@pytest.fixture
async def http(world: World) -> httpx.AsyncClient:
    return (await world.person("chief", "superuser", timezone="UTC")).http


async def uploaded(http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    sent = {name: value for name, value in (FILE | body).items() if value is not UNSET}
    answer = await http.post(BASE, json=sent)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_file_goes_all_the_way(
    http: httpx.AsyncClient, ada: Person, database: Database, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_steps, "BATCH", 2)
    draft = await uploaded(http)
    at = f"{BASE}/{draft['id']}"
    assert (draft["status"], draft["total"], draft["file"]) == ("draft", 3, "plan.csv")
    assert draft["columns"] == [
        {"name": "Title", "example": "Rent", "field": "title"},
        {"name": "Who", "example": "ada@example.com", "field": None},
        {"name": "Rubbish", "example": "x", "field": None},
    ]

    assigned = await http.patch(at, json={"mapping": WHO}, headers={"If-Match": str(draft["version"])})
    assert (assigned.status_code, assigned.json()["columns"][1]["field"]) == (200, "owner_id")
    tried = (await http.get(f"{at}/trial")).json()
    assert (tried["applied"], [row["action"] for row in tried["rows"]]) == (False, ["add", "refused", "refused"])
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0

    begun = await http.post(f"{at}/start", headers={"If-Match": assigned.headers["etag"]})
    assert (begun.status_code, begun.json()["status"]) == (200, "waiting")
    await run_admin_action(job_context(database), run_id=draft["id"])

    done = (await http.get(at)).json()
    counts = [done[name] for name in ("status", "total", "done", "failed", "added")]
    assert counts == ["done", 3, 1, 2, 1]
    assert done["failures"][1] == {"id": "3", "message": "owner_id: No row is called nobody."}
    rest = await http.get(f"{at}/rest")
    assert rest.headers["content-type"].startswith("text/csv")
    assert rest.content.decode("utf-8-sig").splitlines()[1:] == [
        ",ada@example.com,,title: This field is required.", "Milk,nobody,,owner_id: No row is called nobody.",
    ]  # fmt: skip

    again = await uploaded(http, csv="Title,Who,rejected_because\nMilk,ada@example.com,x\n", after=draft["id"])
    assert [column["field"] for column in again["columns"]] == ["title", "owner_id"]
    assert (await http.post(f"{BASE}/{again['id']}/start")).json()["status"] == "done"
    assert await sql.fetchval("SELECT array_agg(title ORDER BY title) FROM tasks") == ["Milk", "Rent"]
    event = "SELECT source FROM audit_events WHERE action = 'tasks.add' ORDER BY id"
    assert [row["source"] for row in await sql.fetch(event)] == ["worker", "api"]


async def test_an_import_is_undone_over_rest(
    http: httpx.AsyncClient, ada: Person, database: Database, sql: Any
) -> None:
    draft = await uploaded(http, csv="title,owner_id\nRent,ada@example.com\n")
    await http.post(f"{BASE}/{draft['id']}/start")

    answer = await http.post(f"/api/admin/runs/{draft['id']}/actions/undo")

    await run_admin_action(job_context(database), run_id=answer.json()["run"])
    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE deleted_at IS NULL") == 0


async def test_a_draft_is_deleted_and_no_import_that_has_begun(http: httpx.AsyncClient, ada: Person, sql: Any) -> None:
    draft, other = await uploaded(http), await uploaded(http, csv="title,owner_id\nRent,ada@example.com\n")

    assert (await http.delete(f"{BASE}/{draft['id']}")).status_code == 204
    assert (await http.get(f"{BASE}/{draft['id']}")).status_code == 404
    await http.post(f"{BASE}/{other['id']}/start")
    for method, path, body in (("DELETE", "", None), ("POST", "/start", None), ("PATCH", "", {"mapping": WHO})):
        answer = await http.request(method, f"{BASE}/{other['id']}{path}", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (409, "This import has begun already.")
    assert await sql.fetchval("SELECT count(*) FROM admin_import_rows") == 0


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("DELETE", ""), ("POST", "/start")])
async def test_columns_that_somebody_assigned_meanwhile_are_not_overwritten(
    http: httpx.AsyncClient, ada: Person, method: str, path: str
) -> None:
    draft = await uploaded(http)
    body = {"mapping": WHO}
    await http.patch(f"{BASE}/{draft['id']}", json=body)

    headers = {"If-Match": f'"{draft["version"]}"'}
    answer = await http.request(method, f"{BASE}/{draft['id']}{path}", json=body, headers=headers)

    assert (answer.status_code, answer.json()["current"]["columns"][1]["field"]) == (412, "owner_id")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.csv"), ({"csv": "a\n1\n", "rows": []}, "body.rows"), ({"xlsx": "PK"}, "body.xlsx"),
        ({"xlsx": "AAAA"}, "body.xlsx"), ({"csv": "a,a\n1,2\n"}, "body.csv"),
        ({"csv": 'a\n"1\n'}, "body.csv"), ({"file": "a\nb", "csv": "a\n1\n"}, "body.file"),
        ({"rows": [[]]}, "body.rows.0"), ({"csv": "a\n1\n", "after": "x"}, "body.after"),
    ],
    ids=["nothing", "both", "no_base64", "no_workbook", "twice", "quote", "name", "no_object", "no_id"],
)  # fmt: skip
async def test_what_is_no_file_is_refused(http: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await http.post(BASE, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_workbook_is_imported(http: httpx.AsyncClient, ada: Person, sql: Any) -> None:
    file = workbook(["Title", "owner_id", "created_at"], ["Rent", "ada@example.com", datetime(2026, 1, 2, 9, 30)])

    draft = await uploaded(http, csv=UNSET, xlsx=b64encode(file.getvalue()).decode())

    assert [column["field"] for column in draft["columns"]] == ["title", "owner_id", "created_at"]
    assert (await http.post(f"{BASE}/{draft['id']}/start")).json()["added"] == 1
    assert await sql.fetchval("SELECT created_at FROM tasks") == datetime(2026, 1, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [{"csv": "a\nb\x00\n"}, {"csv": "a\x00\nb\n"}, {"rows": [{"a": {"b": "\x00"}}]}, {"rows": [{"a": "\\\x00"}]}],
    ids=["cell", "column", "nested", "escaped"],
)
async def test_what_the_database_cannot_store_is_refused(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post(BASE, json=body)

    assert (answer.status_code, answer.json()["detail"]) == (
        422, "Row 1 has a character that cannot be stored (NUL).",
    )  # fmt: skip
    assert (await http.post(BASE, json={"rows": [{"a": "\\u0000"}]})).status_code == 201


async def test_a_file_without_rows_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(BASE, json={"rows": []})

    assert (answer.status_code, answer.json()["detail"]) == (422, "The file has no rows.")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "Assign at least one column to a field."), ({"What": "title"}, "The file has no column What."),
        ({"Title": "version"}, "There is no field version to import into."),
        ({"Title": "title", "Who": "title"}, "Two columns are assigned to Title."),
    ],
)  # fmt: skip
async def test_columns_that_cannot_be_meant_are_refused(
    http: httpx.AsyncClient, ada: Person, mapping: dict[str, str], message: str
) -> None:
    draft = await uploaded(http)

    answer = await http.patch(f"{BASE}/{draft['id']}", json={"mapping": mapping})

    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"code": ""} == {"field": "body.mapping", "message": message, "code": ""}


async def test_an_import_of_somebody_else_is_not_there(http: httpx.AsyncClient, ada: Person, world: World) -> None:
    draft = await uploaded(http)
    eve = (await world.person("eve", "superuser")).http
    at = f"{BASE}/{draft['id']}"

    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"mapping": WHO}), ("DELETE", "", None), ("GET", "/trial", None),
        ("POST", "/start", None), ("GET", "/rest", None),
    ):  # fmt: skip
        assert (await eve.request(method, f"{at}{path}", json=body)).status_code == 404
    after = await eve.post(BASE, json=FILE | {"after": draft["id"]})
    assert (after.status_code, after.json()["errors"][0]["field"]) == (422, "body.after")
    assert UUID((await http.get(at)).json()["id"]) == UUID(draft["id"])


async def test_a_file_of_several_megabytes_is_taken(http: httpx.AsyncClient, ada: Person) -> None:
    row = f"{'x' * 400},ada@example.com\n"

    draft = await uploaded(http, csv=f"title,owner_id\n{row * 8_000}")

    assert (draft["total"], draft["columns"][0]["field"]) == (8_000, "title")
