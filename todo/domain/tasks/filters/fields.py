"""The fields of the filter language.

A condition is never null, so that `not` finds what it does not hold of: a comparison does not hold where there is
nothing to compare.
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    String,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from todo.database import ACTOR, table_of
from todo.domain.accounts.models import USER
from todo.domain.projects.models import PROJECT, SECTION
from todo.domain.projects.queries import VISIBLE_IDS, VISIBLE_PEOPLE, named
from todo.domain.tasks import models
from todo.domain.tasks.filters import kinds, times
from todo.domain.tasks.filters.kinds import Kind
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import (
    IS_OPEN,
    SORTS,
    TIME,
    assigned,
    due_from,
    due_until,
    has_labels,
    is_assigned,
    is_late,
    labeled,
    words_query,
)
from todo.domain.tasks.schemas import PRIORITY_NAMES


class Take:
    """Takes the arguments of clauses, one after another, as bound values.

    `place`: owner or project of the tasks, by which an index has some of them; None where each task is asked.
    """

    def __init__(self, place: Any):
        self.place = place
        self._numbers = count()

    def __call__(self, type_: TypeEngine[Any]) -> ColumnElement[Any]:
        return bindparam(f"filter_{next(self._numbers)}", type_=type_)


Clause: TypeAlias = Callable[[Take], ColumnElement[bool]]
TEXTS, SUBTASK = ARRAY(Text), table_of(Task).alias("subtask").c
STATUSES = {name: name for name in ("open", "in_progress", "waiting", "done", "cancelled")}
PRIORITIES = {name: number for number, name in PRIORITY_NAMES.items()} | {str(number): number for number in range(5)}


class Field(NamedTuple):
    """A field: its kind, whose matches name `clauses`; by which `sort` lists have its order, if they have.

    `lookup`: its SQL is long, so that only some of them go into one filter.
    """

    name: str
    description: str
    kind: Kind
    clauses: Mapping[str, Clause]
    sort: str = ""
    lookup: bool = False


def _interval(
    column: ColumnElement[Any], type_: TypeEngine[Any], first: str = "", last: str = "", none: Clause | None = None
) -> dict[str, Clause]:
    """The clauses of an interval. `first` or `last` is what the column has where there is nothing."""
    present = [column > literal_column(first)] if first else []
    not_last = [column < literal_column(last)] if last else []
    return {
        "between": lambda take: and_(column >= take(type_), column < take(type_)),
        "before": lambda take: and_(column < take(type_), *present),
        "since": lambda take: and_(column >= take(type_), *not_last),
        **({"none": none} if none else {}),
    }


def _empty(column: ColumnElement[Any]) -> Clause:
    return lambda _: column.is_(None)


def _id(column: ColumnElement[Any]) -> dict[str, Clause]:
    return {
        "among": lambda take: and_(column.is_not(None), column == any_(take(ARRAY(Uuid)))),
        "none": _empty(column),
    }


def _project(take: Take) -> ColumnElement[bool]:
    return TASK.project_id.in_(
        select(PROJECT.id).where(PROJECT.id.in_(VISIBLE_IDS), named(take(TEXTS), PROJECT.name, PROJECT.id))
    )


def _section(take: Take) -> ColumnElement[bool]:
    found = select(SECTION.id).where(SECTION.project_id.in_(VISIBLE_IDS), named(take(TEXTS), SECTION.name, SECTION.id))
    return and_(TASK.section_id.is_not(None), TASK.section_id.in_(found))


def _person(take: Take) -> ColumnElement[bool]:
    return TASK.created_by.in_(
        select(USER.id).where(USER.id.in_(VISIBLE_PEOPLE), named(take(TEXTS), USER.name, USER.id))
    )


def _assignee(take: Take) -> ColumnElement[bool]:
    people = select(USER.id).where(USER.id.in_(VISIBLE_PEOPLE), named(take(TEXTS), USER.name, USER.id))
    found = func.array(people.scalar_subquery())
    return is_assigned(found) if take.place is None else assigned(take.place, found)


def _label(take: Take) -> ColumnElement[bool]:
    labels = take(TEXTS)
    return has_labels(labels, "&&") if take.place is None else labeled(take.place, labels, "&&")


def _estimate(compare: Callable[[Take], ColumnElement[bool]]) -> Clause:
    return lambda take: func.coalesce(compare(take), false())


TIME_OR_NONE = kinds.interval("time", times.TIMES, times.instants)
_completed, _start, _deadline = (SORTS[name].expression for name in ("completed_at", "start", "deadline"))
_importance, _minutes = SORTS["priority"].expression, TASK.estimate_minutes
_estimates = _interval(_minutes, Integer(), none=_empty(_minutes))
_ALL = (
    Field(
        "status", "Where it stands.", kinds.choice("status", STATUSES),
        {
            "is": lambda take: TASK.status == take(String()),
            "among": lambda take: TASK.status == any_(take(ARRAY(String))),
        },
        "status",
    ),
    Field(
        "closed", "Whether it is done or cancelled; a flag.", kinds.FLAG,
        {"is": lambda _: ~IS_OPEN},
    ),
    Field(
        "priority", "How important it is.", kinds.choice("priority", PRIORITIES, ordered=True),
        {
            "is": lambda take: _importance == -take(Integer()),
            "among": lambda take: TASK.priority == any_(take(ARRAY(Integer))),
            "before": lambda take: _importance > -take(Integer()),
            "since": lambda take: _importance <= -take(Integer()),
        },
        "priority",
    ),
    Field(
        "due", "When it is due. A day begins at midnight where you are.",
        kinds.interval("time", times.TIMES, times.instants, with_days=True),
        {
            "between": lambda take: and_(due_from(take(TIME), take(Text())), due_until(take(TIME), take(Text()))),
            "before": lambda take: due_until(take(TIME), take(Text())),
            "since": lambda take: due_from(take(TIME), take(Text())),
            "none": _empty(TASK.due_at),
        }, "due_at",
    ),
    Field(
        "overdue", "Whether it is open and late; a day is late once it is over where you are; a flag.", kinds.LATE,
        {"is": lambda take: and_(IS_OPEN, is_late(take(Text())))},
    ),
    Field(
        "start", "When work on it can begin, by the local time it is given in.",
        kinds.interval("time", times.TIMES, times.wall_clock),
        _interval(_start, String(), last="'9999-12-31'", none=_empty(TASK.start)), "start",
    ),
    Field(
        "deadline", "The last day on which it makes sense.", kinds.interval("day", times.TIMES, times.days),
        _interval(_deadline, Date(), last=models.FAR_DAY, none=_empty(TASK.deadline)), "deadline",
    ),
    Field(
        "created", "When it was added.", kinds.interval("time", times.TIMES, times.instants, can_be_none=False),
        _interval(TASK.created_at, TIME), "created_at",
    ),
    Field(
        "updated", "When it was last changed.",
        kinds.interval("time", times.TIMES, times.instants, can_be_none=False),
        _interval(TASK.updated_at, TIME), "updated_at",
    ),
    Field(
        "completed", "When it was completed or cancelled.", TIME_OR_NONE,
        _interval(_completed, TIME, first=models.LONG_AGO, none=_empty(TASK.completed_at)), "completed_at",
    ),
    Field(
        "estimate", "How long it takes.",
        kinds.interval("duration", "minutes, or a duration such as 30min, 2h or 1h30m", times.minutes),
        _estimates | {name: _estimate(_estimates[name]) for name in ("between", "before", "since")},
    ),
    Field(
        "project", "Its project, of those you see.",
        kinds.names("project", "the name or id of a project, or `inbox`", ("inbox",)),
        {"among": _project, "inbox": lambda _: TASK.project_id == ACTOR}, lookup=True,
    ),
    Field(
        "section", "Its section, of the projects you see.",
        kinds.names("section", "the name or id of a section, or `none`", ("none",)),
        {"among": _section, "none": _empty(TASK.section_id)}, lookup=True,
    ),
    Field(
        "label", "Its labels, whatever their case; any of several.",
        kinds.names("label", "the name of a label, or `none`", ("none",)),
        {
            "among": _label,
            "none": lambda _: TASK.labels == literal_column("'{}'"),
        }, lookup=True,
    ),
    Field(
        "author", "Who added it, of those with whom you share a project.",
        kinds.names("person", "`me`, or the name or id of a person", people=True), {"among": _person}, lookup=True,
    ),
    Field(
        "assignee", "Whom it is assigned to, of those with whom you share a project.",
        kinds.names("person", "`me`, `none`, or the name or id of a person", ("none",), people=True),
        {"among": _assignee, "none": lambda _: TASK.assignee_ids == literal_column("'{}'")}, lookup=True,
    ),
    Field("blocked", "Whether it waits for an open task; a flag.", kinds.FLAG, {"is": lambda _: TASK.blocked}),
    Field("parent", "The task directly above it.", kinds.ids("the id of a task, or `none`"), _id(TASK.parent_id)),
    Field("series", "The series it is of.", kinds.ids("the id of a series, or `none`"), _id(TASK.series_id)),
    Field(
        "text", "The words of its title, labels, notes and comments, whatever their case and accents.", kinds.WORDS,
        {"among": lambda take: TASK.words.op("@@")(words_query(take(Text())))}, lookup=True,
    ),
    Field(
        "notes", "More about it; only with `has`.", kinds.PART,
        {"none": lambda _: TASK.notes == literal_column("''")},
    ),
    Field(
        "subtasks", "The tasks directly below it; only with `has`.", kinds.PART,
        {"none": lambda _: ~exists().where(SUBTASK.parent_id == TASK.id, SUBTASK.deleted_at.is_(None))}, lookup=True,
    ),
)  # fmt: skip
FIELDS = {field.name: field for field in _ALL}
ORDERS = {field.name: field.sort for field in _ALL if field.sort} | {"title": "title"}
LOOKUPS = tuple(field.name for field in _ALL if field.lookup)
