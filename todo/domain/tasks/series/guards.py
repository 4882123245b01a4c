"""Who may see which series."""

from typing import Any

from sqlalchemy import ColumnElement

from todo.domain.tasks.series.models import SERIES


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the series a person may see; `actor` is their id, or the parameter that will hold it."""
    mine: ColumnElement[bool] = SERIES.owner_id == actor
    return mine
