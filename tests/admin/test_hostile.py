"""Whatever is sent to the admin is answered or refused: never a fault of ours, and a refusal changes nothing."""

from typing import Any

import pytest
from support.admin_rows import Rows
from support.factories import Person, World

from todo.admin.declaration import ModelAdmin
from todo.database import Database
from todo.modules import REGISTRY

TABLES = [one for one in REGISTRY if isinstance(one, ModelAdmin)]
IDS = {"ids": lambda value: getattr(value, "name", str(value))}
ID = "0190f5f0-7c1d-7000-8000-000000000000"
TEXTS = [
    "", " ", "\x00", "a\x00b", "null", "true", "-1", "9" * 400, "1e400", "NaN", "inf", "..", "1..", "..1", "2..1",
    "a..b", "0000", "0000-01", "9999", "9999-12", "9999-12-31", "10000", "2026-13", "2026-02-30", "2026-11-25T25:00",
    "2026-11-25T10:00:00+99:00", "0001-01-01", "0001..9999", "today", "empty", "set", "%", "\\", "'", '"', "🙂",
    "\u202e", "x" * 500, ID, "{}", "[]", "-0", "0x10", "1_000", "\u0661",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "", "\x00", "a\x00b", "x" * 2000, "🙂", "=1+1", [], [None],
    ["\x00"], ["x"] * 501, {}, {"kind": "day"}, {"kind": "day", "date": "9999-12-31"}, {"a": {"b": [1] * 50}},
    {"kind": "zoned", "at": "0001-01-01T00:00", "timezone": "Mars/Base"}, "2026-02-30", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", ID,
]  # fmt: skip
RAW = [b"", b"{", b"[]", b"null", b'"x"', b"[" * 5000, b'{"a":' * 5000, b'{"name": "\\ud800"}', b"\xff\xfe", b"{}"]


@pytest.fixture
async def root(world: World) -> Person:
    return await world.person("root", "superuser", timezone="UTC")


@pytest.mark.parametrize("resource", [*REGISTRY], **IDS)
async def test_no_text_in_an_address_is_a_fault(root: Person, resource: Any) -> None:
    names = [*resource.filter_names, "q", "sort", "cursor", "limit", "trash", "facets"]
    requests = [(name, text) for name in names for text in TEXTS]

    answers = [await root.http.get(f"/api/admin/{resource.name}", params={name: text}) for name, text in requests]

    sent = {ask: answer.status_code for ask, answer in zip(requests, answers, strict=True)}
    assert {ask: status for ask, status in sent.items() if status not in {200, 422}} == {}


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_no_value_of_a_field_is_a_fault(
    root: Person, database: Database, sql: Any, resource: ModelAdmin[Any]
) -> None:
    """The last answer must still be readable: nothing is stored that cannot be shown."""
    row_id = await Rows(REGISTRY, database, root.id).of(resource)
    base = f"/api/admin/{resource.name}"
    for field in resource.fields.values():
        for value in VALUES:
            if field.on_change:
                answer = await root.http.patch(f"{base}/{row_id}", json={field.name: value})
                assert answer.status_code in {200, 409, 422}, (field.name, value, answer.text)
            if field.on_add:
                answer = await root.http.post(base, json={field.name: value})
                assert answer.status_code in {201, 403, 409, 422}, (field.name, value, answer.text)

    for path in (base, f"{base}/{row_id}", f"{base}/{row_id}/history"):
        assert (await root.http.get(path)).status_code == 200


@pytest.mark.parametrize("resource", TABLES, **IDS)
async def test_no_body_is_a_fault(root: Person, database: Database, sql: Any, resource: ModelAdmin[Any]) -> None:
    row_id = await Rows(REGISTRY, database, root.id).of(resource)
    base, kind = f"/api/admin/{resource.name}", {"content-type": "application/json"}
    paths = {"add": ("POST", base), "change": ("PATCH", f"{base}/{row_id}"), "import": ("POST", f"{base}/import")}
    requests = [paths[verb] for verb in paths if verb in resource.verbs]
    requests += [("POST", f"{base}/actions/{name}") for name in ("change", "delete") if name in resource.verbs]

    for method, path in requests:
        for body in RAW:
            answer = await root.http.request(method, path, content=body, headers=kind)
            assert answer.status_code in {200, 400, 422}, (path, body[:20], answer.text)
            assert answer.status_code != 200 or (method, body) == ("PATCH", b"{}")


@pytest.mark.parametrize("resource", [one for one in TABLES if "import" in one.verbs], **IDS)
async def test_no_file_is_a_fault(root: Person, sql: Any, resource: ModelAdmin[Any]) -> None:
    names = [field.name for field in resource.fields.values() if field.on_add]
    rows = [{name: value} for name in names for value in VALUES] + [{"id": value} for value in (*VALUES, *TEXTS)]
    before = await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"')

    answer = await root.http.post(f"/api/admin/{resource.name}/import", json={"rows": rows, "apply": True})

    assert (answer.status_code, answer.json()["applied"]) == (200, False)
    assert [row["number"] for row in answer.json()["rows"]] == list(range(1, len(rows) + 1))
    assert await sql.fetch(f'SELECT * FROM "{resource.model.__tablename__}"') == before
