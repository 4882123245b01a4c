"""The OpenAPI documents as Python sees them."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import httpx

Document: TypeAlias = dict[str, Any]


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
