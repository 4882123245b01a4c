"""Every kind of refusal has a code, a page and a sentence; the answer to a refused body names all that is wrong."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any, get_args

import httpx
import pytest
from support.factories import Person

from todo import problem_types
from todo.domain.tasks.schemas import TaskIn
from todo.errors import Problem
from todo.field_errors import MOST, field_errors
from todo.problem_types import FIELD_CODES, PROBLEM_TYPES, FieldCode

ROOT = Path(__file__).parents[2]
SECOND = {"Status", "FieldError", "Invalid.field"}  # whose second argument is the message
RAISED = {"Forbidden", "Conflict", "Unauthorized", "Invalid", "Unavailable", "NotFound", *SECOND}


def messages() -> Iterator[tuple[str, str]]:
    """The text of every literal message in the code, with its place; `x` stands for what is put in."""
    for path in sorted((ROOT / "todo").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in RAISED:
                first = int(name in SECOND)
                if len(node.args) > first and (text := literal(node.args[first])):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def literal(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
    return ""


def kinds(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def test_every_message_is_a_sentence() -> None:
    found = dict(messages())

    assert len(found) > 150
    assert {place: text for place, text in found.items() if not re.fullmatch(r"[A-Zx`].*[.!?]x?", text)} == {}


def test_no_message_is_in_terms_of_python() -> None:
    terms = re.compile(r"`(int|str|bool|list|dict|array|object)`|Expected `|\bregex\b|NoneType")

    assert [text for _, text in messages() if terms.search(text)] == []


def test_every_problem_has_a_registered_type_with_its_status() -> None:
    assert {kind.__name__: kind.slug for kind in kinds() if kind.slug not in PROBLEM_TYPES} == {}
    assert {
        kind.__name__ for kind in kinds() if kind is not Problem and PROBLEM_TYPES[kind.slug].status != kind.status
    } <= {"Status"}  # which takes both from its argument


def test_every_type_and_code_says_in_sentences_what_it_means() -> None:
    texts = [text for kind in PROBLEM_TYPES.values() for text in (kind.when, kind.advice)] + [*FIELD_CODES.values()]

    assert [text for text in texts if not re.fullmatch(r"[A-Z`].*\.", text)] == []
    assert set(FIELD_CODES) == set(get_args(FieldCode))


def test_the_page_of_problem_types_is_made_from_the_registry() -> None:
    assert (ROOT / "docs/problems.md").read_text() == "\n".join(problem_types.markdown()) + "\n", (
        "Run `python -m todo.problem_types > docs/problems.md`."
    )


async def test_the_type_of_a_problem_is_a_page_with_what_to_do(ada: Person) -> None:
    refused = (await ada.http.post("/api/tasks", json={})).json()
    page = await ada.http.get(refused["type"], headers={"accept": "text/html"})
    data = await ada.http.get(refused["type"])

    assert (refused["type"], refused["code"]) == ("/problems/invalid-values", "invalid-values")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "errors" in page.text
    assert data.json()["advice"] == PROBLEM_TYPES["invalid-values"].advice


async def test_all_problem_types_are_listed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems")
    page = await client.get("/problems", headers={"accept": "text/html"})
    unknown = await client.get("/problems/no-such-type")

    assert [item["code"] for item in answer.json()] == [*PROBLEM_TYPES]
    assert page.text.count("<li>") == len(PROBLEM_TYPES)
    assert unknown.status_code == 404


async def test_everything_that_is_wrong_with_a_body_is_reported_at_once(ada: Person) -> None:
    body = {"title": "", "priority": 9, "deadline": "soon", "due": {"kind": "day", "date": "2026-02-30"}, "label": []}
    answer = await ada.http.post("/api/tasks", json=body)

    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("body.title", "too_short"), ("body.priority", "too_large"), ("body.due.date", "wrong_format"),
        ("body.deadline", "wrong_format"), ("body.label", "unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"title": ""}, "too_short", "This must be text on one line of 1 to 500 characters."),
        ({"title": "a" * 501}, "too_long", "This must be text on one line of 1 to 500 characters."),
        ({"title": 1}, "wrong_type", "This must be text on one line of 1 to 500 characters."),
        ({}, "required", "This is required; it must be text on one line of 1 to 500 characters."),
        ({"title": "a", "priority": 9}, "too_large", "This must be a whole number from 0 to 4."),
        ({"title": "a", "priority": -1}, "too_small", "This must be a whole number from 0 to 4."),
        (
            {"title": "a", "status": "finished"},
            "not_a_choice",
            "This must be one of cancelled, done, in_progress, open, waiting.",
        ),
        (
            {"title": "a", "due": "2026-12-31"},
            "wrong_type",
            "This must be an object with `kind` one of day, floating, zoned, or null.",
        ),
        ({"title": "a", "due": {"kind": "day", "date": "2026-02-30"}}, "wrong_format",
         "This must be a date, such as 2026-12-31."),
        ({"title": "a", "due": {"kind": "floating", "at": "2026-12-31T09:00Z"}}, "wrong_format",
         "This must be a local date and time, such as 2026-12-31T09:00, without UTC offset."),
    ],
)  # fmt: skip
async def test_a_field_error_says_what_is_allowed(ada: Person, body: dict[str, Any], code: str, message: str) -> None:
    answer = await ada.http.post("/api/tasks", json=body)

    (error,) = answer.json()["errors"]
    assert (error["code"], error["message"]) == (code, message)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("limit=abc", "wrong_type", "This must be a whole number from 1 to 200."),
        ("limit=201", "too_large", "This must be a whole number from 1 to 200."),
        ("count=yes", "wrong_type", "This must be true or false."),
        ("titel=a", "unknown", "There is no such parameter."),
    ],
)
async def test_a_parameter_error_says_what_is_allowed(ada: Person, query: str, code: str, message: str) -> None:
    answer = await ada.http.get(f"/api/tasks?{query}")

    assert answer.json()["errors"] == [{"field": f"query.{query.partition('=')[0]}", "message": message, "code": code}]


async def test_every_wrong_parameter_is_reported(ada: Person) -> None:
    answer = await ada.http.get("/api/tasks?limit=abc&priority=9&count=yes")

    assert {error["field"] for error in answer.json()["errors"]} == {"query.limit", "query.priority", "query.count"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"x": 1' + b"".join(b',"a%d":{}' % number for number in range(80_000)) + b"}",
        b'{"title": [' + b"[]," * 300_000 + b"1]}",
        b'{"recurrence": {"holidays": [' + b'"x",' * 200_000 + b"1]}}",
        b'{"due": {"kind": "day", "date": [' + b"[]," * 300_000 + b"1]}}",
    ],
    ids=["fields", "lists", "items", "deep"],
)
def test_a_megabyte_of_errors_is_looked_at_briefly_and_in_part(body: bytes) -> None:
    began = process_time()
    found = field_errors(body, TaskIn)

    assert process_time() - began < 0.15  # some 0.05 here; without limits more than a second
    assert 0 < len(found) <= MOST


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_client_can_tell_refusals_apart(ada: Person, client: httpx.AsyncClient) -> None:
    task = (await ada.http.post("/api/tasks", json={"title": "a"})).json()
    path, key = f"/api/tasks/{task['id']}", {"idempotency-key": "only-one"}
    await ada.http.post("/api/tasks", json={"title": "b"}, headers=key)

    assert code(await ada.http.post("/api/tasks", json={"title": "c"}, headers=key)) == (422, "idempotency-key-reused")
    assert code(await ada.http.post(f"{path}/reopen")) == (409, "task-open")
    assert code(await ada.http.post(f"{path}/skip")) == (409, "not-recurring")
    assert code(await ada.http.patch(path, json={"title": "d"}, headers={"if-match": '"9"'})) == (412, "stale-version")
    await ada.http.post(f"{path}/complete")
    assert code(await ada.http.post(f"{path}/complete")) == (409, "already-done")
    assert code(await ada.http.post(f"{path}/move", json={"due": {"kind": "day", "date": "2026-12-31"}})) == (
        409, "task-closed",
    )  # fmt: skip
    assert code(await client.get("/api/tasks")) == (401, "sign-in-required")
    assert code(await client.get("/api/tasks", headers={"authorization": "Bearer nothing"})) == (401, "invalid-token")
    assert code(await ada.http.get("/api/admin/users")) == (403, "permission-required")
    assert code(await client.post("/api/auth/login", json={"email": "a@b.example", "password": "wrong words"})) == (
        401, "wrong-credentials",
    )  # fmt: skip
    assert code(await ada.http.post("/api/tasks", content=b"{", headers={"content-type": "application/json"})) == (
        400, "malformed-request",
    )  # fmt: skip
    assert json.loads((await ada.http.put("/api/tasks")).content)["code"] == "method-not-allowed"
