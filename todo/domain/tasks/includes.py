"""What a read of tasks can include, in the same statement: the series of a task, and its direct subtasks."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Label, Select, func, literal_column, select
from sqlalchemy.sql.util import ClauseAdapter

from todo.database import ACTOR, Query, table_of
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import COLUMNS, Lists, lists_of, read_of, task_row
from todo.domain.tasks.schemas import SeriesSummary, Subtask, TaskDetails
from todo.domain.tasks.search import Search
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.queries import series_summary
from todo.errors import Invalid

NAMES = ("series", "subtasks")
MOST = 100  # subtasks of a task
TASKS, CHILD = table_of(Task), table_of(Task).alias("child")
OF_CHILD = ClauseAdapter(CHILD)  # says of a subtask what a clause says of a task


def _field(name: str) -> Label[Any]:
    return OF_CHILD.traverse(COLUMNS.selected_columns[name]).label(name)


# Scalar subqueries run for the tasks of a page only, and leave `tasks` the one table that names can belong to.
OWN_SERIES = select(func.to_jsonb(table_of(Series).table_valued())).where(SERIES.id == TASK.series_id).scalar_subquery()
_children = (
    select(*map(_field, Subtask.__struct_fields__))
    .where(CHILD.c.parent_id == TASK.id, OF_CHILD.traverse(visible_to(ACTOR)))
    .order_by(CHILD.c.created_at, CHILD.c.id)
    .limit(MOST + 1)
    .correlate(TASKS)
    .subquery("subtask")
)
SUBTASKS = select(func.json_agg(literal_column("subtask"))).select_from(_children).scalar_subquery()


class Reads(NamedTuple):
    """The statements that read tasks with what they include."""

    one: Query[TaskDetails]
    lists: Lists
    search: Search


@cache
def reads_of(names: frozenset[str]) -> Reads:
    """Return the statements that include these."""
    columns, into = _columns(names), _row(names)
    return Reads(read_of(into, columns), lists_of(into, columns), Search(into, columns))


def names_of(include: Collection[str] | None, allowed: Collection[str] = NAMES) -> frozenset[str]:
    """Return the names in `include`, each as a value or several with commas. Raise Invalid for one not allowed."""
    names = frozenset(name for value in include or () for name in value.split(","))
    if names <= frozenset(allowed):
        return names
    message = f"This must be one or more of {', '.join(allowed)}, separated by commas."
    raise Invalid.field("query.include", message, "not_a_choice")


def _columns(names: frozenset[str]) -> Select[Any]:
    more = {"series": OWN_SERIES, "subtasks": SUBTASKS}
    return COLUMNS.add_columns(*(more[name].label(name) for name in sorted(names)))


def _row(names: frozenset[str]) -> Callable[..., TaskDetails]:
    if not names:
        return task_row
    width = len(COLUMNS.selected_columns)

    def row(*values: Any) -> TaskDetails:
        task, more = task_row(*values[:width]), dict(zip(sorted(names), values[width:], strict=True))
        if "series" in more:
            task.series = _summary(more["series"])
        if "subtasks" in more:
            task.subtasks, task.subtasks_cut_off = _subtasks(more["subtasks"])
        return task

    return row


def _subtasks(found: str | None) -> tuple[list[Subtask], bool]:
    subtasks = msgspec.json.decode(found or "[]", type=list[Subtask])
    return subtasks[:MOST], len(subtasks) > MOST


def _summary(found: msgspec.Raw | None) -> SeriesSummary | None:
    if found is None:
        return None
    values = msgspec.json.decode(found)
    times = {name: datetime.fromisoformat(values[name]) for name in ("start", "until") if values[name]}
    return series_summary(Series(**(values | times | {"id": UUID(values["id"])})))
