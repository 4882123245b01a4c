"""Who may see and change which task."""

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from todo.domain.projects.guards import shared_with
from todo.domain.projects.rules import Verb
from todo.domain.tasks.models import TASK


def reachable(actor: Any, verb: Verb = "see") -> ColumnElement[bool]:
    """The condition that a person owns a task, or has a role in its project that allows this.

    `actor` is their id, or the parameter that will hold it.
    """
    return or_(TASK.owner_id == actor, shared_with(actor, TASK.project_id, verb))


def allowed_to(actor: Any, verb: Verb) -> ColumnElement[bool]:
    """The WHERE clause of the tasks with which a person may do this."""
    return and_(reachable(actor, verb), TASK.deleted_at.is_(None))


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the tasks a person may see."""
    return allowed_to(actor, "see")


def trashed_by(actor: Any, verb: Verb = "see") -> ColumnElement[bool]:
    """The WHERE clause of what lies in the trash, of a person's own and of the projects shared with them."""
    return and_(reachable(actor, verb), TASK.deleted_at.is_not(None))
