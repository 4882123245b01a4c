"""The contract as a document: complete, valid, and true."""

import re
from typing import Any

import httpx
import pytest
import uvicorn
from support.factories import Person
from support.openapi import Document, body_of, objects, operations, parameters_of, resolved

from todo.app import create_app
from todo.http.document.operations import CREDENTIAL_PROBLEMS
from todo.http.document.shared import ALWAYS, PROBLEMS, RECENT
from todo.http.openapi import documents
from todo.http.server import serve
from todo.settings import Settings

BY_ANY_CREDENTIAL = {"get_token", "list_scopes"}
LARGEST = 400_000  # bytes of the document for clients


async def test_it_is_openapi_3_1(document: Document) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert document["info"].keys() >= {"title", "version", "description"}


async def test_every_reference_leads_somewhere(document: Document) -> None:
    references = {node["$ref"] for node in objects(document) if "$ref" in node}

    known = {f"#/components/{section}/{name}" for section, found in document["components"].items() for name in found}
    assert references == known - {"#/components/securitySchemes/bearer"}  # nothing is there that nobody refers to


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
        shown = parameters_of(document, operation)
        described = {name for name, item in shown.items() if item["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path)), path


async def test_what_needs_a_recent_sign_in_says_so(everything: Document) -> None:
    said = {
        operation["operationId"]
        for _, _, operation in operations(everything)
        if operation["responses"].get("401", {}).get("$ref", "").endswith(RECENT)
    }

    assert said >= {"add_token", "add_invitation", "delete_passkey", "admin_grant_role_users", "admin_change_roles"}
    assert said.isdisjoint({"list_tokens", "list_tasks", "reauthenticate", "admin_enable_users"})


async def test_every_operation_documents_its_problems(document: Document) -> None:
    for path, _, operation in operations(document):
        rule_problems = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert rule_problems.keys() >= {*ALWAYS}, path
        for status, answer in rule_problems.items():
            if not path.startswith("/health/"):
                assert answer["$ref"].rpartition("/")[2] in {PROBLEMS[status][0], RECENT}
                assert set(resolved(document, answer)["content"]) == {"application/problem+json"}


async def test_what_needs_a_credential_says_so(document: Document) -> None:
    for path, _, operation in operations(document):
        guarded = "x-permission" in operation
        by_any = operation["operationId"] in BY_ANY_CREDENTIAL
        assert operation["security"] == ([{"bearer": []}] if guarded or by_any else []), path
        sent = operation["responses"].keys() & {"401", "403"}
        refused = {"401"} if by_any else set(CREDENTIAL_PROBLEMS.get(path, ()))
        assert sent == ({"401", "403"} if guarded else refused), path


async def test_what_takes_an_id_or_a_body_or_a_version_documents_how_that_is_refused(document: Document) -> None:
    for path, method, operation in operations(document):
        names = parameters_of(document, operation).keys()
        sent = operation["responses"].keys()
        assert ("404" in sent) is ("{" in path), path
        assert ("412" in sent) is ("If-Match" in names), path
        assert ("304" in sent) is ("If-None-Match" in names), path
        assert ({"413", "415"} <= sent) is (method in {"post", "patch"} or "requestBody" in operation), path
        assert ("409" in sent) is (method != "get"), path


async def test_every_post_takes_an_idempotency_key_or_says_why_not(document: Document) -> None:
    for path, method, operation in operations(document):
        keyed = "Idempotency-Key" in parameters_of(document, operation)
        reason = re.search(r"Takes no `Idempotency-Key`: [a-z`].+\.$", operation["description"])
        assert (keyed or reason is not None) is (method == "post"), path
        assert not keyed or (operation["security"] and reason is None), path


async def test_what_answers_a_row_or_a_list_documents_its_etag(document: Document) -> None:
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
        "list_tasks",
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
    found = parameters_of(document, document["paths"]["/api/tasks"]["get"])
    parameters = {name: item["schema"] for name, item in found.items()}

    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 200)
    assert (parameters["priority"]["minimum"], parameters["priority"]["maximum"]) == (0, 4)
    assert parameters["due_before"]["format"] == "date-time"
    assert parameters["status"]["maxItems"] == 5
    assert parameters["cursor"]["maxLength"] == 500


async def test_no_text_of_a_query_may_be_empty_but_in_lists_of_the_administration(document: Document) -> None:
    lists = re.compile("admin_(list|export)_")
    texts = {
        (operation["operationId"], name): item["schema"]
        for _, _, operation in operations(document)
        for name, item in parameters_of(document, operation).items()
        if item["in"] == "query" and item["schema"]["type"] == "string" and not lists.match(operation["operationId"])
    }

    lax = [
        found for found, schema in texts.items() if not {"enum", "const"} & schema.keys() and "minLength" not in schema
    ]
    assert texts
    assert lax == []


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("ada@example.com", True),
        (" ada@example.com ", True),
        ("ada", False),
        ("a@b", False),
        ("a\x01@example.com", False),
    ],
)
async def test_the_document_says_what_an_address_is(document: Document, text: str, allowed: bool) -> None:
    pattern = document["components"]["schemas"]["Registration"]["properties"]["email"]["pattern"]

    assert bool(re.search(pattern, text)) is allowed


async def test_a_task_is_as_the_document_says(document: Document, ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2026-12-31"})

    described = document["components"]["schemas"]["TaskOut"]
    assert task.keys() == described["properties"].keys() == set(described["required"])


async def test_the_document_for_clients_is_small_and_without_administration(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")

    assert len(answer.content) < LARGEST
    assert not any(path.startswith("/api/admin") for path in answer.json()["paths"])


async def test_the_document_with_administration_has_all_that_clients_have(
    clients: Document, everything: Document
) -> None:
    assert everything["paths"].keys() > clients["paths"].keys()
    assert everything["components"]["schemas"].keys() > clients["components"]["schemas"].keys()


def test_both_documents_are_built_before_the_server_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings)
    built: list[bool] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda _: built.append("documents" in app.state))

    serve(app, settings)

    assert built == [True]
    assert documents(app) is documents(app)
