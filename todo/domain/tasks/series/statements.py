"""Statements of what is done most often, built once: to build one costs more than to run it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Column, Insert, bindparam, case, exists, func, insert, null, select, text, update
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from todo.database import ACTOR, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.tasks.guards import allowed_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.rules import ScheduleState

Columns: TypeAlias = ReadOnlyColumnCollection[str, Column[Any]]
# Lets occurrences have twice the quota of their owner, until the transaction ends: a full account loses none of them.
DOUBLE_QUOTA = "todo.opens_occurrences"

OTHER, CHILD = table_of(Occurrence).alias().c, table_of(Task).alias().c

# An occurrence with its series and the time zone of its owner, locked in the order of locks.py.
LOCK_OCCURRENCE = (
    select(Series, Task, USER.timezone)
    .join_from(Task, Series, SERIES.id == TASK.series_id)
    .join(User, USER.id == TASK.owner_id)
    .where(allowed_to(ACTOR, "complete"), TASK.id == bindparam("task"))
    .suffix_with(text("FOR KEY SHARE OF users FOR NO KEY UPDATE OF series FOR NO KEY UPDATE OF tasks"))
    .execution_options(populate_existing=True)
)


def _named(prefix: str, table: Columns, *names: str) -> dict[str, BindParameter[Any]]:
    """Parameters for these columns."""
    return {name: bindparam(f"{prefix}_{name}", type_=table[name].type) for name in names}


def prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


_state = _named("state", SERIES, *ScheduleState.__struct_fields__, "updated_at", "end_notice_at")
_save = update(table_of(Series)).where(SERIES.id == bindparam("series"))
SAVE_STATE = _save.values(_state)
SAVE_END = _save.values({**_state, "failures": 0, "last_error": null()})

_task = bindparam("row_id", type_=TASK.id.type)  # the task that the statement changes or adds
_entry = _named("entry", OCCURRENCE, "id", "created_at", "updated_at", "version", "original_start", "status")
_enter = insert(table_of(Occurrence)).values({**_entry, "series_id": bindparam("series"), "task_id": _task})
_others = exists().where(OTHER.series_id == bindparam("series"), OTHER.status == "open", OTHER.task_id != _task)
_taken = exists().where(OTHER.series_id == bindparam("series"), OTHER.original_start == bindparam("coming"))
_subtasks = exists().where(CHILD.parent_id == _task, CHILD.deleted_at.is_(None))
_close = (
    update(table_of(Occurrence))
    .where(OCCURRENCE.status == "open", OCCURRENCE.task_id == _task)
    .values(_named("closed", OCCURRENCE, "status", "closed_at"))
    .values(undo=case((_others, null()), else_=bindparam("undo", type_=OCCURRENCE.undo.type)))
)


def closing(change: Insert) -> Insert:
    """Close the occurrence of a task with the change of the task, and let the next one have twice the quota.

    Returns whether it was the only open one of its series, whether there is an occurrence at `coming` already, and
    whether the task has subtasks.
    """
    return change.add_cte(_close.cte("closed")).returning(
        ~_others, _taken, _subtasks, func.set_config(DOUBLE_QUOTA, "on", True)
    )


def opening(change: Insert) -> Insert:
    """Add the occurrence of a task, and save where its series stands, with the task."""
    return change.add_cte(_enter.cte("entry"), SAVE_STATE.cte("state"))
