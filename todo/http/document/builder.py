"""The two documents, for clients and with administration."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar

from todo.http.document.operations import paths_of_routes
from todo.http.document.shared import shared_components
from todo.http.document.texts import info, tags_of

ADMIN = "/api/admin"
METHODS = ("get", "post", "patch", "delete")


class Documents(NamedTuple):
    """The documents as JSON."""

    clients: bytes
    everything: bytes


def build(app: Litestar) -> Documents:
    """Build both documents. `app.state.admin_paths` gives paths and components of the administration."""
    found = app.openapi_schema.to_schema()
    paths, schemas = paths_of_routes(app, found["paths"])
    admin_paths, admin_schemas = app.state.admin_paths()
    everything = {path: in_order(item) for path, item in (paths | admin_paths).items()}
    schemas = admin_schemas | schemas
    clients = {path: item for path, item in everything.items() if not path.startswith(ADMIN)}
    return Documents(*(_document(chosen, schemas) for chosen in (clients, everything)))


def in_order(item: dict[str, Any]) -> dict[str, Any]:
    """Return the operations of a path in one order: Litestar's differs from process to process."""
    return {method: item[method] for method in METHODS if method in item}


def _document(paths: dict[str, Any], schemas: dict[str, Any]) -> bytes:
    shared_paths, parameters = share_parameters(paths)
    components = shared_components() | {"schemas": schemas}
    components["parameters"] |= parameters
    document = {
        "openapi": "3.1.0", "info": info(), "servers": [{"url": "/"}], "tags": tags_of(paths), "paths": shared_paths
    }  # fmt: skip
    return msgspec.json.encode(document | {"components": used(document, components)})


def share_parameters(paths: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the paths with references to the parameters that several operations have, and these parameters."""
    counts = Counter(
        msgspec.json.encode(one, order="sorted")
        for item in paths.values()
        for operation in item.values()
        for one in operation["parameters"]
        if "$ref" not in one
    )
    names: dict[str, bytes] = {}  # the most frequent one gets the name
    for text, count in counts.most_common():
        if count > 1:
            names.setdefault(component_name(msgspec.json.decode(text)["name"]), text)
    references = {text: {"$ref": f"#/components/parameters/{name}"} for name, text in names.items()}
    shared = {
        path: {method: operation | {"parameters": [
            references.get(msgspec.json.encode(one, order="sorted"), one) for one in operation["parameters"]
        ]} for method, operation in item.items()}
        for path, item in paths.items()
    }  # fmt: skip
    return shared, {name: msgspec.json.decode(text) for name, text in names.items()}


def component_name(name: str) -> str:
    """Return the name of a shared parameter: `TaskId` for `task_id`."""
    return "".join(word.capitalize() for word in re.split(r"\W|_", name))


def used(document: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Return the components that the document refers to, directly or through others."""
    kept: dict[str, dict[str, Any]] = {"securitySchemes": components["securitySchemes"]}
    waiting = [document]
    while waiting:
        for section, name in references(waiting.pop()):
            if name not in kept.setdefault(section, {}):
                kept[section][name] = components[section][name]
                waiting.append(kept[section][name])
    return {section: dict(sorted(found.items())) for section, found in sorted(kept.items())}


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Yield section and name of each component that a node refers to."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            section, name = reference.split("/")[-2:]
            yield section, name
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)
