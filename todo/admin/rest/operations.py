"""The REST operations of a resource, derived from its declaration; used for routes and document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from todo.admin.actions import USUAL
from todo.admin.declaration import ModelAdmin, Resource


@dataclass(frozen=True)
class Operation:
    """An operation on `/api/admin/<resource><path>`.

    `kind` is its handler, `verb` its permission `<resource>.<verb>`; `name` is the name of an action.
    """

    kind: str
    method: str
    path: str
    verb: str
    name: str = ""


def operations_of(resource: Resource) -> list[Operation]:
    """Return every operation of a resource."""
    found = [*_reads(resource), *_actions(resource)]
    return [*found, *_writes(resource)] if isinstance(resource, ModelAdmin) else found


def _reads(resource: Resource) -> Iterator[Operation]:
    yield Operation("list", "GET", "", "view")
    yield Operation("docs", "GET", "/docs", "view")
    yield Operation("get", "GET", "/{row_id}", "view")
    if "export" in resource.verbs:
        yield Operation("export", "GET", "/export", "export")
    if isinstance(resource, ModelAdmin):
        yield Operation("history", "GET", "/{row_id}/history", "view")
        yield Operation("as_of", "GET", "/{row_id}/as-of", "view")
    if "explain" in resource.verbs:
        yield Operation("explanation", "GET", "/{row_id}/explanation", "explain")
    if resource.date_hierarchy:
        yield Operation("dates", "GET", "/dates", "view")
    if isinstance(resource, ModelAdmin) and any(field.reference for field in resource.fields.values()):
        yield Operation("options", "GET", "/options", "view")


def _actions(resource: Resource) -> Iterator[Operation]:
    for one in resource.actions.values():
        if one.on == "resource":
            yield Operation("act", "POST", f"/actions/{one.name}", one.name, one.name)
        else:
            yield Operation("act_on_one", "POST", f"/{{row_id}}/actions/{one.name}", one.name, one.name)


def _writes(admin: ModelAdmin[Any]) -> Iterator[Operation]:
    if "add" in admin.verbs:
        yield Operation("add", "POST", "", "add")
    if "change" in admin.verbs:
        yield Operation("change", "PATCH", "/{row_id}", "change")
        yield Operation("revert", "POST", "/{row_id}/history/{event_id}/revert", "change")
    if "delete" in admin.verbs:
        yield Operation("delete", "DELETE", "/{row_id}", "delete")
    if "import" in admin.verbs:
        yield from _imports()
    if admin.trash:
        yield Operation("restore", "POST", "/{row_id}/restore", "delete")
    names = [one.name for one in admin.actions.values() if one.on == "row"]
    names += [verb for verb in ("change", "delete") if verb in admin.verbs]
    for name in [*names, *(["restore"] if admin.trash else [])]:
        yield Operation("act_on_many", "POST", f"/actions/{name}", USUAL.get(name, name), name)


def _imports() -> Iterator[Operation]:
    one = "/import/jobs/{import_id}"
    yield Operation("import", "POST", "/import", "import")
    yield Operation("upload", "POST", "/import/jobs", "import")
    yield Operation("import_job", "GET", one, "import")
    yield Operation("assign", "PATCH", one, "import")
    yield Operation("discard", "DELETE", one, "import")
    yield Operation("trial", "GET", f"{one}/trial", "import")
    yield Operation("start", "POST", f"{one}/start", "import")
    yield Operation("rest", "GET", f"{one}/rest", "import")
