"""Who may see and change which series."""

from typing import Any

from sqlalchemy import ColumnElement, or_

from todo.domain.projects.guards import shared_with
from todo.domain.projects.rules import Verb
from todo.domain.tasks.series.models import SERIES


def allowed_to(actor: Any, verb: Verb) -> ColumnElement[bool]:
    """The WHERE clause of the series with which a person may do this; `actor` is their id, or its parameter."""
    return or_(SERIES.owner_id == actor, shared_with(actor, SERIES.project_id, verb))


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the series a person may see."""
    return allowed_to(actor, "see")
