"""Descriptions of resources, for the documentation pages, the API overview and the command line help."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from todo.access import Actor
from todo.admin.declaration import Action, Filter, ModelAdmin, Resource
from todo.admin.fields import Field, SecretState, label_of


class FieldOut(Struct):
    """A field: type, constraints as a JSON schema, and whether it is writable."""

    name: str
    label: str
    kind: str
    nullable: bool
    required: bool
    on_add: bool
    on_change: bool
    reference: str
    choices: list[str]
    help: str
    type: dict[str, Any]


class ActionOut(Struct):
    """An action. `dangerous` ones require a recent sign-in; `background` ones run in the worker."""

    name: str
    label: str
    help: str
    on: str
    dangerous: bool
    background: bool
    permission: str
    form: dict[str, Any] | None


class Description(Struct):
    """A resource as one actor may use it."""

    name: str
    label: str
    label_one: str
    group: str
    help: str
    may: list[str]
    display: str
    columns: list[str]
    filters: dict[str, list[str]]
    search: list[str]
    sorts: list[str]
    sums: list[str]
    date_hierarchy: str
    trash: bool
    inlines: list[str]
    fields: list[FieldOut]
    actions: list[ActionOut]


def describe(resource: Resource, actor: Actor) -> Description:
    """Describe a resource to an actor, without fields and actions the actor has no permission for."""
    shown = [field for field in resource.fields.values() if field.name not in resource.hidden_from(actor)]
    names, filters = {field.name for field in shown}, resource.filters_for(actor)
    return Description(
        name=resource.name,
        label=resource.label,
        label_one=resource.label_one,
        group=resource.group,
        help=resource.help,
        may=[verb for verb in (*resource.verbs, *resource.actions) if resource.may(actor, verb)],
        display=resource.display,
        columns=[name for name in resource.columns if name in names],
        filters={
            name: choices for name, choices in map(partial(_filter, resource), resource.filters) if name in filters
        },
        search=[name for name in resource.search if name in names],
        sorts=["id", *(name for name in resource.sortable if name in names)],
        sums=[name for name in resource.sums if name in names],
        date_hierarchy=resource.date_hierarchy,
        trash=isinstance(resource, ModelAdmin) and bool(resource.trash),
        inlines=[inline.resource for inline in resource.inlines],
        fields=[_field(field) for field in shown],
        actions=[_action(resource, one) for one in resource.actions.values() if resource.may(actor, one.name)],
    )


class Access(Struct):
    """What an actor may do with a resource. `own_rows`: only rows of their own or shared with them."""

    resource: str
    label: str
    group: str
    own_rows: bool
    verbs: list[str]
    actions: list[str]
    seen: list[str]
    hidden: list[str]
    written: list[str]


def access_of(resources: Iterable[Resource], actor: Actor) -> list[Access]:
    """Return what the actor may do in the admin, for the resources with anything: labels of fields and actions."""
    found = [_access(resource, actor) for resource in resources]
    return [one for one in found if one.verbs or one.actions]


def _access(resource: Resource, actor: Actor) -> Access:
    hidden = resource.hidden_from(actor)
    fields = list(resource.fields.values())
    verbs = [verb for verb in resource.verbs if resource.may(actor, verb)]
    sees, writes = "view" in verbs, "change" in verbs
    return Access(
        resource=resource.name,
        label=resource.label,
        group=resource.group,
        own_rows=isinstance(resource, ModelAdmin) and resource.scope(actor) is not None,
        verbs=verbs,
        actions=[one.label for one in resource.actions.values() if resource.may(actor, one.name)],
        seen=[one.label for one in fields if sees and one.name not in hidden],
        hidden=[one.label for one in fields if one.name in hidden],
        written=[one.label for one in fields if writes and one.on_change and one.name not in hidden],
    )


def schema_of(kind: Any) -> dict[str, Any]:
    """Return a self-contained JSON schema of a type."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {**schema, "$defs": components} if components else schema


def _action(resource: Resource, one: Action) -> ActionOut:
    form = None if one.form is None else schema_of(one.form)
    permission = f"{resource.name}.{one.name}"
    return ActionOut(one.name, one.label, one.help, one.on, one.dangerous, one.background, permission, form)


def _filter(resource: Resource, item: str | Filter) -> tuple[str, list[str]]:
    if isinstance(item, Filter):
        return item.name, list(item.choices)
    return item, list(resource.filtered[item].choices)


def _field(field: Field) -> FieldOut:
    kind = SecretState if field.kind == "secret" else field.type
    return FieldOut(
        field.name, field.label or label_of(field.name), field.kind, field.nullable, field.required, field.on_add,
        field.on_change, field.reference, list(field.choices), field.help, schema_of(kind),
    )  # fmt: skip
