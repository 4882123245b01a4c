"""The OpenAPI description of the admin: a path for each operation of each resource, with exact types."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from todo.admin.declaration import Filter, ModelAdmin, Resource, RowsAdmin
from todo.admin.describing import Description
from todo.admin.explanations import Explanation
from todo.admin.file_formats import FORMATS
from todo.admin.registry import Registry
from todo.admin.rest.document_parameters import has_version, parameters_of, takes_etag
from todo.admin.rest.imports import IMPORTS, ImportFile, ImportMapping
from todo.admin.rest.operations import Operation, operations_of
from todo.admin.rest.parameters import ImportIn, body_for_many, form_of
from todo.admin.rest.reads import READS
from todo.admin.rest.writes import WRITES
from todo.admin.schemas import (
    Facet,
    FacetValue,
    HistoryPage,
    ImportJob,
    ImportReport,
    Option,
    Outcome,
    Preview,
    RowAsOf,
)
from todo.http.document.schemas import schemas_of
from todo.http.document.shared import ALWAYS, LIMITED, UNCHANGED, headers, problems

ID = "0190f5f0-7c1d-7000-8000-000000000000"
ANSWERS = {
    "docs": Description, "history": HistoryPage, "as_of": RowAsOf, "explanation": Explanation,
    "dates": list[FacetValue], "options": list[Option], "import": ImportReport, "delete": Preview, "act": Outcome,
    "act_on_one": Outcome, "act_on_many": Outcome, "trial": ImportReport,
    **dict.fromkeys(("upload", "import_job", "assign", "start"), ImportJob),
}  # fmt: skip
BODIES: dict[str, type[Struct]] = {"import": ImportIn, "upload": ImportFile, "assign": ImportMapping}
HANDLERS = {handler.opt["kind"]: handler for handler in (*READS, *WRITES, *IMPORTS)}
OF_ONE_ROW = {"get", "add", "change", "restore", "revert"}  # their response is the row


def paths_of(registry: Registry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the paths of the OpenAPI document, and the component schemas they refer to."""
    offered = [(resource, one) for resource in registry for one in operations_of(resource)]
    types = {kind: None for resource, one in offered for kind in (_body(resource, one), _answer(resource, one)) if kind}
    shown, components = schemas_of(types)
    paths: dict[str, Any] = {}
    for resource, one in offered:
        path = paths.setdefault(f"/api/admin/{resource.name}{one.path}", {})
        path[one.method.lower()] = _operation(resource, one, shown)
    return paths, components


def _operation(resource: Resource, one: Operation, shown: dict[Any, Any]) -> dict[str, Any]:
    summary, body = _summary(resource, one), _body(resource, one)
    answers = _responses(resource, one, shown)
    found: dict[str, Any] = {
        "tags": [f"Admin: {resource.label}"],
        "operationId": _operation_id(resource, one),
        "summary": summary,
        "description": f"{summary}\n\nExample: `{_example(resource, one)}`",
        "parameters": list(parameters_of(resource, one)),
        "responses": answers | problems(_problems(resource, one), recent=resource.is_dangerous(one.verb)),
        "security": [{"bearer": []}],
        "x-permission": f"{resource.name}.{one.verb}",
    }
    if body is not None:
        found["requestBody"] = {"required": True} | _json(shown[body])
    return found


def _operation_id(resource: Resource, one: Operation) -> str:
    word = f"{one.name}_many" if one.kind == "act_on_many" else one.name or one.kind
    return f"admin_{word}_{resource.name}"


def _body(resource: Resource, one: Operation) -> Any:
    """Return the type of a request body, or None."""
    if one.kind == "act_on_many" and isinstance(resource, ModelAdmin):
        return body_for_many(resource, one.name)
    if isinstance(resource, ModelAdmin) and one.kind in {"add", "change"}:
        return resource.new if one.kind == "add" else resource.patch
    return BODIES.get(one.kind) or form_of(resource, one.name)


def _answer(resource: Resource, one: Operation) -> Any:
    """Return the type of the response, or None for a file."""
    if one.kind == "list":
        return page_type(resource)
    return resource.out if one.kind in OF_ONE_ROW else ANSWERS.get(one.kind)


_pages: dict[type[Struct], type[Struct]] = {}


