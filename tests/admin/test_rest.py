"""`/api/admin`: the same service over HTTP."""

import gc
import re
from typing import Any

import httpx
import pytest
from support.factories import Person, World
from support.openapi import parameters_of

ID = "0190f5f0-7c1d-7000-8000-000000000000"


@pytest.fixture
async def boss_http(world: World) -> httpx.AsyncClient:
    return (await world.person("chief", "superuser", timezone="UTC")).http


async def test_a_list_comes_with_facets(boss_http: httpx.AsyncClient, ada: Person) -> None:
    await ada.add("A", priority=1)
    await ada.add("B", status="waiting")

    answer = await boss_http.get("/api/admin/tasks?status=waiting&status=open&sort=-priority&limit=1")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [item["title"] for item in body["items"]] == ["A"]
    assert (body["total"], body["total_is_exact"], body["next_cursor"] is None) == (2, True, False)
    assert [facet["name"] for facet in body["facets"]][:2] == ["status", "priority"]
    assert "notes" not in body["items"][0]


@pytest.mark.parametrize(
    "query",
    [
        "tasks?nonsense=1", "tasks?owner_id=x", "tasks?status=lost", "tasks?sort=notes", "tasks?due_at=soon",
        "tasks?q=%00", "tasks?limit=0", "jobs?status=lost", f"jobs?function={501 * 'x'}", "settings?is_set=perhaps",
    ],
)  # fmt: skip
async def test_a_query_that_is_not_declared_is_refused(boss_http: httpx.AsyncClient, query: str) -> None:
    answer = await boss_http.get(f"/api/admin/{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{query.partition('?')[2].partition('=')[0]}"


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        *(("created_at", text, 200) for text in ("2026", "2026-11", "2026-11-25", "today", "..2026", "2026-11..today")),
        ("created_at", "2026-11-25T09:00:00Z..2026-11-25T10:00:00Z", 200), ("due_at", "empty", 200),
        ("created_at", "2026-13", 422), ("created_at", "2026-11-", 422), ("created_at", "", 422),
        ("priority", "1..3", 200), ("priority", "2..", 200), ("priority", "2", 200), ("priority", "x", 422),
        ("owner_id", ID, 200), ("owner_id", "empty..", 422), ("series_id", "set", 200), ("series_id", "x", 422),
        ("assignee_ids", ID, 200), ("assignee_ids", "x", 422),
    ],
)  # fmt: skip
async def test_a_filter_takes_what_the_document_says(
    boss_http: httpx.AsyncClient, name: str, text: str, status: int
) -> None:
    document = (await boss_http.get("/openapi-admin.json")).json()
    schema = parameters_of(document, document["paths"]["/api/admin/tasks"]["get"])[name]["schema"]["items"]

    assert valid(text, schema) is (status == 200)
    assert (await boss_http.get("/api/admin/tasks", params={name: text})).status_code == status


