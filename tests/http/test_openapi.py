"""The contract as a document: complete, valid, and true."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from support.factories import Person

from todo.app import create_app
from todo.http.document.operations import CREDENTIAL_PROBLEMS
from todo.http.document.schemas import structs_of
from todo.http.document.shared import ALWAYS, PROBLEMS, RECENT
from todo.http.document.texts import examples, field_texts
from todo.http.limits import UNCOUNTED
from todo.http.openapi import documents
from todo.http.server import serve
from todo.settings import Settings

Document = dict[str, Any]
LARGEST = 300_000  # bytes of the document for clients


@pytest.fixture(params=["/openapi.json", "/openapi-admin.json"])
async def document(client: httpx.AsyncClient, request: pytest.FixtureRequest) -> Document:
    return await read_document(client, request.param)


@pytest.fixture
async def everything(client: httpx.AsyncClient) -> Document:
    return await read_document(client, "/openapi-admin.json")


@pytest.fixture
async def clients(client: httpx.AsyncClient) -> Document:
    return await read_document(client, "/openapi.json")


async def read_document(client: httpx.AsyncClient, path: str) -> Document:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: Document = answer.json()
    return found


def resolved(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """The node, or the shared component it refers to."""
    if "$ref" not in node:
        return node
    section, name = node["$ref"].split("/")[-2:]
    found: dict[str, Any] = document["components"][section][name]
    return found


def parameters_of(document: Document, operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [resolved(document, one) for one in operation["parameters"]]
    return {one["name"]: one for one in found}


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
        assert operation["security"] == ([{"bearer": []}] if guarded else []), path
        sent = operation["responses"].keys() & {"401", "403"}
        assert sent == ({"401", "403"} if guarded else set(CREDENTIAL_PROBLEMS.get(path, ()))), path


async def test_what_takes_an_id_or_a_body_or_a_version_documents_how_that_is_refused(document: Document) -> None:
    for path, method, operation in operations(document):
        names = parameters_of(document, operation).keys()
        sent = operation["responses"].keys()
        assert ("404" in sent) is ("{" in path), path
        assert ("412" in sent) is ("If-Match" in names), path
        assert ("304" in sent) is ("If-None-Match" in names), path
        assert ({"413", "415"} <= sent) is (method in {"post", "patch"} or "requestBody" in operation), path
        assert ("409" in sent) is (method != "get"), path


async def test_every_guarded_post_takes_an_idempotency_key_where_answers_are_kept(document: Document) -> None:
    for path, method, operation in operations(document):
        names = parameters_of(document, operation).keys()
        keyed = "x-permission" in operation and method == "post" and not path.startswith("/api/auth/")
        assert ("Idempotency-Key" in names) is keyed, path


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
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: built.append("documents" in app.state))

    serve(app, settings)

    assert built == [True]
    assert documents(app) is documents(app)


async def test_no_field_of_a_body_has_a_default(document: Document) -> None:
    """Generators for TypeScript make a field required when it has one."""
    with_default = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, description in schema.get("properties", {}).items()
        if any("default" in node for node in objects(description))
    ]

    assert with_default == []


async def test_no_query_parameter_may_be_null(document: Document) -> None:
    """On the wire `null` would be the text of four letters."""
    for path, _, operation in operations(document):
        for name, item in parameters_of(document, operation).items():
            assert all("null" not in (node.get("type"), *node.get("enum", ())) for node in objects(item)), (path, name)


async def test_kinds_are_constants_and_tell_the_members_of_a_union_apart(document: Document) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["Day"]["properties"]["kind"].items() >= {"type": "string", "const": "day"}.items()
    for name in ("TaskIn", "TaskOut"):
        due = next(one for one in schemas[name]["properties"]["due"]["anyOf"] if "oneOf" in one)
        assert due["discriminator"]["propertyName"] == "kind"
        assert {one["$ref"] for one in due["oneOf"]} == set(due["discriminator"]["mapping"].values())


async def test_a_sign_in_answers_tokens_or_that_a_second_factor_is_required(document: Document) -> None:
    login = document["paths"]["/api/auth/login"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    schemas = document["components"]["schemas"]

    assert login == {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Tokens", "MfaRequired")]}
    assert schemas["Tokens"]["required"] == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert schemas["MfaRequired"]["required"] == ["mfa_token"]


async def test_every_list_says_what_is_in_it(document: Document) -> None:
    assert [node for node in objects(document) if node.get("type") == "array" and "items" not in node] == []


async def test_every_instant_of_an_answer_says_so(clients: Document) -> None:
    for name, schema in clients["components"]["schemas"].items():
        for field, description in schema["properties"].items():
            if field.endswith("_at"):
                assert any(node.get("format") == "date-time" for node in objects(description)), f"{name}.{field}"


async def test_every_answer_documents_its_headers_and_says_what_it_is(document: Document) -> None:
    phrases = {status.description for status in HTTPStatus}
    for path, method, operation in operations(document):
        keyed = "Idempotency-Key" in parameters_of(document, operation)
        for status, reference in operation["responses"].items():
            answer = resolved(document, reference)
            assert "X-Request-ID" in answer["headers"], (path, status)
            assert answer["description"].endswith(".") and answer["description"] not in phrases, (path, status)
            if status < "300":
                assert ("RateLimit" in answer["headers"]) is (path not in UNCOUNTED), path
                assert ("Idempotency-Replayed" in answer["headers"]) is (keyed and method == "post"), path
            if status in {"429", "503"}:
                assert "Retry-After" in answer["headers"] or path.startswith("/health/"), path


async def test_every_field_outside_administration_is_described(clients: Document) -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in clients["components"]["schemas"].items()
        for field, description in schema["properties"].items()
        if not re.fullmatch(r"(?s).*\S{2,}.*", description.get("description", ""))
    ]

    assert bare == []


async def test_every_description_of_a_field_is_shown_at_one(everything: Document) -> None:
    schemas = everything["components"]["schemas"]
    names = {field for schema in schemas.values() for field in schema.get("properties", ())}

    for name, fields in field_texts().items():
        if name == "fields":
            assert fields.keys() <= names
        else:
            shown = {field: schemas[name]["properties"][field]["description"] for field in fields}
            assert [field for field, words in fields.items() if not shown[field].startswith(words)] == [], name


async def test_what_an_absent_field_means_is_in_its_description(clients: Document) -> None:
    fields = clients["components"]["schemas"]["TaskIn"]["properties"]

    assert fields["status"]["description"] == 'Where it stands. Default: `"open"`.'
    assert "Default" not in fields["notes"]["description"] + fields["due"]["description"]


async def test_every_body_has_an_example_and_so_have_the_answers_of_a_first_hour(clients: Document) -> None:
    bodies = {name for _, _, one in operations(clients) for name, _ in body_of(clients, one)}
    shown = {name for name, schema in clients["components"]["schemas"].items() if "examples" in schema}

    assert shown >= bodies | {"TaskOut", "Completed", "Tokens", "MfaRequired", "Me", "ReminderOut", "NotificationOut"}
    assert shown == examples().keys()


@pytest.mark.parametrize("name", examples())
def test_an_example_is_what_the_service_takes_or_answers(name: str) -> None:
    (kind,) = {kind for found, kind in structs_of(msgspec.Struct) if found == name}

    value = msgspec.convert(examples()[name], kind)
    assert examples()[name].keys() <= msgspec.to_builtins(value).keys()


async def test_what_is_deprecated_says_since_when_and_until_when(document: Document) -> None:
    for path, _, operation in operations(document):
        for status, reference in operation["responses"].items():
            if operation.get("deprecated") and status < "300":
                assert resolved(document, reference)["headers"].keys() >= {"Deprecation", "Sunset"}, path


async def test_every_tag_is_described_tasks_first(document: Document) -> None:
    described = [tag["name"] for tag in document["tags"]]

    assert described[0] == "Tasks"
    assert set(described) == {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    assert all(tag["description"].endswith(".") for tag in document["tags"])


async def test_the_description_tells_how_to_start(document: Document) -> None:
    text = document["info"]["description"]

    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "Getting started"
    assert {"Pages", "Versions", "Idempotency", "Limits", "Time zones", "Errors"} <= set(headings)
    for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/api/[^`]*)`", text):
        assert method.lower() in document["paths"][path], path
