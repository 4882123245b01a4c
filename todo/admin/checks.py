"""What can be wrong with a declaration, in sentences that name the class and the field; looked at once, at start."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from todo.admin.declaration import VERBS, Filter, ModelAdmin, Resource, RowsAdmin
from todo.admin.filters import NUMBERS, TIMES

# Parameters of a list beside its filters, and what handlers take besides.
RESERVED = frozenset(
    {"q", "sort", "limit", "cursor", "facets", "trash", "form", "reason", "admin", "writer", "request", "actor", "data"}
)
NAME = re.compile("[a-z]+(_[a-z]+)*")
FILTERED = {"boolean", "choice", "reference", "id", "text", "list"} | TIMES | NUMBERS
MOST_CHOICES = 6  # of an own filter: every combination is a condition


class AdminError(Exception):
    """Declarations that cannot be used; `mistakes` says each in a sentence."""

    def __init__(self, mistakes: list[str]):
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def mistakes(resource: Resource, others: Mapping[str, Resource]) -> list[str]:
    """Everything wrong with one declaration, once its fields are known."""
    found = [*_names(resource), *_fields(resource), *_filters(resource), *_verbs(resource), *_inlines(resource, others)]
    if isinstance(resource, ModelAdmin):
        found += [*_lists(resource), *_writes(resource)]
    return [f"{type(resource).__name__}: {sentence}" for sentence in dict.fromkeys(found)]


def _names(resource: Resource) -> Iterator[str]:
    if not NAME.fullmatch(resource.name):
        yield f"the name {resource.name!r} must be words of small letters, joined by underscores."
    for name in resource.fields.keys() & {"display", "labels"}:
        yield f"no field can be named {name}: that is what a row is called, and what its references are."
    if isinstance(resource, RowsAdmin) and "id" not in resource.fields:
        yield "its rows need a field id."


def _fields(resource: Resource) -> Iterator[str]:
    """Every name of a field, wherever it stands, must be the name of one."""
    for place, names in _places(resource):
        for name in names:
            if name not in resource.fields:
                yield f"{place} names {name!r}, which is no field; there are {', '.join(sorted(resource.fields))}."


def _places(resource: Resource) -> Iterator[tuple[str, Iterable[str]]]:
    for place in ("columns", "search", "sorts", "diff", "field_permissions"):
        yield place, getattr(resource, place)
    yield "display", (resource.display,)
    yield "sort", [name.removeprefix("-") for name in resource.sort.split(",")]
    yield "filters", [item for item in resource.filters if isinstance(item, str)]
    yield "date_hierarchy", (resource.date_hierarchy,) if resource.date_hierarchy else ()
    yield "fieldsets", [name for names in resource.fieldsets.values() for name in names]
    if isinstance(resource, ModelAdmin):
        for place in ("types", "editable", "only_on_add", "heavy", "text_formats", "help_texts", "defaults"):
            yield place, getattr(resource, place)
        yield "trash", (resource.trash,) if resource.trash else ()


def _filters(resource: Resource) -> Iterator[str]:
    names = resource.filter_names
    for name in {name for name in names if names.count(name) > 1}:
        yield f"filters names {name!r} twice."
    for name in RESERVED.intersection(names):
        yield f"filters names {name!r}, which is a parameter of every list."
    for item in resource.filters:
        if isinstance(item, Filter):
            if not 0 < len(item.choices) <= MOST_CHOICES:
                yield f"the filter {item.name} needs one to {MOST_CHOICES} choices."
            if isinstance(resource, RowsAdmin) or item.name in resource.fields:
                yield f"the filter {item.name} must be the name of a field, or of none in a table."
        elif item in resource.fields and resource.fields[item].kind not in FILTERED:
            yield f"filters names {item!r}, but a {resource.fields[item].kind} cannot be filtered by."


def _verbs(resource: Resource) -> Iterator[str]:
    known = VERBS if isinstance(resource, ModelAdmin) else ("view", "export")
    for verb in resource.verbs:
        if verb not in known:
            yield f"verbs names {verb!r}; there are {', '.join(known)}."
    if "import" in resource.verbs and not {"add", "change"} & {*resource.verbs}:
        yield "verbs names 'import', but rows can neither be added nor changed."
    for verb in sorted(resource.dangerous - {*resource.verbs}):
        yield f"dangerous names {verb!r}, which is not among its verbs."
    for action in resource.actions.values():
        if action.name in (*VERBS, "restore") or not NAME.fullmatch(action.name):
            yield f"the action {action.name} needs another name: small letters and underscores, and no usual verb."
        if action.on not in {"row", "resource"}:
            yield f"the action {action.name} is on {action.on!r}; it can be on a 'row' or on the 'resource'."
        if action.form is not None:
            yield from _form(action.name, action.form)


def _form(action: str, form: type[Struct]) -> Iterator[str]:
    if not form.__struct_config__.forbid_unknown_fields:
        yield f"the form of the action {action} must refuse unknown fields."
    if not msgspec.structs.fields(form):
        yield f"the form of the action {action} asks for nothing."


def _inlines(resource: Resource, others: Mapping[str, Resource]) -> Iterator[str]:
    for inline in resource.inlines:
        there = others.get(inline.resource)
        if there is None:
            yield f"inlines names {inline.resource!r}, which is no resource."
        elif inline.via not in there.filters or there.fields[inline.via].kind != "reference":
            yield f"inlines names {inline.via!r}, by which {there.label.lower()} cannot be filtered as a reference."


def _lists(admin: ModelAdmin[Any]) -> Iterator[str]:
    """What a table's lists are made of."""
    known = admin.fields
    for name in known.keys() & {*admin.columns} & {*admin.heavy}:
        yield f"columns names {name!r}, which is heavy and left out of lists."
    for name in known.keys() & {*admin.search}:
        if known[name].computed or known[name].kind not in {"text", "long_text", "choice"}:
            yield f"search names {name!r}, which is no text of the table."
    for name in known.keys() & {*admin.sorts}:
        if name in admin.heavy or known[name].kind in {"json", "list", "secret"}:
            yield f"sorts names {name!r}, by which no list can be sorted."
    for name in [name.removeprefix("-") for name in admin.sort.split(",")]:
        if name in known and name not in ("id", *admin.sorts):
            yield f"sort names {name!r}, which is not among the sorts."
    if admin.date_hierarchy in known and (
        known[admin.date_hierarchy].kind not in TIMES or admin.date_hierarchy not in admin.filters
    ):
        yield f"date_hierarchy names {admin.date_hierarchy!r}, which must be a time that one can filter by."
    if known.get(admin.display) and known[admin.display].kind in {"json", "secret"}:
        yield f"display names {admin.display!r}, by which nobody knows a row."


