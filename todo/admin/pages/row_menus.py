"""The menu of a row in a list: its pages, and the actions that the person may carry out on it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from todo.admin.declaration import Action, ModelAdmin, Resource
from todo.admin.pages.languages import marked
from todo.admin.pages.list_state import ListState
from todo.admin.pages.renderer import Link, Pages
from todo.admin.service import AdminService


class RowMenu(NamedTuple):
    """Links, actions, and those that are dangerous. `may` says which of `change`, `restore` and `delete` apply."""

    links: list[Link]
    actions: list[Action]
    dangerous: list[Action]
    may: frozenset[str]


def row_menus(pages: Pages, admin: AdminService, resource: Resource, state: ListState) -> Callable[[Any], RowMenu]:
    """Return what makes the menu of a row of this list."""
    actions = [one for one in resource.actions.values() if one.on == "row" and admin.may(resource.name, one.name)]
    has_history = isinstance(resource, ModelAdmin) and not resource.diff

    def menu_of(row: Any) -> RowMenu:
        verbs = {"delete": "purge" if state.trash else "delete", "restore": "delete", "change": "change"}
        may = frozenset(name for name, verb in verbs.items() if applies(admin, resource, verb, row))
        links = [
            Link(state.row(row.id), marked("Edit") if "change" in may and not state.trash else marked("Open"), "pencil")
        ]
        if not state.trash and admin.may(resource.name, "add"):
            links.append(Link(state.row(row.id, "/copy"), marked("Duplicate"), "copy"))
        links += [Link(state.row(row.id, "/history"), marked("History"), "history")] if has_history else []
        links += [] if state.trash else pages.links_of(admin.actor, resource.name, row)
        found = [] if state.trash else [one for one in actions if applies(admin, resource, one.name, row)]
        safe, dangerous = ([one for one in found if one.dangerous is danger] for danger in (False, True))
        return RowMenu(links, safe, dangerous, may)

    return menu_of


def applies(admin: AdminService, resource: Resource, verb: str, row: Any) -> bool:
    """Return whether the actor may do this to a row as lists have it."""
    try:
        return admin.may(resource.name, verb, row)
    except (AttributeError, TypeError):  # it depends on a field that lists leave out: decided when it is carried out
        return True
