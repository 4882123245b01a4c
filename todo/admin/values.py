"""What was sent for fields, as the types of these fields: JSON values, or (`lax`) texts as people type them."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, get_args

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from todo.admin.fields import Field, holds, kind_of, label_of, read_text
from todo.errors import BLAMED, FieldError, Invalid

# Kinds whose limits words can say; of the others msgspec says which one is broken.
PLAIN = {"choice", "boolean", "integer", "number", "instant", "local", "day", "id", "reference"}


def fields_of_form(form: type[Struct]) -> list[Field]:
    """What an action asks for, as fields."""
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
    """The values as the types of their fields. Raises Invalid that names every field that is wrong."""
    known = {field.name: field for field in fields}
    found: dict[str, Any] = {}
    errors = []
    for name, value in values.items():
        try:
            if name not in known:
                raise ValueError("There is no such field, or it cannot be written.")
            found[name] = _converted(known[name], value, lax=lax)
        except (ValueError, TypeError) as error:
            errors.append(_field_error(name, known.get(name), error))
    errors += [FieldError(f"body.{name}", "This is needed.") for name in required if name not in values]
    if errors:
        raise Invalid("The request holds a value that cannot be accepted.", errors=errors)
    return found


def read_action_form(form: type[Struct], values: Mapping[str, Any], *, lax: bool = False) -> Struct:
    """The form of an action. Raises Invalid that names every field that is wrong."""
    fields = fields_of_form(form)
    found = read_fields(fields, values, [field.name for field in fields if field.required], lax=lax)
    try:
        return msgspec.convert(found, form)
    except msgspec.ValidationError as error:  # what the form checks as a whole
        raise Invalid(
            "The request holds a value that cannot be accepted.", errors=[_field_error("", None, error)]
        ) from None


def _converted(field: Field, value: Any, *, lax: bool) -> Any:
    if lax and isinstance(value, str):
        value = read_text(field, value)
    if value is UNSET:
        raise ValueError("This is needed.")
    if value is None and field.nullable:
        return None
    return msgspec.convert(value, field.type, strict=not lax)


def _field_error(name: str, field: Field | None, error: Exception) -> FieldError:
    if isinstance(error, msgspec.ValidationError) and field is not None and field.kind in PLAIN:
        return FieldError(f"body.{name}", f"Give {holds(field)}.")
    message, _, place = str(error).partition(" - at `$")
    place = place.strip("`")
    if blamed := BLAMED.match(message):
        place = f"{place}.{blamed[1]}"
    return FieldError(f"body.{name}{place}", message)
