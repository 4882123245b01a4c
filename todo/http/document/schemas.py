"""JSON Schemas of bodies and answers: as msgspec makes them, then fit for generated clients."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from inspect import cleandoc
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import json

from todo.http.document.texts import examples, field_text
from todo.schema import NOT_EMPTY

Schema = dict[str, Any]
REF = "#/components/schemas/"
GENERIC = re.compile(r"\bPage_(\w+)_$")  # msgspec's name for Page[TaskOut]


def schemas_of(kinds: Iterable[Any]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Return the schema of each type, and the components these refer to."""
    wanted = list(kinds)
    single = list(dict.fromkeys(one for kind in wanted for one in _members(kind)))
    schemas, components = json.schema_components(single, ref_template=f"{REF}{{name}}")
    for name, kind in structs_of(msgspec.Struct):
        if name in components:
            _complete(components[name], kind)
    known = dict(zip(single, map(tidy, schemas), strict=True))
    shown = {
        kind: known[kind] if kind in known else {"oneOf": [known[one] for one in _members(kind)]} for kind in wanted
    }
    return shown, {component_name(name): _component(component_name(name), one) for name, one in components.items()}


def _component(name: str, schema: Schema) -> Schema:
    """Return a component whose fields have a description, and their default only in it."""
    found: Schema = tidy(schema)
    for field, node in found.get("properties", {}).items():
        words = [node.get("description") or field_text(name, field)]
        is_body = schema.get("additionalProperties") is False
        default = schema["properties"][field].get("default") if is_body else None
        words += [f"Default: `{json.encode(default).decode()}`."] if default not in (None, "", []) else []
        if description := " ".join(filter(None, words)):
            node["description"] = description
    return found | ({"examples": [examples()[name]]} if name in examples() else {})


def _members(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, which msgspec describes only when they are tagged, or the type itself."""
    return get_args(kind) if get_origin(kind) is UnionType else (kind,)


def component_name(name: str) -> str:
    """Return the name of a component: `TaskOutPage` for `Page_TaskOut_`."""
    return GENERIC.sub(r"\1Page", name)


def structs_of(kind: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yield every descendant of a struct with its name; other packages can have some of the same name."""
    for child in kind.__subclasses__():
        if child.__module__.startswith(("todo.", "msgspec")):  # msgspec's are those that are defined at run time
            yield child.__name__, child
        yield from structs_of(child)


def _complete(schema: Schema, kind: type[msgspec.Struct]) -> None:
    """Add what msgspec leaves out: the format of instants, and that answers always have fields with a default."""
    hints = get_type_hints(kind, include_extras=True)
    config = kind.__struct_config__
    for field in msgspec.structs.fields(kind):
        node = schema["properties"].get(field.encode_name, {})
        if _is_instant(hints[field.name]):
            text = next(one for one in (node, *node.get("anyOf", ())) if one.get("type") == "string")
            text["format"] = "date-time"
        sent = not config.omit_defaults and not config.forbid_unknown_fields
        if sent and not field.required and field.default is not msgspec.UNSET:
            schema["required"] = [*schema["required"], field.encode_name]


def _is_instant(hint: Any) -> bool:
    """Return whether values of a type are instants, which wall-clock times are not."""
    if get_origin(hint) is Annotated:
        is_local = any(isinstance(one, msgspec.Meta) and one.tz is False for one in hint.__metadata__)
        return not is_local and _is_instant(hint.__origin__)
    return hint is datetime or any(map(_is_instant, get_args(hint)))


def tidy(node: Any) -> Any:
    """Return a schema that generators read well: typed enums, `const`, one description a field, no defaults.

    Generators for TypeScript make a field required when it has a default.
    """
    if isinstance(node, list):
        return [tidy(child) for child in node]
    if not isinstance(node, dict):
        return node
    titled = "enum" in node  # a name for choices that may be null; other titles repeat the name of a component
    found = {name: tidy(child) for name, child in node.items() if name != "default" and (titled or name != "title")}
    if "properties" in node:
        found["properties"] = {name: tidy(child) for name, child in node["properties"].items()}
    if "discriminator" in node:
        return _discriminated(node)
    if {} in node.get("anyOf", ()):
        del found["anyOf"]  # anything at all
    for exact in found.pop("allOf", ()):  # in place of what msgspec takes from the type
        found |= exact
    if isinstance(node.get("$ref"), str):
        found["$ref"] = REF + component_name(node["$ref"].removeprefix(REF))
    if isinstance(node.get("description"), str):
        found["description"] = cleandoc(node["description"])
    return _typed(_lifted(found))


def _discriminated(node: Schema) -> Schema:
    """`oneOf` instead of `anyOf`: the kinds exclude each other."""
    rest = {name: child for name, child in node.items() if name not in {"anyOf", "oneOf", "default"}}
    return {"oneOf": node.get("oneOf") or node["anyOf"], **rest}


def _typed(node: Schema) -> Schema:
    """Name the type of an enum of texts, and write an enum of one as `const`."""
    choices = node.get("enum")
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        return node
    rest = {name: child for name, child in node.items() if name != "enum"}
    return rest | {"type": "string"} | ({"const": choices[0]} if len(choices) == 1 else {"enum": choices})


def _lifted(node: Schema) -> Schema:
    """Describe a field that may be null once, beside its type."""
    members = node.get("anyOf")
    if not isinstance(members, list) or "description" in node:
        return node
    words = [one["description"] for one in members if isinstance(one.get("description"), str)]
    if not words:
        return node
    bare = [{name: child for name, child in one.items() if name != "description"} for one in members]
    return node | {"anyOf": bare, "description": words[0]}


def parameter_schema(schema: Schema) -> Schema:
    """Return the schema of a query parameter or header, which has no null."""
    members = [one for one in schema.get("oneOf", ()) if one != {"type": "null"}]
    if len(members) == 1:
        schema = {name: child for name, child in schema.items() if name != "oneOf"} | members[0] | _limits(schema)
    if isinstance(schema.get("type"), list):
        kind = next(kind for kind in schema["type"] if kind != "null")
        schema = schema | {"type": kind, "enum": [choice for choice in schema["enum"] if choice is not None]}
    found = {name: child for name, child in schema.items() if name != "description"}
    whole = found.get("type") == "integer"
    return _typed({name: int(child) if whole and isinstance(child, float) else child for name, child in found.items()})


def not_empty(schema: Schema) -> Schema:
    """Return the schema of a query parameter without the empty text, which is rejected before its handler is called."""
    if schema.get("type") == "array":
        return schema | {"items": not_empty(schema["items"])}
    if schema.get("type") != "string" or "enum" in schema or "const" in schema:
        return schema
    return NOT_EMPTY | {name: child for name, child in schema.items() if (name, child) != ("default", "")}


def _limits(schema: Schema) -> Schema:
    return {name: child for name, child in schema.items() if name not in {"oneOf", "type"}}
