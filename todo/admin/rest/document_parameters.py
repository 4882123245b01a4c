"""The parameters of the admin's operations, as the OpenAPI document describes them."""

from collections.abc import Iterator
from typing import Any, get_args
from uuid import UUID

from todo.admin.declaration import Filter, ModelAdmin, Resource
from todo.admin.fields import Field, bare, without_none
from todo.admin.file_formats import FORMATS
from todo.admin.filters import EMPTY, LONGEST, NUMBERS, PERIODS, SET, TIMES
from todo.admin.rest.operations import Operation
from todo.admin.rest.parameters import MATCH, WITHIN, has_trash, most_values
from todo.http.document.shared import IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH
from todo.schema import NOT_EMPTY, ONE_LINE

LIMIT = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
TEXT = {"type": "string", "maxLength": 500} | NOT_EMPTY
TIME = r"T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?"
MOMENT = rf"(\d{{4}}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])({TIME})?)?)?|{'|'.join(PERIODS)})"
ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NUMBER = r"-?\d{1,18}"
VERSIONED = {"change", "delete", "act_on_one", "assign", "discard", "start"}


def parameters_of(resource: Resource, one: Operation) -> Iterator[dict[str, Any]]:
    """Return the parameters of an operation: of its path, of the query and headers."""
    is_table = isinstance(resource, ModelAdmin)
    uuid = {"type": "string", "format": "uuid"}
    if "{row_id}" in one.path:
        yield {
            "name": "row_id",
            "in": "path",
            "description": "Id of the row.",
            "required": True,
            "schema": uuid if is_table else {"type": "string"},
        }
    if "{event_id}" in one.path:
        about = "Id of the change in the history."
        yield {"name": "event_id", "in": "path", "description": about, "required": True, "schema": uuid}
    if "{import_id}" in one.path:
        yield {"name": "import_id", "in": "path", "description": "Id of the import.", "required": True, "schema": uuid}
    yield from _queries(resource, one)
    if takes_etag(one):
        yield IF_NONE_MATCH
    if has_version(resource, one):
        yield IF_MATCH
    if one.method == "POST":
        yield IDEMPOTENCY_KEY


def takes_etag(one: Operation) -> bool:
    """Return whether the operation accepts `If-None-Match`: every read, except of a file of any length."""
    return one.method == "GET" and one.kind not in {"export", "rest"}


def has_version(resource: Resource, one: Operation) -> bool:
    """Return whether the operation accepts `If-Match`."""
    return isinstance(resource, ModelAdmin) and one.kind in VERSIONED


def _queries(resource: Resource, one: Operation) -> Iterator[dict[str, Any]]:
    """Return the query parameters."""
    if one.method != "GET":
        yield _query("reason", "Reason, for the audit log.", TEXT | {"pattern": ONE_LINE})
    if one.kind == "delete":
        yield _query("preview", "Delete nothing; return what would also be deleted or changed.", {"type": "boolean"})
    if one.kind in {"list", "export"}:
        yield from (_filter(resource, item) for item in resource.filters)
        if resource.filters:
            yield _query("match", MATCH, {"type": "string", "enum": ["all", "any"], "default": "all"})
        names = "|".join(("id", *resource.sortable))
        pattern = f"^(-?({names})(,-?({names})){{0,2}})?$"
        order = {"type": "string", "maxLength": 200, "pattern": pattern}
        yield _query("sort", "Up to three fields, each once; `-` reverses one.", order)
        if has_trash(resource):
            yield _query("trash", "Return the rows in the trash instead.", {"type": "boolean", "default": False})
    if one.kind in {"list", "export", "options"}:
        words = _words(resource, one)
        yield _query("q", "The id of a row." if "pattern" in words else "Words to search for, or an id.", words)
    if one.kind in {"list", "history"}:
        yield _query("limit", "Maximum number of items per page.", LIMIT)
        yield _query("cursor", "`next_cursor` of the previous page.", TEXT)
    yield from _own_queries(resource, one)


def _own_queries(resource: Resource, one: Operation) -> Iterator[dict[str, Any]]:
    match one.kind:
        case "list":
            about = "Count the rows of each filter choice."
            yield _query("facets", about, {"type": "boolean", "default": True})
        case "export":
            columns = {"type": "string", "maxLength": 2000, "pattern": "^[a-z_,]*$", "default": ""}
            yield _query("columns", "Names of the fields to export, separated by commas; all without it.", columns)
            yield _query("form", "File format.", {"type": "string", "enum": list(FORMATS), "default": "csv"})
        case "as_of":
            instant = {"type": "string", "format": "date-time", "maxLength": 40} | NOT_EMPTY
            yield _query("at", "Instant, with its offset.", instant) | {"required": True}
        case "dates":
            within = {"type": "string", "maxLength": 7, "pattern": WITHIN} | NOT_EMPTY
            yield _query("within", "Year or month to divide further.", within)
        case "options":
            names = [field.name for field in resource.fields.values() if field.reference]
            yield _query("field", "Name of the reference field.", {"type": "string", "enum": names}) | {
                "required": True
            }


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _filter(resource: Resource, item: str | Filter) -> dict[str, Any]:
    """Describe a filter, whose values are text."""
    most = most_values(resource, item)
    if isinstance(item, Filter):
        name, label, extra = item.name, item.label or item.name, {"enum": list(item.choices)}
    else:
        field = resource.filtered[item]
        name, label, extra = field.name, field.label, _filter_choices(field)
    items = {"type": "string", "maxLength": LONGEST, **extra}
    words = "a value" if most == 1 else "one or more values"
    return _query(name, f"{label}: {words}.", {"type": "array", "items": items, "maxItems": most})


def _filter_choices(field: Field) -> dict[str, Any]:
    """Return what the values of a filter are, as `todo.admin.filters` reads them."""
    given = [EMPTY, SET] if field.nullable else []
    words = "".join(f"|{word}" for word in given)
    if field.choices and field.kind != "list":
        return {"enum": [*field.choices, *given]}
    if field.kind == "boolean":
        return {"enum": ["true", "false", *given]}
    if field.kind in TIMES:
        return {"pattern": rf"^({MOMENT}?(\.\.{MOMENT}?)?{words})$", "minLength": len("..") + 1}
    if field.kind in NUMBERS:
        number = NUMBER if field.kind == "integer" else rf"{NUMBER}(\.\d{{1,9}})?"
        return {"pattern": rf"^({number}|({number})?\.\.({number})?{words})$"}
    if _item(field) is UUID:
        return {"anyOf": [{"format": "uuid"}, {"enum": given}]} if given else {"format": "uuid"}
    return {}


def _item(field: Field) -> Any:
    """Return the type of a field, or of the items of its list."""
    kind = bare(without_none(field.type))
    return bare(get_args(kind)[0]) if field.kind == "list" else kind


def _words(resource: Resource, one: Operation) -> dict[str, Any]:
    """Return what can be searched for."""
    if one.kind == "options":
        return {"type": "string", "maxLength": 200} | NOT_EMPTY
    only_ids = isinstance(resource, ModelAdmin) and not resource.search
    return {"type": "string", "maxLength": 200, "default": ""} | ({"pattern": f"^({ID})?$"} if only_ids else {})
