"""The parts of a row's page: fieldsets with what can be changed and what cannot, in tabs with the rows below."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from todo.admin.appearance import Appearance
from todo.admin.fields import Field, write_text
from todo.admin.pages.forms import Control


class Group(NamedTuple):
    """A fieldset: its controls, and the fields that are only shown."""

    label: str
    controls: list[Control]
    facts: list[Field]


class Tab(NamedTuple):
    """Fieldsets and rows below that are shown together. There is one without a label where none are declared."""

    name: str
    label: str
    groups: list[Group]
    inlines: list[dict[str, Any]]

    @property
    def rows(self) -> str:
        """Return how many rows are below, where there is nothing else."""
        if self.groups:
            return ""
        found = [inline["found"] for inline in self.inlines]
        if None in found:  # those of a new row
            return ""
        return f"{sum(len(one.items) for one in found)}{'+' if any(one.next_cursor for one in found) else ''}"


def groups_of(declared: Appearance, found: Sequence[Control], facts: Sequence[Field] = ()) -> list[Group]:
    """Group fields by the declaration's fieldsets. The other controls come first; other facts are not among them."""
    placed = {name for names in declared.fieldsets.values() for name in names}
    groups = [Group("", [one for one in found if one.field.name not in placed], [])]
    for label, names in declared.fieldsets.items():
        own = [one for name in names for one in found if one.field.name == name]
        groups.append(Group(label, own, [one for name in names for one in facts if one.name == name]))
    return [group for group in groups if group.controls or group.facts]


def tabs_of(declared: Appearance, groups: list[Group], inlines: list[dict[str, Any]]) -> list[Tab]:
    """Return the tabs that have something to show."""
    placed = {name for names in declared.tabs.values() for name in names}
    others = ({group.label for group in groups} | {_name(one) for one in inlines}) - placed
    found = []
    for number, (label, names) in enumerate((declared.tabs or {"": ()}).items(), 1):
        parts = {*names, *(others if number == 1 else ())}
        shown = [one for one in groups if one.label in parts]
        found.append(Tab(f"tab-{number}", label, shown, [one for one in inlines if _name(one) in parts]))
    return [tab for tab in found if tab.groups or tab.inlines]


def applies(declared: Appearance, row: Any, name: str) -> bool:
    """Return whether a field that is only shown says something: its condition holds, or it has a value."""
    other, values = declared.shown_if.get(name, ("", ()))
    return not other or write_text(getattr(row, other)) in values or bool(getattr(row, name))


def _name(inline: dict[str, Any]) -> str:
    return str(inline["resource"].name)