def _writes(admin: ModelAdmin[Any]) -> Iterator[str]:
    """What may be written of a table."""
    for name in admin.fields.keys() & {*admin.editable, *admin.only_on_add}:
        field = admin.fields[name]
        own_add = name in admin.only_on_add and type(admin).add_row is not ModelAdmin.add_row
        computed = field.computed and not own_add  # an add_row of its own can take more than columns
        if computed or field.kind == "secret" or name in {"id", "version", "created_at", "updated_at"}:
            yield f"{name!r} cannot be written: it is computed, a secret, or kept by the service."
        if field.kind == "id" and not field.computed:
            yield f"{name!r} can be written, but leads to a table without a resource."
    for name in {*admin.editable} & {*admin.only_on_add}:
        yield f"editable and only_on_add both name {name!r}."
    if "purge" in admin.verbs and not admin.trash:
        yield "verbs names 'purge', but there is no trash."
    if "change" in admin.verbs and not admin.editable and type(admin).change_row is ModelAdmin.change_row:
        yield "verbs names 'change', but nothing is editable."
    if "add" in admin.verbs and type(admin).add_row is ModelAdmin.add_row:
        for name in _needed(admin) - admin.defaults.keys():
            yield f"rows can be added, but {name!r} is needed and cannot be filled in."


def _needed(admin: ModelAdmin[Any]) -> set[str]:
    """What a new row must have, and no request can give it."""
    required = {name for name, column in admin.model.model_fields.items() if column.is_required()}
    return required - {field.name for field in admin.fields.values() if field.on_add}
