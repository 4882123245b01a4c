"""Series, a rule and the template of the tasks it makes, and their occurrences.

Constraint triggers (`series_check`, `occurrences_check_*`, `tasks_check_*`, in the migration) refuse at commit what
`invariants.py` forbids, where the row itself has just become so.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, String, literal_column, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from todo.database import Row, columns
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import parse
from todo.domain.recurrence.rules.occurrences import due
from todo.domain.recurrence.rules.plan import Plan, PlannedOccurrence, check_exceptions
from todo.domain.recurrence.rules.timing import OpenOccurrence, unmoved
from todo.domain.tasks import rules
from todo.domain.tasks.models import Task
from todo.domain.tasks.series.rules import ScheduleState, columns_of, template_of


class Series(Row, table=True):
    """Work that comes back.

    Times named `original_start` are wall-clock times in `timezone` (null: wherever the owner is).

    `vacations` are those of the owner. Triggers keep them equal: `series_inherit_vacations` before an insert of series,
    `users_copy_vacations` after a change of the owner's, which also lets the worker evaluate the series again.
    """

    __tablename__ = "series"
    __table_args__ = (
        Index("ix_series_due", "next_run_at", postgresql_where=text("next_run_at IS NOT NULL")),
        Index("ix_series_owner", "owner_id", "id"),
        Index("ix_series_project", "project_id", "id"),
        Index(
            "ix_series_title_trigrams",
            literal_column("(template ->> 'title')").label("words"),
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
        ),
        Index("ix_series_set_aside", "id", postgresql_where=text("failures > 0")),
        Index("ix_series_predecessor", "predecessor_id", postgresql_where=text("predecessor_id IS NOT NULL")),
        Index("ix_series_end_notice", "end_notice_at", postgresql_where=text("end_notice_at IS NOT NULL")),
        ForeignKeyConstraint(
            ["project_id", "owner_id"], ["projects.id", "projects.owner_id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
        ForeignKeyConstraint(
            ["section_id", "project_id"], ["sections.id", "sections.project_id"], ondelete="SET NULL (section_id)"
        ),
        Index("ix_series_section", "section_id", postgresql_where=text("section_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 85}},
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    project_id: UUID
    section_id: UUID | None = None
    owner_timezone: str  # resolves floating times
    status: str = "active"  # active | paused | ended
    rrule: str
    start: datetime = Field(sa_type=DateTime(timezone=False))
    repeats_by: str = Field(default="due", sa_column_kwargs={"server_default": "due"})  # the date of a task it gives
    kind: str  # day | floating | zoned, as the first due (or start) was
    timezone: str | None = None
    anchor: str = "schedule"
    on_invalid_date: str = "backward"
    on_missed: str = "keep_one"
    opens: str = "either"
    lead_seconds: int = 0
    until: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    count: int | None = None
    max_open: int = 50
    expire_after_seconds: int | None = None
    holidays: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    shift: str | None = None
    pauses: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    vacations: list[Any] = Field(  # of the owner
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    exceptions: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(String), nullable=False))
    template: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    predecessor_id: UUID | None = Field(default=None, foreign_key="series.id", ondelete="SET NULL")

    n: int = 0  # number of the last occurrence that has opened
    last_original_start: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    next_original_start: datetime | None = Field(default=None, sa_type=DateTime(timezone=False))
    next_n: int | None = None
    next_run_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))  # null: nothing to wait for
    end_notice_at: datetime | None = Field(  # when it came to its end by itself; null: its owner need not be notified
        default=None, sa_type=DateTime(timezone=True)
    )
    failures: int = 0
    last_error: str | None = None

    @property
    def state(self) -> ScheduleState:
        return ScheduleState(
            self.status, self.last_original_start, self.n, self.next_original_start, self.next_n, self.next_run_at
        )

    @property
    def last(self) -> PlannedOccurrence:
        """The occurrence that came up last."""
        return PlannedOccurrence(self.last_original_start or self.start, self.n)

    @property
    def coming(self) -> PlannedOccurrence | None:
        """The next occurrence, where it is known."""
        return PlannedOccurrence(self.next_original_start, self.next_n or 0) if self.next_original_start else None

    def plan(self) -> Plan:
        """The series as the rules see it, in the time zone that counts for it; raises RuleError."""
        return Plan.from_columns(
            self.rrule,
            self.start,
            kind=self.kind,
            timezone=self.timezone or self.owner_timezone,
            anchor=self.anchor,
            on_invalid_date=self.on_invalid_date,
            on_missed=self.on_missed,
            opens=self.opens,
            lead_seconds=self.lead_seconds,
            until=self.until,
            count=self.count,
            holidays=self.holidays,
            shift=self.shift,
            pauses=[*self.pauses, *self.vacations],
            exceptions=self.exceptions,
            max_open=self.max_open,
            expire_after_seconds=self.expire_after_seconds,
        )

    def changed(self, sent: Mapping[str, Any], *, hourly: bool) -> "Series":
        """The series with other columns and its rule in canonical form, not stored. Raises RuleError.

        An end that is sent, in the rule or beside it, replaces the old one. `hourly`: whether a new rule may repeat by
        the hour; a stored one goes on.
        """
        if sent.get("rrule") not in (None, self.rrule):
            parse(sent["rrule"], hourly)
        ends = dict.fromkeys(("count", "until")) if _has_end(sent) else {}
        changed = Series(**(self.model_dump() | ends | dict(sent)))
        plan = changed.plan()
        check_exceptions(changed.exceptions, changed.kind)
        changed.rrule, changed.count, changed.until = str(plan.rule), plan.count, plan.until
        return changed

    def open_occurrence(self, plan: Plan, original_start: datetime, moment: dict[str, Any] | None) -> OpenOccurrence:
        """An open occurrence whose task has this due or, where the series repeats by start, this start."""
        if moment is None:
            return unmoved(plan, original_start)
        return OpenOccurrence(original_start, rules.overdue_at(moment, self.timezone or self.owner_timezone))

    def occurrence_values(self, plan: Plan, original_start: datetime) -> dict[str, Any]:
        """The columns that make a task this occurrence of the series."""
        moment = rules.moment_at(due(plan, original_start), self.kind, self.timezone)
        instants = rules.instants_of(moment, self.timezone or self.owner_timezone) if self.repeats_by == "due" else {}
        return {
            self.repeats_by: moment,
            **instants,
            "series_id": self.id,
            "occurrence": written(original_start, all_day=self.kind == "day"),
        }

    def new_task_values(self, plan: Plan, original_start: datetime) -> dict[str, Any]:
        """The columns of a new task that is this occurrence of the series."""
        values = self.occurrence_values(plan, original_start)
        place = {"owner_id": self.owner_id, "project_id": self.project_id, "section_id": self.section_id}
        place["created_by"] = self.owner_id
        return columns_of(self.template, values[self.repeats_by]) | place | values

    def date_of(self, task: Task) -> dict[str, Any] | None:
        """The due of one of its tasks or, where the series repeats by start, its start."""
        return task.due if self.repeats_by == "due" else task.start


class Occurrence(Row, table=True):
    """One occurrence of a series. Its identity is the original start: no two workers can double one."""

    __tablename__ = "occurrences"
    __table_args__ = (
        Index("uq_occurrences_series_id_original_start", "series_id", "original_start", unique=True),
        Index("ix_occurrences_open", "series_id", postgresql_where=text("status = 'open'")),
        Index("uq_occurrences_open_task", "task_id", unique=True, postgresql_where=text("status = 'open'")),
        # The task belongs to the same series, so that a series at most has it. Checked at commit, so that an occurrence
        # can claim its place before its task is written.
        ForeignKeyConstraint(
            ["task_id", "series_id"],
            ["tasks.id", "tasks.series_id"],
            ondelete="SET NULL (task_id)",
            deferrable=True,
            initially="DEFERRED",
        ),
    )

    series_id: UUID = Field(foreign_key="series.id", ondelete="CASCADE")
    original_start: datetime = Field(sa_type=DateTime(timezone=False))
    task_id: UUID | None = Field(default=None, index=True)
    # open | done | skipped | missed | paused | cancelled; on the wire an open one with moved_to is `moved`
    status: str = "open"
    closed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    moved_to: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))  # when it is due instead
    # What closing this occurrence changed (`Undo`), so that reopening it can be exactly nothing.
    undo: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


SERIES, OCCURRENCE = columns(Series), columns(Occurrence)


def series_like(task: Task, timezone: str) -> Series:
    """A series that would begin with this task, without its rule.

    It repeats by the due of the task or, without one, by its start; a task without both is due today.
    """
    columns = task.model_dump()
    by_start = task.due is None and task.start is not None
    moment = columns.pop("start") if by_start else task.due
    moment = moment or {"kind": "day", "date": datetime.now(ZoneInfo(timezone)).date().isoformat()}
    return Series(
        owner_id=task.owner_id,
        project_id=task.project_id,
        section_id=task.section_id,
        owner_timezone=timezone,
        repeats_by="start" if by_start else "due",
        start=rules.local_time_of(moment),
        kind=moment["kind"],
        timezone=moment.get("timezone"),
        template=template_of(columns, moment),
        rrule="",
    )


def _has_end(sent: Mapping[str, Any]) -> bool:
    parsed = parse(sent["rrule"]) if "rrule" in sent else None
    return bool(sent.get("count") or sent.get("until") or (parsed and (parsed.count or parsed.until)))
