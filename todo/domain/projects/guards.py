"""Who may see and change which project, and what is in it."""

from typing import Any

from sqlalchemy import ColumnElement, String, any_, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.domain.projects.models import ACCESS, PROJECT
from todo.domain.projects.rules import ROLES_WITH, Verb
from todo.errors import Forbidden


def shared_with(actor: Any, project_id: ColumnElement[Any], verb: Verb = "see") -> ColumnElement[bool]:
    """The condition that somebody who does not own a project has a role in it that allows this.

    `actor` is their id, or the parameter that will hold it.
    """
    theirs = select(ACCESS.project_id).where(ACCESS.user_id == actor)
    if verb != "see":
        # An array, because compiled statements have no `IN` of several parameters.
        theirs = theirs.where(ACCESS.role == any_(literal([*ROLES_WITH[verb]], ARRAY(String))))
    return project_id.in_(theirs)


def allowed_to(actor: Any, verb: Verb) -> ColumnElement[bool]:
    """The WHERE clause of the projects in which a person may do this."""
    return or_(PROJECT.owner_id == actor, shared_with(actor, PROJECT.id, verb))


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the projects a person may see; `actor` is their id, or the parameter that will hold it."""
    return allowed_to(actor, "see")


def role_required() -> Forbidden:
    """The problem of somebody who sees a project, but may not do this in it."""
    return Forbidden("Your role in this project does not allow this.", slug="role-required")