def valid(text: str, schema: dict[str, Any]) -> bool:
    """Whether a text is as a schema says, of which this knows what filters have."""
    if "anyOf" in schema and not any(valid(text, one) for one in schema["anyOf"]):
        return False
    is_id = re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    return (
        bool(re.search(schema.get("pattern", ""), text) and (is_id or schema.get("format") != "uuid"))
        and len(text) >= schema.get("minLength", 0)
        and text in schema.get("enum", [text])
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nonsense"), ("POST", "nonsense/import"), ("POST", "tasks/actions/nonsense"), ("GET", "roles/dates"),
        ("POST", f"tasks/{ID}/actions/add_service_account"), ("POST", f"users/{ID}/restore"),
        ("GET", "tasks/not-an-id"), ("GET", "settings/nonsense/history"),
    ],
)  # fmt: skip
async def test_what_no_resource_offers_is_not_there(boss_http: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await boss_http.request(method, f"/api/admin/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "users", "GET"), ("PATCH", f"sessions/{ID}", "GET"), ("DELETE", f"users/{ID}", "GET, PATCH")],
)
async def test_a_verb_that_a_resource_does_not_have_is_no_method_of_its_address(
    boss_http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await boss_http.request(method, f"/api/admin/{path}", json={})

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_field_that_is_filtered_by_one_value_takes_one(boss_http: httpx.AsyncClient) -> None:
    answer = await boss_http.get("/api/admin/tasks?priority=1&priority=2")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.priority")


async def test_a_user_with_another_role_is_sent_again(boss_http: httpx.AsyncClient, ada: Person) -> None:
    url = f"/api/admin/users/{ada.id}"
    known = {"If-None-Match": (await boss_http.get(url)).headers["etag"]}
    await boss_http.post(f"{url}/actions/grant_role", json={"role": "auditor"})

    answer = await boss_http.get(url, headers=known)

    assert (answer.status_code, answer.json()["roles"]) == (200, ["auditor", "member"])


async def test_the_life_of_a_row(boss_http: httpx.AsyncClient, ada: Person) -> None:
    added = await boss_http.post("/api/admin/tasks?reason=Ticket+17", json={"title": "Water", "owner_id": str(ada.id)})
    assert (added.status_code, added.headers["etag"]) == (201, '"1"')
    url = f"/api/admin/tasks/{added.json()['id']}"

    known = {"If-None-Match": (await boss_http.get(url)).headers["etag"]}
    assert (await boss_http.get(url, headers=known)).status_code == 304
    changed = await boss_http.patch(url, json={"priority": 2}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["notes"]) == (200, '"2"', "")
    stale = await boss_http.patch(url, json={"priority": 3}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["current"]["priority"]) == (412, 2)
    history = (await boss_http.get(f"{url}/history")).json()
    assert [entry["action"] for entry in history["items"]] == ["tasks.change", "tasks.add"]
    assert history["items"][1]["reason"] == "Ticket 17"
    undone = await boss_http.post(f"{url}/history/{history['items'][0]['id']}/revert")
    assert (undone.status_code, undone.json()["priority"]) == (200, 0)
    assert (await boss_http.delete(f"{url}?preview=true")).json()["to_trash"] is True
    assert (await boss_http.delete(url)).status_code == 204
    assert (await boss_http.post(f"{url}/restore")).json()["deleted_at"] is None
    done = await boss_http.post(f"{url}/actions/complete")
    assert (done.status_code, done.json()["done"]) == (200, 1)


async def test_a_repeated_request_happens_once(boss_http: httpx.AsyncClient, ada: Person) -> None:
    key = {"Idempotency-Key": "one"}
    body = {"title": "Water", "owner_id": str(ada.id)}

    answers = [await boss_http.post("/api/admin/tasks", json=body, headers=key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("form", ["csv", "json", "xlsx"])
async def test_an_export_is_a_file(boss_http: httpx.AsyncClient, ada: Person, form: str) -> None:
    await ada.add("Water")

    answer = await boss_http.get(f"/api/admin/tasks/export?form={form}&status=open")

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="tasks.{form}"'
    assert b"Water" in answer.content or form == "xlsx"


async def test_an_import_can_be_tried_and_applied(boss_http: httpx.AsyncClient, ada: Person) -> None:
    rows: list[dict[str, Any]] = [{"title": "A", "owner_id": str(ada.id)}]

    tried = await boss_http.post("/api/admin/tasks/import", json={"rows": rows})
    applied = await boss_http.post(
        "/api/admin/tasks/import", json={"csv": f"title,owner_id\nB,{ada.id}\n", "apply": True}
    )

    assert (tried.json()["applied"], tried.json()["added"]) == (False, 1)
    assert (applied.json()["applied"], applied.json()["added"]) == (True, 1)
    assert [item["title"] for item in (await boss_http.get("/api/admin/tasks")).json()["items"]] == ["B"]


async def test_the_steps_of_dates(boss_http: httpx.AsyncClient, ada: Person) -> None:
    task = await ada.add()
    month = task["created_at"][:7]

    async def steps(**params: str) -> dict[str, int]:
        answer = await boss_http.get("/api/admin/tasks/dates", params=params)
        return {one["value"]: one["count"] for one in answer.json()}

    assert await steps() == {month[:4]: 1}
    assert (await steps(within=month[:4]))[month] == 1
    for wrong in ("today", "2026-13", "0000", "2026..", "2026\n"):
        answer = await boss_http.get("/api/admin/tasks/dates", params={"within": wrong})
        assert [one["field"] for one in answer.json()["errors"]] == ["query.within"]


async def test_many_rows_at_once(boss_http: httpx.AsyncClient, ada: Person) -> None:
    ids = [(await ada.add(name))["id"] for name in "ABC"]

    some = await boss_http.post("/api/admin/tasks/actions/change", json={"ids": ids[:2], "form": {"priority": 4}})
    rest = await boss_http.post("/api/admin/tasks/actions/delete", json={"matching": {"filters": {"priority": ["0"]}}})

    assert (some.json()["done"], rest.json()["done"]) == (2, 1)


async def test_an_action_on_no_rows_is_refused(boss_http: httpx.AsyncClient) -> None:
    assert (await boss_http.post("/api/admin/tasks/actions/complete", json={})).status_code == 422


async def test_the_overview_says_what_one_may_do(world: World) -> None:
    person = await world.person("sue", "support")

    answer = await person.http.get("/api/admin")

    assert answer.status_code in {200, 403}


async def test_the_search_and_the_recent_rows(boss_http: httpx.AsyncClient, ada: Person) -> None:
    task = await ada.add("Unusual")
    await boss_http.patch(f"/api/admin/tasks/{task['id']}", json={"priority": 1})

    found = (await boss_http.get("/api/admin/search?q=unusual")).json()

    assert found == [{"resource": "tasks", "id": task["id"], "display": "Unusual"}]
    assert (await boss_http.get("/api/admin/recent")).json() == found


async def test_a_member_does_not_get_in(ada: Person) -> None:
    task = await ada.add()

    for path in ("", "/tasks", f"/tasks/{task['id']}", "/search?q=x"):
        assert (await ada.http.get(f"/api/admin{path}")).status_code == 403


async def test_a_request_refused_before_its_handler_keeps_no_connection(boss_http: httpx.AsyncClient) -> None:
    """Also when nobody collects the garbage: four sessions at a time are all that tests have."""
    too_long = {"reason": 501 * "x"}
    gc.disable()
    try:
        refused = [await boss_http.post("/api/admin/tasks", params=too_long, json={"title": "a"}) for _ in range(6)]
        added = await boss_http.post("/api/admin/roles", json={"name": "gardener", "permissions": []})
    finally:
        gc.enable()

    assert {answer.status_code for answer in refused} == {422}
    assert added.status_code == 201, added.text
