"""Convert input to the types of fields: JSON values, or (`lax`) text as people type it."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, get_args

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from todo.admin.fields import Field, holds, kind_of, label_of, read_text
from todo.errors import BLAMED, FieldError, Invalid

# Kinds whose constraints `holds` describes; for the others msgspec names the violated one.
PLAIN = {"choice", "boolean", "integer", "number", "instant", "local", "day", "id", "reference"}


def fields_of_form(form: type[Struct]) -> list[Field]:
    """Return the fields of an action's form."""
    found = []
    for one in msgspec.structs.fields(form):
        kind, choices = kind_of(one.type)
        default = None if one.default in (NODEFAULT, UNSET) else one.default
        nullable = NoneType in get_args(one.type)
        found.append(
            Field(one.encode_name, label_of(one.encode_name), kind, one.type, nullable, one.required, default, choices)
        )
    return found


def read_fields(
    fields: Iterable[Field], values: Mapping[str, Any], required: Iterable[str] = (), *, lax: bool = False
) -> dict[str, Any]:
    """Convert the values to the types of their fields. Raise Invalid for all invalid fields."""
    known = {field.name: field for field in fields}
    found: dict[str, Any] = {}
    errors = []
    for name, value in values.items():
        try:
            if name not in known:
                raise ValueError("The field does not exist or is read-only.")
            found[name] = _converted(known[name], value, lax=lax)
        except (ValueError, TypeError) as error:
            errors.append(_field_error(name, known.get(name), error))
    errors += [FieldError(f"body.{name}", "This field is required.") for name in required if name not in values]
    if errors:
        raise Invalid("The request has invalid values.", errors=errors)
    return found


def read_action_form(form: type[Struct], values: Mapping[str, Any], *, lax: bool = False) -> Struct:
    """Convert an action's form. Raise Invalid for all invalid fields."""
    fields = fields_of_form(form)
    found = read_fields(fields, values, [field.name for field in fields if field.required], lax=lax)
    try:
        return msgspec.convert(found, form)
    except msgspec.ValidationError as error:  # checks of the form as a whole
        raise Invalid("The request has invalid values.", errors=[_field_error("", None, error)]) from None


def _converted(field: Field, value: Any, *, lax: bool) -> Any:
    if lax and isinstance(value, str):
        value = read_text(field, value)
    if value is UNSET:
        raise ValueError("This field is required.")
    if value is None and field.nullable:
        return None
    return msgspec.convert(value, field.type, strict=not lax)


def _field_error(name: str, field: Field | None, error: Exception) -> FieldError:
    if isinstance(error, msgspec.ValidationError) and field is not None and field.kind in PLAIN:
        return FieldError(f"body.{name}", f"Must be {holds(field)}.")
    message, _, place = str(error).partition(" - at `$")
    place = place.strip("`")
    if blamed := BLAMED.match(message):
        place = f"{place}.{blamed[1]}"
    return FieldError(f"body.{name}{place}", message)
