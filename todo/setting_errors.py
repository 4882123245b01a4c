"""What is wrong with a setting, in one sentence that names the variable and what is allowed."""

import os
import re
from textwrap import shorten
from typing import Any

from pydantic_core import ErrorDetails

PREFIX = "TODO_"


class SettingsError(Exception):
    """A setting is invalid. The message names the variable and the reason."""


def sentence(error: ErrorDetails, schema: dict[str, Any]) -> str:
    """Return the sentence for an error of pydantic; `schema` is the JSON schema of the settings."""
    return f"{variable(error['loc'])}: {_reason(error, schema)}."


def variable(location: tuple[int | str, ...]) -> str:
    """Return the variable, with the place inside a list of objects: `TODO_ISSUERS.0.audience`."""
    name, *inside = map(str, location)
    if name == "TODO_PORT" and name not in os.environ and "PORT" in os.environ:
        name = "PORT"
    full = name if name.isupper() else PREFIX + name.upper()
    return ".".join([full, *inside]) if inside[1:] else full


def _reason(error: ErrorDetails, schema: dict[str, Any]) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "must be given"
        case "extra_forbidden":
            return "is not a known field"
    return f"must be {_allowed(_part(schema, error['loc']))}, not {shown(error['input'])}"


def _part(schema: dict[str, Any], location: tuple[int | str, ...]) -> dict[str, Any]:
    """Return the schema of what is at a location."""
    found: dict[str, Any] = schema
    for step in location:
        name = str(step).removeprefix(PREFIX).lower()
        found = found["items"] if isinstance(step, int) else found["properties"][name]
        found = schema["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
    return found


def _allowed(part: dict[str, Any]) -> str:
    match next((choice for choice in part.get("anyOf", ()) if choice["type"] != "null"), part):
        case {"enum": [*words]}:
            return f"{', '.join(words[:-1])} or {words[-1]}"
        case {"type": "integer"}:
            return f"a whole number{_range(part)}"
        case {"type": "number"}:
            return f"a number{_range(part)}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "array"}:
            return "a list that is not empty"
        case {"type": "object", "required": names}:
            return f"an object with {', '.join(names)}"
        case {"maxLength": longest}:
            return f"text of 1 to {longest} characters"
    return "text that is not empty"


def _range(limits: dict[str, Any]) -> str:
    match limits:
        case {"minimum": least, "maximum": most}:
            return f" from {least} to {most}"
        case {"minimum": least}:
            return f" of at least {least}"
        case {"exclusiveMinimum": bound}:
            return f" greater than {bound}"
    return ""


def shown(value: object) -> str:
    """Return a wrong value as part of a sentence."""
    return shorten(without_passwords(str(value)), 60, placeholder="...") or "empty"


def without_passwords(url: str) -> str:
    """Return a text with the passwords of URLs hidden."""
    text = re.sub(r"(://[^:/@]*:).*@", r"\1********@", url)
    return re.sub(r"(password=)[^&]+", r"\1********", text)
