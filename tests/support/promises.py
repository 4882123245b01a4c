"""What the document for clients promises, as lines of text: the last ones are stored in tests/http/promises.txt.

A line of `offers` may be added at any time and never go: an operation, a parameter, a field of an answer. A line of
`demands` may go at any time and never be added: a required field, a limit, a kind of answer.

There is no kept comparer in Python that reads OpenAPI 3.1, and oasdiff would need Go to be installed. Besides, lines
read well in a diff, and in CHANGELOG. Run as a program, this stores those of this commit.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from todo.app import create_app
from todo.http.openapi import documents
from todo.settings import load_settings

STORED = Path(__file__).parents[1] / "http" / "promises.txt"
Node = dict[str, Any]
Promises = tuple[set[str], set[str]]  # offers and demands
LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern", "format")


def promises_of(document: Node) -> Promises:
    """Return offers and demands of a document."""
    sent, received = _schemas_of(document)
    offers: set[str] = set()
    demands: set[str] = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = f"{method.upper()} {path}"
            offers |= {name, f"{name} is called {operation['operationId']}"}
            offers |= {f"{name} answers {status}" for status in operation["responses"] if status < "300"}
            demands |= {f"{name} needs {operation['x-permission']}"} if "x-permission" in operation else set()
            for one in (_resolved(document, one) for one in operation["parameters"]):
                offers.add(f"{name} takes {one['in']} {one['name']}")
                demands |= {f"{name} requires {one['name']}"} if one.get("required") and one["in"] != "path" else set()
                offers |= {f"{name} takes {one['name']}={choice}" for choice in _choices(one["schema"])}
                demands |= {f"{name} limits {one['name']}: {limit}" for limit in _limits(one["schema"])}
    for name in received:
        for field, node in document["components"]["schemas"][name]["properties"].items():
            offers.add(f"{name}.{field} is taken")
            offers |= {f"{name}.{field} takes {kind}" for kind in _kinds(node)}
            demands |= {f"{name}.{field} is limited: {limit}" for limit in _limits(node)}
        demands |= {f"{name}.{field} is required" for field in document["components"]["schemas"][name]["required"]}
    for name in sent:
        schema = document["components"]["schemas"][name]
        offers |= {f"{name}.{field} is answered" for field in schema["properties"]}
        offers |= {f"{name}.{field} is always answered" for field in schema["required"]}
        for field, node in schema["properties"].items():
            demands |= {f"{name}.{field} may be {kind}" for kind in _kinds(node, choices=False)}
    return offers, demands


def broken(old: Promises, new: Promises) -> list[str]:
    """Return what breaks clients: offers that have gone, and new demands on what was there before."""
    gone = sorted(old[0] - new[0])
    added = [line for line in sorted(new[1] - old[1]) if _was_there(line, old[0]) and not _looser(line, old[1])]
    return [f"no longer: {line}" for line in gone] + [f"new: {line}" for line in added]


def _looser(line: str, demands: set[str]) -> bool:
    """Whether a limit lies beyond the one that was."""
    subject, _, value = line.rpartition(" ")
    if not subject.endswith(LIMITS[:6]):
        return False
    before = [float(one.rpartition(" ")[2]) for one in demands if one.rpartition(" ")[0] == subject]
    if not before:
        return False
    return float(value) >= max(before) if " max" in subject else float(value) <= min(before)


def _was_there(line: str, offers: set[str]) -> bool:
    """Whether a demand is on an operation, parameter or field that clients knew; new ones break nobody."""
    subject, _, rest = line.partition(" ")
    if subject in {"GET", "POST", "PATCH", "DELETE"}:
        path, verb, what = rest.split(" ")[:3]
        name = f"{subject} {path}"
        if verb == "limits":
            return any(line.startswith(f"{name} takes ") and line.endswith(f" {what.rstrip(':')}") for line in offers)
        return name in offers
    if " is required" in line:
        return any(line.startswith(f"{subject.partition('.')[0]}.") for line in offers)
    return any(line.startswith(f"{subject} ") for line in offers)


def _resolved(document: Node, node: Node) -> Node:
    if "$ref" not in node:
        return node
    section, name = node["$ref"].split("/")[-2:]
    found: Node = document["components"][section][name]
    return found


def _schemas_of(document: Node) -> tuple[set[str], set[str]]:
    """Return the names of the schemas in answers, and of those in bodies."""
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    sent = [answer for one in operations for answer in one["responses"].values()]
    problems = list(document["components"]["responses"].values())
    return _names(document, [sent, problems]), _names(document, [one.get("requestBody") for one in operations])


def _names(document: Node, nodes: list[Any]) -> set[str]:
    found: set[str] = set()
    waiting = nodes
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if str(node.get("$ref")).startswith("#/components/schemas/"):
            yield node["$ref"].rpartition("/")[2]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _members(node: Node) -> Iterator[Node]:
    """Yield a schema, or what it is one of."""
    inner = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if not inner:
        yield node
    for one in inner:
        yield from _members(one)


def _choices(node: Node) -> Iterator[str]:
    for one in _members(node.get("items", node)):
        yield from map(str, one.get("enum", [one["const"]] if "const" in one else []))


def _kinds(node: Node, *, choices: bool = True) -> Iterator[str]:
    for one in _members(node):
        name = one["$ref"].rpartition("/")[2] if "$ref" in one else str(one.get("type", "anything"))
        yield f"list of {next(_kinds(one['items']), '')}" if name == "array" else name
        if choices:
            yield from (json.dumps(choice) for choice in _choices(one))


def _limits(node: Node) -> Iterator[str]:
    for one in _members(node):
        yield from (f"{limit} {one[limit]}" for limit in LIMITS if limit in one)


def current() -> Node:
    """Return the document for clients of this commit."""
    app = create_app(load_settings(_env_file=None, env="test", database_url="postgresql://x/x", secret_key="x" * 32))
    found: Node = json.loads(documents(app).clients)
    return found


def stored() -> Promises:
    """Return the promises of the last release."""
    offers, _, demands = STORED.read_text().partition("\n\n")
    return set(offers.splitlines()), set(demands.splitlines())


def store(promises: Promises) -> None:
    """Store the promises of a release."""
    STORED.write_text("\n\n".join("\n".join(sorted(lines)) for lines in promises) + "\n")


if __name__ == "__main__":
    store(promises_of(current()))
