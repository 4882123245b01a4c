"""Filters by related rows: `project.owner.email` of tasks is the e-mail address of the owner of their project."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from todo.admin.declaration import Resource
from todo.admin.fields import Field


def follow(resource: Resource, name: str, others: Mapping[str, Resource]) -> tuple[tuple[Field, ...], Field]:
    """Return the references that a filter follows, and the field it ends with. Raise ValueError for an unknown name."""
    *before, last = name.split(".")
    path: list[Field] = []
    there = resource
    for step in before:
        via = there.reference(step)
        if via is None:
            references = sorted(
                one.name.removesuffix("_id") for one in there.fields.values() if one.kind == "reference"
            )
            raise ValueError(f"{there.name} have no reference {step!r}. References: {', '.join(references) or 'none'}.")
        path.append(via)
        there = others[via.reference]
    if last not in there.fields:
        raise ValueError(f"{there.name} have no field {last!r}. Fields: {', '.join(sorted(there.fields))}.")
    return tuple(path), there.fields[last]


def as_filter(name: str, path: Sequence[Field], field: Field) -> Field:
    """Return the field that a filter ends with, under the name of the filter: `Owner of project: Email`."""
    labels = [one.label for one in reversed(path)]
    called = " of ".join([*labels[:1], *(label.lower() for label in labels[1:])])
    return replace(field, name=name, label=f"{called}: {field.label}")
