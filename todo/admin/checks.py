"""Checks of declarations at startup. Each message names the class and the field."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from todo.admin.appearance import TONES, WIDGETS
from todo.admin.declaration import VERBS, Filter, ModelAdmin, Resource, RowsAdmin
from todo.admin.filters import NUMBERS, TIMES
from todo.admin.inlines import Inline
from todo.admin.paths import follow

# Other parameters of lists and handlers, which filters must not use.
RESERVED = frozenset(
    {
        "q",
        "sort",
        "limit",
        "cursor",
        "before",
        "page",
        "facets",
        "trash",
        "match",
        "form",
        "columns",
        "reason",
        "admin",
        "writer",
        "request",
        "actor",
        "data",
    }
)
NAME = re.compile("[a-z]+(_[a-z]+)*")
FILTERED = {"boolean", "choice", "reference", "id", "text", "list"} | TIMES | NUMBERS
OF_RELATED = {"boolean", "choice", "text"} | TIMES | NUMBERS
OF_ALL = (
    "columns", "search", "sorts", "unsorted", "sums", "diff", "field_permissions", "field_labels", "translated",
    "schemas", "foreign",
)  # fmt: skip
PLACES = ("text_formats", "options", "help_texts", "settable")
MOST_CHOICES = 6  # of a `Filter`: every combination is a condition


class AdminError(Exception):
    """Invalid declarations. `mistakes` has a message for each."""

    def __init__(self, mistakes: list[str]):
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def mistakes(resource: Resource, others: Mapping[str, Resource]) -> list[str]:
    """Return all mistakes of a declaration, once its fields are known."""
    found = [
        *_names(resource),
        *_fields(resource),
        *_filters(resource, others),
        *_verbs(resource),
        *_inlines(resource, others),
    ]
    found += _appearance(resource)
    if isinstance(resource, ModelAdmin):
        found += [*_lists(resource), *_writes(resource)]
    return [f"{type(resource).__name__}: {sentence}" for sentence in dict.fromkeys(found)]


def _names(resource: Resource) -> Iterator[str]:
    if not NAME.fullmatch(resource.name):
        yield f"the name {resource.name!r} must be lowercase words joined by underscores."
    for name in resource.fields.keys() & {"display", "displays"}:
        yield f"a field cannot be named {name}: the name is reserved."
    if isinstance(resource, RowsAdmin) and "id" not in resource.fields:
        yield "its rows must have a field id."


def _fields(resource: Resource) -> Iterator[str]:
    """Check that every name of a field refers to a field."""
    for place, names in _places(resource):
        for name in names:
            if name not in resource.fields:
                yield f"{place} has {name!r}, which is not a field. Fields: {', '.join(sorted(resource.fields))}."
    for name in resource.fields.keys() & {*resource.sums}:
        if resource.fields[name].kind not in NUMBERS or resource.fields[name].names:
            yield f"sums has {name!r}, which is not a number."


def _places(resource: Resource) -> Iterator[tuple[str, Iterable[str]]]:
    for place in OF_ALL:
        yield place, getattr(resource, place)
    yield "display", (resource.display,)
    yield "sort", [name.removeprefix("-") for name in resource.sort.split(",")]
    yield "filters", [item for item in resource.filters if isinstance(item, str) and "." not in item]
    yield "date_hierarchy", (resource.date_hierarchy,) if resource.date_hierarchy else ()
    yield from (("widgets", resource.widgets), ("badges", resource.badges))
    yield "shown_if", [name for field, (other, _) in resource.shown_if.items() for name in (field, other)]
    yield "fieldsets", [name for names in resource.fieldsets.values() for name in names]
    if isinstance(resource, ModelAdmin):
        for place in (*PLACES, "types", "editable", "only_on_add", "heavy", "defaults"):
            yield place, getattr(resource, place)
        yield "value_names", [name.partition(".")[0] for name in resource.value_names]
        yield "trash", (resource.trash,) if resource.trash else ()


def _filters(resource: Resource, others: Mapping[str, Resource]) -> Iterator[str]:
    names = resource.filter_names
    for name in {name for name in names if names.count(name) > 1}:
        yield f"filters has {name!r} twice."
    for name in RESERVED.intersection(names):
        yield f"filters has {name!r}, which is a parameter of every list."
    for item in resource.filters:
        if isinstance(item, Filter):
            if not 0 < len(item.choices) <= MOST_CHOICES:
                yield f"the filter {item.name} must have one to {MOST_CHOICES} choices."
            if isinstance(resource, RowsAdmin) or item.name in resource.fields:
                yield f"the filter {item.name} must be the name of a field; in a table it must not be one."
        elif "." in item:
            yield from _related(resource, item, others)
        elif item in resource.fields and resource.fields[item].kind not in FILTERED:
            yield f"filters has {item!r}, but a {resource.fields[item].kind} cannot be a filter."


def _related(resource: Resource, name: str, others: Mapping[str, Resource]) -> Iterator[str]:
    try:
        _, field = follow(resource, name, others)
    except ValueError as wrong:
        yield f"filters has {name!r}, but {wrong}"
        return
    if field.kind not in OF_RELATED:
        yield f"filters has {name!r}, but a {field.kind} of related rows cannot be a filter."


def _verbs(resource: Resource) -> Iterator[str]:
    known = VERBS if isinstance(resource, ModelAdmin) else ("view", "export")
    for verb in resource.verbs:
        if verb not in known:
            yield f"verbs has {verb!r}. Verbs: {', '.join(known)}."
    if "import" in resource.verbs and not {"add", "change"} & {*resource.verbs}:
        yield "verbs has 'import', but rows can neither be added nor changed."
    for verb in sorted(resource.dangerous - {*resource.verbs}):
        yield f"dangerous has {verb!r}, which is not one of its verbs."
    for action in resource.actions.values():
        if action.name in (*VERBS, "restore") or not NAME.fullmatch(action.name):
            yield f"the action {action.name} needs another name: lowercase, and not a built-in verb."
        if action.on not in {"row", "resource"}:
            yield f"the action {action.name} has on={action.on!r}; it must be 'row' or 'resource'."
        if action.form is not None:
            yield from _form(action.name, action.form)


def _form(action: str, form: type[Struct]) -> Iterator[str]:
    if not form.__struct_config__.forbid_unknown_fields:
        yield f"the form of the action {action} must forbid unknown fields."
    if not msgspec.structs.fields(form):
        yield f"the form of the action {action} has no fields."


def _inlines(resource: Resource, others: Mapping[str, Resource]) -> Iterator[str]:
    for inline in resource.inlines:
        there = others.get(inline.resource)
        if there is None:
            yield f"inlines has {inline.resource!r}, which is not a resource."
        elif inline.via not in there.filters or there.fields[inline.via].kind != "reference":
            yield f"inlines has {inline.via!r}, which is not a reference filter of {there.label.lower()}."
        else:
            yield from _positions(inline, there) if inline.order_by else ()
            if inline.in_form and not all("change" in one.verbs for one in (resource, there)):
                yield f"inlines has in_form=True for {inline.resource!r}, but one of both cannot be changed."


def _positions(inline: Inline, there: Resource) -> Iterator[str]:
    field = there.fields.get(inline.order_by)
    if field is None or field.kind != "integer" or field.nullable or not field.on_change:
        yield f"inlines has order_by={inline.order_by!r}: {there.label.lower()} have no such editable whole number."
    elif inline.order_by not in there.sortable or inline.order_by in there.field_permissions:
        yield f"inlines has order_by={inline.order_by!r}, which not all see, or which does not sort lists."


def _appearance(resource: Resource) -> Iterator[str]:
    """Check how the pages show it."""
    parts = {*resource.fieldsets, *(inline.resource for inline in resource.inlines)}
    placed = [name for names in resource.tabs.values() for name in names]
    for name in placed:
        if name not in parts:
            yield f"tabs has {name!r}, which is neither one of the fieldsets nor the resource of an inline."
        elif placed.count(name) > 1:
            yield f"tabs has {name!r} twice."
    for name, (other, values) in resource.shown_if.items():
        choices = resource.fields[other].choices if other in resource.fields else ()
        if name == other or not values:
            yield f"shown_if has {name!r}, which must name another field and at least one of its values."
        for value in values if choices else ():
            if value not in choices:
                yield f"shown_if has {value!r}, which is no value of {other}. Values: {', '.join(choices)}."

    for name, widget in resource.widgets.items():
        if widget not in WIDGETS and not widget.endswith(".html"):
            yield f"widgets has {widget!r} for {name}. Widgets: {', '.join(WIDGETS)}, or the name of a template."
    for name, tones in resource.badges.items():
        for value, tone in tones.items():
            choices = resource.fields[name].choices if name in resource.fields else ()
            if tone not in TONES:
                yield f"badges has {tone!r} for {name}. Tones: {', '.join(TONES)}."
            if choices and value not in choices:
                yield f"badges has {value!r}, which is no value of {name}. Values: {', '.join(choices)}."


def _lists(admin: ModelAdmin[Any]) -> Iterator[str]:
    """Check the list options of a table."""
    known = admin.fields
    for name in known.keys() & {*admin.columns} & {*admin.heavy}:
        yield f"columns has {name!r}, which is heavy and excluded from lists."
    for name in known.keys() & {*admin.search}:
        read = name in admin.computed and admin.computed[name].read
        if read or known[name].kind not in {"text", "long_text", "choice", "reference"}:
            yield f"search has {name!r}, which is not a text or a reference."
    for name in known.keys() & {*admin.sorts}:
        if name in admin.heavy or known[name].kind in {"json", "list", "secret"}:
            yield f"sorts has {name!r}, which cannot be sorted by."
    for name in [name.removeprefix("-") for name in admin.sort.split(",")]:
        if name in known and name not in ("id", *admin.sorts):
            yield f"sort has {name!r}, which is not in sorts."
    if admin.date_hierarchy in known and (
        known[admin.date_hierarchy].kind not in TIMES or admin.date_hierarchy not in admin.filters
    ):
        yield f"date_hierarchy is {admin.date_hierarchy!r}, which must be a date or time filter."
    if known.get(admin.display) and known[admin.display].kind in {"json", "secret"}:
        yield f"display is {admin.display!r}, which cannot be displayed."


def _writes(admin: ModelAdmin[Any]) -> Iterator[str]:
    """Check the writable fields of a table."""
    for name in admin.fields.keys() & {*admin.editable, *admin.only_on_add}:
        field = admin.fields[name]
        own_add = name in admin.only_on_add and type(admin).add_row is not ModelAdmin.add_row
        # An add_row of its own can take more than columns, and the history of rows from elsewhere.
        managed = field.computed or name == "created_at"
        if (managed and not own_add) or field.kind == "secret" or name in {"id", "version", "updated_at"}:
            yield f"{name!r} cannot be writable: it is computed, secret, or managed by the service."
        if field.kind == "id" and not field.computed:
            yield f"{name!r} is writable, but refers to a table without a resource."
    for name in {*admin.editable} & {*admin.only_on_add}:
        yield f"editable and only_on_add both have {name!r}."
    if "purge" in admin.verbs and not admin.trash:
        yield "verbs has 'purge', but there is no trash."
    if "change" in admin.verbs and not admin.editable and type(admin).change_row is ModelAdmin.change_row:
        yield "verbs has 'change', but nothing is editable."
    if "add" in admin.verbs and type(admin).add_row is ModelAdmin.add_row:
        for name in _needed(admin) - admin.defaults.keys():
            yield f"rows can be added, but the required field {name!r} is not writable."


def _needed(admin: ModelAdmin[Any]) -> set[str]:
    """Return the required columns of a new row that no request can provide."""
    required = {name for name, column in admin.model.model_fields.items() if column.is_required()}
    return required - {field.name for field in admin.fields.values() if field.on_add}
