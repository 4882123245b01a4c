"""Convert input to the types of fields: JSON values, or (`lax`) text as people type it."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, get_args

import msgspec
from msgspec import NODEFAULT, UNSET, Struct

from todo.admin.declaration import Action
from todo.admin.fields import Field, holds, kind_of, label_of, read_text
from todo.errors import FieldError, Invalid
from todo.field_errors import code_of, value_errors

# Kinds whose constraints `holds` describes, as this resource knows them.
PLAIN = {"choice", "boolean", "integer", "number", "instant", "local", "day", "id", "reference"}
REQUIRED = "This field is required."


class Missing(ValueError):
    """A field that is required has no value."""


def fields_of_action(action: Action) -> list[Field]:
    """Return the fields of an action's form, if it has one."""
    found = []
    for one in msgspec.structs.fields(action.form) if action.form else ():
        kind, choices = kind_of(one.type)
        reference = action.references.get(one.encode_name, "")
        default = None if one.default in (NODEFAULT, UNSET) else one.default
        nullable = NoneType in get_args(one.type)
        found.append(
            Field(
                one.encode_name,
                label_of(one.encode_name),
                "reference" if reference else kind,
                one.type,
                nullable,
                one.required,
                default,
                choices,
                reference,
            )  # fmt: skip
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
            errors += _field_errors(name, known.get(name), value, error)
    errors += [FieldError(f"body.{name}", REQUIRED, "required") for name in required if name not in values]
    if errors:
        raise Invalid.fields(errors)
    return found


def read_action_form(action: Action, form: type[Struct], values: Mapping[str, Any], *, lax: bool = False) -> Struct:
    """Convert the form of an action. Raise Invalid for all invalid fields."""
    fields = fields_of_action(action)
    found = read_fields(fields, values, [field.name for field in fields if field.required], lax=lax)
    try:
        return msgspec.convert(found, form)
    except msgspec.ValidationError as error:  # checks of the form as a whole
        raise Invalid.fields([FieldError("body", str(error).partition(" - at `$")[0])]) from None


def _converted(field: Field, value: Any, *, lax: bool) -> Any:
    if lax and isinstance(value, str):
        value = read_text(field, value)
    if value is UNSET:
        raise Missing(REQUIRED)
    if value is None and field.nullable:
        return None
    return msgspec.convert(value, field.type, strict=not lax)


def _field_errors(name: str, field: Field | None, value: Any, error: Exception) -> list[FieldError]:
    place = f"body.{name}"
    if isinstance(error, Missing):
        return [FieldError(place, str(error), "required")]
    if field is None:
        return [FieldError(place, str(error), "unknown")]
    if not isinstance(error, msgspec.ValidationError):
        return [FieldError(place, str(error))]
    if field.kind in PLAIN:
        return [FieldError(place, f"Must be {holds(field)}.", code_of(field.type, msgspec.json.encode(value)))]
    return value_errors(value, field.type, place) or [FieldError(place, str(error).partition(" - at `$")[0])]
