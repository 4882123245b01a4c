"""Who may see and change which project, and what is in it."""

from typing import Any

from sqlalchemy import ColumnElement, or_, select

from todo.domain.projects.models import ACCESS, PROJECT
from todo.domain.projects.rules import ROLES_WITH, Verb


def shared_with(actor: Any, project_id: ColumnElement[Any], verb: Verb = "see") -> ColumnElement[bool]:
    """The condition that somebody who does not own a project has a role in it that allows this.

    `actor` is their id, or the parameter that will hold it.
    """
    theirs = select(ACCESS.project_id).where(ACCESS.user_id == actor)
    if verb != "see":
        theirs = theirs.where(ACCESS.role.in_(ROLES_WITH[verb]))
    return project_id.in_(theirs)


def allowed_to(actor: Any, verb: Verb) -> ColumnElement[bool]:
    """The WHERE clause of the projects in which a person may do this."""
    return or_(PROJECT.owner_id == actor, shared_with(actor, PROJECT.id, verb))


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the projects a person may see; `actor` is their id, or the parameter that will hold it."""
    return allowed_to(actor, "see")
