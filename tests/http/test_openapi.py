"""The contract as a document: complete, valid, and true."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.factories import Person

from todo.http.openapi import ALWAYS, FOUND_OUT, NOT_RECENT, PROBLEMS

Document = dict[str, Any]
SECTIONS = {"schemas", "securitySchemes"}


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Document:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: Document = answer.json()
    return found


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def body_of(document: Document, operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas a request body is made of, by name."""
    waiting = [operation.get("requestBody", {})]
    seen: set[str] = set()
    while waiting:
        for node in objects(waiting.pop()):
            name = node.get("$ref", "").rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                schema = document["components"]["schemas"][name]
                yield name, schema
                waiting.append(schema)


async def test_it_is_openapi_3_1(document: Document) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert document["info"].keys() >= {"title", "version", "description"}


async def test_every_reference_leads_somewhere(document: Document) -> None:
    references = {node["$ref"] for node in objects(document) if "$ref" in node}

    known = {f"#/components/{section}/{name}" for section in SECTIONS for name in document["components"][section]}
    assert references <= known


async def test_names_of_schemas_can_be_names_of_classes(document: Document) -> None:
    assert [name for name in document["components"]["schemas"] if not re.fullmatch("[A-Z][A-Za-z]+", name)] == []


async def test_every_operation_has_a_name_of_its_own(document: Document) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []


async def test_every_operation_has_a_summary_and_an_example(document: Document) -> None:
    bare = [
        operation["operationId"]
        for _, _, operation in operations(document)
        if not operation["summary"].endswith(".") or "Example: `" not in operation["description"]
    ]

    assert bare == []


async def test_every_parameter_of_a_path_is_described(document: Document) -> None:
    for path, _, operation in operations(document):
        described = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path)), path


async def test_what_needs_a_recent_sign_in_says_so(document: Document) -> None:
    said = {
        operation["operationId"]
        for _, _, operation in operations(document)
        if operation["responses"].get("401", {}).get("description") == NOT_RECENT
    }

    assert said >= {"add_token", "add_invitation", "delete_passkey", "admin_grant_role_users", "admin_change_roles"}
    assert said.isdisjoint({"list_tokens", "list_tasks", "reauthenticate", "admin_enable_users"})


async def test_every_operation_documents_its_problems(document: Document) -> None:
    for path, _, operation in operations(document):
        rule_problems = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert rule_problems.keys() >= {*ALWAYS}, path
        for status, answer in rule_problems.items():
            if not path.startswith("/health/"):
                assert answer["description"] in {PROBLEMS[status], NOT_RECENT}
                assert set(answer["content"]) == {"application/problem+json"}


async def test_what_needs_a_credential_says_so(document: Document) -> None:
    for path, _, operation in operations(document):
        guarded = "x-permission" in operation
        assert (operation.get("security") == [{"bearer": []}]) is guarded, path
        sent = operation["responses"].keys() & {"401", "403"}
        assert sent == ({"401", "403"} if guarded else set(FOUND_OUT.get(path, ()))), path


async def test_what_takes_an_id_or_a_body_or_a_version_documents_how_that_is_refused(document: Document) -> None:
    for path, method, operation in operations(document):
        names = {item["name"] for item in operation.get("parameters", ())}
        sent = operation["responses"].keys()
        assert ("404" in sent) is ("{" in path), path
        assert ("412" in sent) is ("If-Match" in names), path
        assert ("304" in sent) is ("If-None-Match" in names), path
        assert ({"413", "415"} <= sent) is (method in {"post", "patch"} or "requestBody" in operation), path
        assert ("409" in sent) is (method != "get"), path


async def test_every_guarded_post_takes_an_idempotency_key_where_answers_are_kept(document: Document) -> None:
    for path, method, operation in operations(document):
        names = {item["name"] for item in operation.get("parameters", ())}
        keyed = "x-permission" in operation and method == "post" and not path.startswith("/api/auth/")
        assert ("Idempotency-Key" in names) is keyed, path


async def test_what_answers_one_row_documents_its_etag(document: Document) -> None:
    important = {
        operation["operationId"]
        for _, _, operation in operations(document)
        if any("ETag" in answer.get("headers", ()) for answer in operation["responses"].values())
    }

    assert important >= {
        "add_task",
        "get_task",
        "change_task",
        "complete_task",
        "reopen_task",
        "restore_task",
        "get_me",
    }


async def test_bodies_refuse_unknown_fields(document: Document) -> None:
    bodies = {name: schema for _, _, operation in operations(document) for name, schema in body_of(document, operation)}

    assert bodies.keys() >= {"TaskIn", "TaskPatch", "Registration", "Login", "Recurrence", "Day", "Floating", "Zoned"}
    assert [name for name, schema in bodies.items() if schema["additionalProperties"] is not False] == []


def limited(schema: dict[str, Any]) -> bool:
    """Whether every text, number and list in a schema has a limit."""
    for node in objects(schema):
        kind = node.get("type")
        if kind == "string" and not {"maxLength", "format", "pattern", "enum", "const"} & node.keys():
            return False
        if kind in {"integer", "number"} and not {"minimum", "maximum"} <= node.keys():
            return False
        if kind == "array" and "maxItems" not in node:
            return False
    return True


async def test_every_field_of_a_body_has_its_limits(document: Document) -> None:
    unlimited = [
        f"{name}.{field}"
        for _, _, operation in operations(document)
        for name, schema in body_of(document, operation)
        for field, description in schema["properties"].items()
        if not limited(description)
    ]

    assert unlimited == []


async def test_the_limits_of_query_parameters_are_documented(document: Document) -> None:
    parameters = {item["name"]: item["schema"] for item in document["paths"]["/api/tasks"]["get"]["parameters"]}

    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 200)
    assert (parameters["priority"]["minimum"], parameters["priority"]["maximum"]) == (0, 4)
    assert parameters["due_before"]["format"] == "date-time"
    assert parameters["status"]["maxItems"] == 5
    assert parameters["cursor"]["maxLength"] == 500


async def test_a_task_is_as_the_document_says(document: Document, ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2026-12-31"})

    described = document["components"]["schemas"]["TaskOut"]
    assert task.keys() == described["properties"].keys() == set(described["required"])


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/start.js", "/docs/start.css"]
)
async def test_the_page_and_what_it_needs_are_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/docs", "text/html"), ("/docs/start.css", "text/css"), ("/docs/start.js", "text/javascript")],
)
async def test_browsers_learn_the_type_of_what_they_get(client: httpx.AsyncClient, path: str, kind: str) -> None:
    answer = await client.get(path)

    assert answer.headers["content-type"].partition(";")[0] == kind


async def test_the_page_asks_no_other_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    script = await client.get("/docs/start.js")

    assert not re.search(r"(https?:)?//\w", page.text + script.text)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*", " ".join(policy.values()))


async def test_every_address_on_the_page_is_served(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")

    for address in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
        assert (await client.get(address)).status_code == 200, address


@pytest.mark.parametrize(
    "path", ["/docs/unknown", "/docs/index.html", "/docs/LICENSE", "/docs/..%2findex.html", "/docs/%2e%2e", "/docs/a/b"]
)
async def test_nothing_else_is_served_beside_it(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
