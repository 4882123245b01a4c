"""The registry of all resources, checked at startup."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import ARRAY, LargeBinary, String, any_, bindparam, cast, select

from todo.access import Actor
from todo.admin.checks import AdminError, mistakes
from todo.admin.declaration import ENTER, Computed, Known, ModelAdmin, Resource, RowsAdmin
from todo.admin.expressions import ReadView
from todo.admin.fields import Field, SecretState, field_of, kind_of, label_of, without_none
from todo.admin.paths import as_filter, follow
from todo.admin.reads import TableReads
from todo.database import Query, columns
from todo.errors import NotFound
from todo.schema import Schema

if TYPE_CHECKING:
    from todo.admin.explanations import Explainer


class Registry:
    """Resources by name, and what modules explain of their rows.

    Raise AdminError with a message for each mistake in a declaration.
    """

    def __init__(
        self, declared: Iterable[Callable[[], Resource]], explainers: Iterable["Explainer"] = (),
        known: Iterable[Known] = (),
    ):  # fmt: skip
        self._known = {one.resource: one for one in known}
        self.explainers: dict[str, list[Explainer]] = defaultdict(list)
        for explainer in explainers:
            self.explainers[explainer.resource].append(explainer)
        self._resources: dict[str, Resource] = {}
        for declare in declared:
            resource = declare()
            _name(resource)
            if resource.name in self._resources:
                raise AdminError([f"{type(resource).__name__}: there is another resource named {resource.name}."])
            self._resources[resource.name] = resource
            resource.registry = self
        tables = {one.model.__tablename__: one.name for one in self._resources.values() if isinstance(one, ModelAdmin)}
        for resource in self._resources.values():
            resource.fields = (
                _table_fields(resource, tables) if isinstance(resource, ModelAdmin) else _row_fields(resource)
            )
            resource.fields = {name: _as_declared(field, resource) for name, field in resource.fields.items()}
        for resource in self._resources.values():
            self._set_filters(resource)
        for resource in self._resources.values():
            if wrong := mistakes(resource, self._resources):
                raise AdminError(wrong)
            _complete(resource)
        self.permissions = frozenset({ENTER, *(p for one in self._resources.values() for p in _permissions(one))})
        self._reads = lru_cache(maxsize=500)(self._new_reads)
        self._known_rows = {name: self._naming(one) for name, one in self._known.items() if name in self}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def __contains__(self, name: str) -> bool:
        return name in self._resources

    def __getitem__(self, name: str) -> Resource:
        """Return a resource. Raise NotFound."""
        found = self._resources.get(name)
        if found is None:
            raise NotFound(f"There is no resource {name}.")
        return found

    def table(self, name: str) -> ModelAdmin[Any]:
        """Return a resource that is a table. Raise NotFound."""
        found = self[name]
        if not isinstance(found, ModelAdmin):
            raise NotFound(f"{found.label} are not a table.")
        return found

    def _set_filters(self, resource: Resource) -> None:
        """Find the fields that a resource is filtered by. Names of none are left to the checks."""
        names = resource.filter_names
        resource.paths, resource.filtered = {}, {one: resource.fields[one] for one in names if one in resource.fields}
        for name in (name for name in names if "." in name):
            with suppress(ValueError):
                path, field = follow(resource, name, self._resources)
                resource.paths[name], resource.filtered[name] = path, as_filter(name, path, field)

    def reads(self, admin: ModelAdmin[Any], actor: Actor) -> TableReads:
        """Return the statements for a table as this actor sees it."""
        displays, known = [], []
        hidden = admin.hidden_from(actor)
        for field in admin.fields.values():
            if field.kind == "reference" and field.name not in hidden:
                there = self.table(field.reference)
                if there.may(actor, "view") and there.display not in there.hidden_from(actor):
                    displays.append((field.name, there.scope(actor)))
                elif field.reference in self._known:
                    known.append((field.name, self._known[field.reference]))
        related = tuple(
            (name, tuple(self.table(via.reference).scope(actor) for via in admin.paths[name]))
            for name in admin.filters_for(actor)
            if name in admin.paths
        )
        partly = frozenset(
            name for name, one in admin.computed.items() if one.of and not self.table(one.of).shows_all(actor)
        )
        view = ReadView(admin.scope(actor), hidden, tuple(displays), related, tuple(known), partly)
        return self._reads(admin.name, view)

    def known_rows(self, resource: str) -> Query[Any] | None:
        """Return the statement for names of rows that are known to those who may not view the resource, if any are."""
        return self._known_rows.get(resource)

    def _naming(self, known: Known) -> Query[Any]:
        table = columns(self.table(known.resource).model)
        ids = bindparam("ids", type_=ARRAY(table["id"].type))
        found = select(cast(table["id"], String), table[known.display]).where(known.scope, table["id"] == any_(ids))
        return Query(lambda row_id, name: (row_id, name), found)

    def _new_reads(self, name: str, read_view: ReadView) -> TableReads:
        tables = {one.name: one for one in self if isinstance(one, ModelAdmin)}
        return TableReads(tables[name], read_view, tables)


def _as_declared(field: Field, resource: Resource) -> Field:
    """Return a field as the declaration has the pages show it."""
    return replace(
        field,
        label=resource.field_labels.get(field.name, field.label),
        translated=field.name in resource.translated,
        foreign=field.name in resource.foreign,
        schema=resource.schemas.get(field.name),
        widget=resource.widgets.get(field.name, ""),
        tones=tuple(resource.badges.get(field.name, {}).items()),
    )


def _permissions(resource: Resource) -> set[str]:
    """Return every permission that a resource uses."""
    return {*resource.permissions, *resource.field_permissions.values(), resource.every_row} - {""}


def _name(resource: Resource) -> None:
    """Derive what a declaration does not set from its model."""
    kind: Any = type(resource)
    if isinstance(resource, ModelAdmin):
        kind.name = kind.name or resource.model.__tablename__
        kind.help = kind.help or (resource.model.__doc__ or "").strip().partition("\n")[0]
    kind.label = kind.label or label_of(kind.name)
    kind.label_one = kind.label_one or kind.label.removesuffix("s")


def _table_fields(admin: ModelAdmin[Any], tables: dict[str, str]) -> dict[str, Field]:
    found = {}
    secrets: frozenset[str] = getattr(admin.model, "SECRET", frozenset())
    for column in columns(admin.model):
        if column.name in admin.hidden or (isinstance(column.type, LargeBinary) and column.name not in secrets):
            continue
        target = next((key.column.table.name for key in column.foreign_keys if key.column.primary_key), "")
        text_format = admin.text_formats.get(column.name)
        field = field_of(
            column,
            admin.types.get(column.name),
            secret=column.name in secrets,
            reference=tables.get(target, ""),
            on_change="change" in admin.verbs and column.name in admin.editable,
            on_add="add" in admin.verbs and column.name in (*admin.editable, *admin.only_on_add),
            heavy=column.name in admin.heavy,
            help=admin.help_texts.get(column.name, text_format.hint if text_format else ""),
            text_format=text_format,
            names=tuple(admin.value_names.get(column.name, {}).items()),
            names_within=_names_within(admin, column.name),
            settable=admin.settable.get(column.name, ()),
        )
        there = admin.references.get(field.name, field.reference)
        found[field.name] = replace(_with_default(field, admin), reference=there)
    for name, computed in admin.computed.items():
        found[name] = _computed(name, computed, admin)
    return found


def _names_within(admin: ModelAdmin[Any], name: str) -> dict[str, Mapping[int, str]]:
    """Return what numbers in the data of a JSON field are called."""
    start = f"{name}."
    return {key.removeprefix(start): names for key, names in admin.value_names.items() if key.startswith(start)}


def _with_default(field: Field, admin: ModelAdmin[Any]) -> Field:
    info = admin.model.model_fields[field.name]
    default = None if info.is_required() or info.default_factory else info.default
    return replace(field, required=info.is_required(), default=default)


def _computed(name: str, computed: Computed, admin: ModelAdmin[Any]) -> Field:
    kind, choices = kind_of(computed.type)
    text_format = admin.text_formats.get(name)
    return Field(
        name,
        computed.label or label_of(name),
        kind,
        computed.type,
        True,
        choices=choices,
        computed=True,
        on_add="add" in admin.verbs and name in admin.only_on_add,
        heavy=name in admin.heavy,
        help=admin.help_texts.get(name, text_format.hint if text_format else ""),
        text_format=text_format,
    )


def _row_fields(resource: Resource) -> dict[str, Field]:
    if not isinstance(resource, RowsAdmin):
        return {}
    found = {}
    for one in msgspec.structs.fields(resource.row):
        kind, choices = kind_of(one.type)
        plain = without_none(one.type)
        found[one.name] = Field(one.name, label_of(one.name), kind, plain, plain is not one.type, choices=choices)
    return found


def _complete(resource: Resource) -> None:
    """Create the API types: a row, a new row, a change."""
    if isinstance(resource, RowsAdmin):
        resource.out = resource.row
        return
    if not isinstance(resource, ModelAdmin):
        raise TypeError(f"{resource.name} is neither a RowsAdmin nor a ModelAdmin.")
    name = "Admin" + "".join(word.capitalize() for word in resource.label_one.split())
    rows = [(field.name, _shown(resource, field), UNSET) for field in resource.fields.values()]
    extra = [("display", str, ""), ("displays", dict[str, str], msgspec.field(default_factory=dict))]
    resource.out = _struct(name, Struct, [*rows, *extra], f"{resource.label_one} as shown to operators.")
    required = {field.name for field in resource.fields.values() if field.required} - resource.defaults.keys()
    new = [(one.name, _sent(one), UNSET) for one in resource.fields.values() if one.on_add]
    resource.new = _struct(
        f"{name}In",
        Schema,
        [part[:2] if part[0] in required else part for part in new],
        f"A new {resource.label_one.lower()}.",
    )
    patch = [(one.name, _sent(one), UNSET) for one in resource.fields.values() if one.on_change]
    resource.patch = _struct(f"{name}Patch", Schema, patch, "Absent fields are unchanged; `null` clears a field.")


def _struct(name: str, base: type[Struct], fields: list[Any], doc: str) -> type[Struct]:
    shaped = [
        (one, kind | UnsetType, default[0]) if default and default[0] is UNSET else (one, kind, *default)
        for one, kind, *default in fields
    ]
    return msgspec.defstruct(name, shaped, bases=(base,), kw_only=True, module=__name__, namespace={"__doc__": doc})


def _shown(resource: Resource, field: Field) -> Any:
    """Return the type of a field in responses."""
    kind: Any = SecretState if field.kind == "secret" else field.type
    return kind | None if field.nullable and field.kind != "secret" else kind


def _sent(field: Field) -> Any:
    """Return the type of a field in requests."""
    return field.type | None if field.nullable else field.type
