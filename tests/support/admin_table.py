"""The routes a registry stands for, told once more: from the declarations, not from the code that makes them."""

from collections.abc import Iterator
from typing import Any

from todo.admin.declaration import ENTER, ModelAdmin, Resource
from todo.admin.registry import Registry

IMPORT = "/import/jobs/{import_id}"
BASE = "/api/admin"


def rest_routes(registry: Registry) -> dict[str, str]:
    """Route -> the permission it asks for, beside the one to enter."""
    found = dict.fromkeys([f"GET {BASE}", f"GET {BASE}/search", f"GET {BASE}/recent"], ENTER)
    for resource in registry:
        found |= {
            f"{method} {BASE}/{resource.name}{path}": f"{resource.name}.{verb}"
            for method, path, verb in (*_read(resource), *_acted(resource), *_written(resource))
        }
    return found


def _read(resource: Resource) -> Iterator[tuple[str, str, str]]:
    for path in ("", "/docs", "/{row_id}"):
        yield "GET", path, "view"
    if "export" in resource.verbs:
        yield "GET", "/export", "export"
    if "explain" in resource.verbs:
        yield "GET", "/{row_id}/explanation", "explain"
    if isinstance(resource, ModelAdmin):
        yield "GET", "/{row_id}/history", "view"
        yield "GET", "/{row_id}/as-of", "view"
        if resource.date_hierarchy:
            yield "GET", "/dates", "view"
        if any(field.kind == "reference" for field in resource.fields.values()):
            yield "GET", "/options", "view"


def _acted(resource: Resource) -> Iterator[tuple[str, str, str]]:
    for action in resource.actions.values():
        if action.on == "row":
            yield "POST", f"/{{row_id}}/actions/{action.name}", action.name
        if action.on == "resource" or isinstance(resource, ModelAdmin):
            yield "POST", f"/actions/{action.name}", action.name


def _written(resource: Resource) -> Iterator[tuple[str, str, str]]:
    paths: dict[str, list[tuple[str, str]]] = {
        "add": [("POST", "")],
        "change": [
            ("PATCH", "/{row_id}"), ("POST", "/actions/change"), ("POST", "/{row_id}/history/{event_id}/revert"),
        ],
        "delete": [("DELETE", "/{row_id}"), ("POST", "/actions/delete")],
        "import": [
            ("POST", "/import"), ("POST", "/import/jobs"), *((method, IMPORT) for method in ("GET", "PATCH", "DELETE")),
            ("GET", f"{IMPORT}/trial"), ("POST", f"{IMPORT}/start"), ("GET", f"{IMPORT}/rest"),
        ],
    }  # fmt: skip
    for verb in resource.verbs:
        for method, path in paths.get(verb, []):
            yield method, path, verb
    if isinstance(resource, ModelAdmin) and resource.trash:
        yield "POST", "/{row_id}/restore", "delete"
        yield "POST", "/actions/restore", "delete"


def permissions_of(registry: Registry, *verbs: str) -> frozenset[str]:
    """To enter, and these verbs of every resource that has them."""
    wanted: Any = {f"{resource.name}.{verb}" for resource in registry for verb in verbs}
    return frozenset({ENTER, *(wanted & registry.permissions)})
