"""Who may see which task."""

from typing import Any

from sqlalchemy import ColumnElement, and_

from todo.domain.tasks.models import TASK


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the tasks a person may see; `actor` is their id, or the parameter that will hold it."""
    return and_(TASK.owner_id == actor, TASK.deleted_at.is_(None))


def trashed_by(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of what lies in a person's trash."""
    return and_(TASK.owner_id == actor, TASK.deleted_at.is_not(None))