def page_type(resource: Resource) -> type[Struct]:
    """Return the type of a page of rows."""
    row: Any = resource.out
    if row not in _pages:
        fields: list[Any] = [
            ("items", list[row]), ("next_cursor", str | None), ("total", int | None), ("total_is_exact", bool),
            ("facets", list[Facet]), ("sums", dict[str, int | float] | None), ("looked_through", int | None),
        ]  # fmt: skip
        doc = "A page of rows. `total` is exact up to 10,000; beyond, an estimate or a lower bound, without `sums`."
        _pages[row] = msgspec.defstruct(f"{row.__name__}Page", fields, kw_only=True, namespace={"__doc__": doc})
    return _pages[row]


def _responses(resource: Resource, one: Operation, shown: dict[Any, Any]) -> dict[str, Any]:
    is_row = one.kind in OF_ONE_ROW and isinstance(resource, ModelAdmin)
    names = ["ETag"] if is_row or takes_etag(one) or one.kind in {"upload", "assign", "start"} else []
    names += ["Idempotency-Replayed"] if one.method == "POST" else []
    answer = {"description": _success(resource, one), "headers": headers([*names, *LIMITED])}
    if one.kind == "export":
        rows = {"type": "array", "items": {"type": "object"}}
        kinds = {kind: {"schema": rows if "json" in kind else {"type": "string"}} for kind in FORMATS.values()}
        return {"200": answer | {"content": kinds}}
    if one.kind == "rest":
        return {"200": answer | {"content": {FORMATS["csv"]: {"schema": {"type": "string"}}}}}
    if one.kind == "discard":
        return {"204": answer}
    found = {"201" if one.kind in {"add", "upload"} else "200": answer | _json(shown[_answer(resource, one)])}
    if takes_etag(one):
        found["304"] = UNCHANGED
    if one.kind == "delete":
        found["204"] = {"description": "The row was deleted; no body.", "headers": headers(LIMITED)}
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _success(resource: Resource, one: Operation) -> str:
    """Say what a successful answer is."""
    words = {
        "list": f"A page of {resource.label.lower()}.", "docs": "What the resource is, and what you may do with it.",
        "history": "A page of changes, the latest first.", "as_of": "The row as it was then.",
        "explanation": "What holds now, then the timeline.",
        "dates": "Years, months or days, and how many rows each.",
        "options": "Rows to choose from.", "import": "What was or would be imported, and what was refused.",
        "delete": "With `preview`: what would also be deleted or changed; nothing is deleted.",
        "export": "The file.", "rest": "The file.", "discard": "The import was deleted; no body.",
        "trial": "What would be imported of the first 20 rows, and what would be refused.",
        **dict.fromkeys(("upload", "import_job", "assign", "start"), "The import."),
    }  # fmt: skip
    return "The row." if one.kind in OF_ONE_ROW else words.get(one.kind, "What the action did.")


def _problems(resource: Resource, one: Operation) -> Iterable[str]:
    found = {*ALWAYS, "401", "403", "429"}
    found |= {"404"} if "{" in one.path else set()
    found |= {"409"} if one.method != "GET" else set()
    found |= {"412"} if has_version(resource, one) else set()
    return found | ({"413", "415"} if one.method in {"POST", "PATCH"} else set())


def _summary(resource: Resource, one: Operation) -> str:
    """Return the summary of an operation."""
    if one.kind in {"act", "act_on_one"}:
        action = resource.actions[one.name]
        return action.help or f"{action.label}."
    if one.kind == "act_on_many":
        words = one.name.replace("_", " ").capitalize()
        return f"{words} many rows; those that fail are listed in `failed`. More than 100 run in the background."
    return (HANDLERS[one.kind].fn.__doc__ or "").partition("\n")[0]


def _example(resource: Resource, one: Operation) -> str:
    """Return an example URL of the operation."""
    row = "some-id" if isinstance(resource, RowsAdmin) else ID
    query = {
        "list": f"?{_example_filter(resource)}", "export": "?form=csv", "dates": "?within=2026-11",
        "options": "?field=owner_id&q=ada", "delete": "?preview=true",
    }.get(one.kind, "")  # fmt: skip
    path = one.path.replace("{row_id}", row).replace("{event_id}", ID).replace("{import_id}", ID)
    return f"{one.method} /api/admin/{resource.name}{path}{query}"


def _example_filter(resource: Resource) -> str:
    """Return an example filter with a value."""
    if not resource.filters:
        return "limit=20"
    item = resource.filters[0]
    if isinstance(item, Filter):
        return f"{item.name}={next(iter(item.choices))}"
    field = resource.filtered[item]
    usual = {"boolean": "true", "reference": ID, "text": "rent"}.get(field.kind, "2026")
    return f"{item}={field.choices[0] if field.choices else usual}"
