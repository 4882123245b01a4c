"""The schemas of the OpenAPI documents: what a generator makes of them, and what people read in them."""

import re
from http import HTTPStatus

import msgspec
import pytest
from support.openapi import Document, body_of, objects, operations, parameters_of, resolved

from todo.http.document.schemas import structs_of
from todo.http.document.texts import examples, field_texts
from todo.http.limits import UNCOUNTED

LARGEST = 300_000  # bytes of the document for clients


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


async def test_choices_that_may_be_null_have_a_name(clients: Document) -> None:
    """Generators name others by their position: `RecurrenceOpensType0`."""
    choices = [one for node in objects(clients) for one in node.get("anyOf", ()) if "enum" in one]

    assert {one.get("title") for one in choices} == {"Opens", "SharedProjects", "Shift"}


async def test_every_alternative_of_a_parameter_has_a_type(document: Document) -> None:
    """Generators make others anything at all."""
    for path, _, operation in operations(document):
        for name, item in parameters_of(document, operation).items():
            found = [*item["schema"].get("anyOf", ()), *item["schema"].get("oneOf", ())]
            assert all("type" in one for one in found), (path, name)


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
