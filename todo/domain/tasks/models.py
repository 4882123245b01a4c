"""Tasks."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKeyConstraint, Index, Text, Uuid, false, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlmodel import Field

from todo.database import Row, columns, now, table_of
from todo.domain.tasks import rules

# Where tasks without a due date sort: spelled out in SQL, so that index and query agree.
FAR_AWAY = "'9999-12-31 00:00:00+00'::timestamptz"
FAR_DAY = "'9999-12-30'::date"  # asyncpg sends the last day of the calendar as infinity
LONG_AGO = "'1900-01-01 00:00:00+00'::timestamptz"
# Orders as SQL. A start sorts by its wall clock; what is not completed comes before what is.
BY_START = "coalesce(start->>'at', start->>'date', '9999-12-31')"
BY_DEADLINE = f"coalesce(deadline, {FAR_DAY})"
BY_COMPLETED = f"coalesce(completed_at, {LONG_AGO})"
BY_TITLE = "lower(left(title, 64))"
# Where people have put it, or by when it was added (`order/rules.py`); by its bytes, as the column.
BY_POSITION = "COALESCE(position, 'U'::text || replace(id::text, '-'::text, ''::text))"
# Words without case and accents, of every language alike: those of the title weigh most, then labels, notes, and the
# newest comments. Triggers keep them. The owner and the project are two more of them, so that one search of the index
# finds what is both; no word of a text begins with these characters.
OWNER_MARK, PROJECT_MARK = "\x01", "\x02"
# A label with the owner, and with the project: one word of the index for what is in both. The function `label_keys`
# adds the place to each label, and leaves case out.
LABEL_KEYS = "label_keys(owner_id, labels) || label_keys(project_id, labels)"
# In the same way, an assignee with the owner, and with the project.
ASSIGNEE_KEYS = "assignee_keys(owner_id, assignee_ids) || assignee_keys(project_id, assignee_ids)"
# Where the planner must see that a partial index has all open tasks.
IS_OPEN = "status <> 'done' AND status <> 'cancelled'"
HERE, OPEN, TRASHED = (
    text("deleted_at IS NULL"),
    text(f"deleted_at IS NULL AND {IS_OPEN}"),
    text("deleted_at IS NOT NULL"),
)
# Not in an inbox, which nobody shares: for tasks in one, the indexes of their owner are enough.
PLACED, PLACED_OPEN = (
    text(f"deleted_at IS NULL{state} AND project_id <> owner_id") for state in ("", f" AND {IS_OPEN}")
)
LABELED = text("deleted_at IS NULL AND labels <> '{}'::text[]")
BLOCKED = text("blocked AND deleted_at IS NULL")
ASSIGNED = text("assignee_ids <> '{}'::uuid[]")
OPEN_ASSIGNED = text(f"assignee_ids <> '{{}}'::uuid[] AND deleted_at IS NULL AND {IS_OPEN}")
DUE = text(f"coalesce(due_at, {FAR_AWAY})")
IMPORTANCE = text("(- priority)")  # the most important first
START, DEADLINE, COMPLETED, TITLE, POSITION = (
    text(f"({words})") for words in (BY_START, BY_DEADLINE, BY_COMPLETED, BY_TITLE, BY_POSITION)
)


class Task(Row, table=True):
    """A piece of work. `due` and `start` are kept as the client said them.

    `due_at` is the instant that `due` means, `overdue_at` the one after which open work is late: the end of the day,
    where `due` is a day. Triggers keep `blocked`, whether it waits for an open task that is not in the trash, and count
    what is directly below, neither in the trash nor cancelled: no new version, nobody has changed the task.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        # One for every order that a list can have; ties end on id. docs/performance.md says what each costs.
        Index("ix_tasks_created", "owner_id", "created_at", "id", postgresql_where=HERE),
        Index("ix_tasks_updated", "owner_id", "updated_at", "id", postgresql_where=HERE),
        Index("ix_tasks_due", "owner_id", DUE, "id", postgresql_where=HERE),
        Index("ix_tasks_start", "owner_id", START, "id", postgresql_where=HERE),
        Index("ix_tasks_deadline", "owner_id", DEADLINE, "id", postgresql_where=HERE),
        Index("ix_tasks_completed", "owner_id", COMPLETED, "id", postgresql_where=HERE),
        Index("ix_tasks_title", "owner_id", TITLE, "id", postgresql_where=HERE),
        Index("ix_tasks_status", "owner_id", "status", "created_at", "id", postgresql_where=HERE),
        Index("ix_tasks_priority", "owner_id", IMPORTANCE, DUE, "id", postgresql_where=HERE),
        Index("ix_tasks_open_due", "owner_id", DUE, "id", postgresql_where=OPEN),
        Index("ix_tasks_open_priority", "owner_id", IMPORTANCE, DUE, "id", postgresql_where=OPEN),
        Index("ix_tasks_trash", "owner_id", "deleted_at", "id", postgresql_where=TRASHED),
        Index("ix_tasks_deleted", "deleted_at", postgresql_where=TRASHED),
        # What others see of a project, and what its owner sees of it alone.
        Index("ix_tasks_project_created", "project_id", "created_at", "id", postgresql_where=PLACED),
        Index("ix_tasks_project_updated", "project_id", "updated_at", "id", postgresql_where=PLACED),
        Index("ix_tasks_project_due", "project_id", DUE, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_priority", "project_id", IMPORTANCE, DUE, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_start", "project_id", START, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_deadline", "project_id", DEADLINE, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_completed", "project_id", COMPLETED, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_title", "project_id", TITLE, "id", postgresql_where=PLACED),
        Index("ix_tasks_project_status", "project_id", "status", "created_at", "id", postgresql_where=PLACED),
        Index("ix_tasks_project_open_due", "project_id", DUE, "id", postgresql_where=PLACED_OPEN),
        Index("ix_tasks_project_open_priority", "project_id", IMPORTANCE, DUE, "id", postgresql_where=PLACED_OPEN),
        Index("ix_tasks_project_trash", "project_id", "deleted_at", "id", postgresql_where=TRASHED),
        Index("uq_tasks_series_id_id", "series_id", "id", unique=True),  # what occurrences refer to
        Index("ix_tasks_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_tasks_labels", text(f"({LABEL_KEYS})"), postgresql_using="gin", postgresql_where=LABELED),
        Index("ix_tasks_assignees", text(f"({ASSIGNEE_KEYS})"), postgresql_using="gin", postgresql_where=ASSIGNED),
        Index(
            "ix_tasks_open_assignees",
            text(f"({ASSIGNEE_KEYS})"),
            postgresql_using="gin",
            postgresql_where=OPEN_ASSIGNED,
        ),
        Index("ix_tasks_project_position", "project_id", POSITION, "id", postgresql_where=HERE),
        Index("ix_tasks_section", "section_id", POSITION, "id", postgresql_where=text("section_id IS NOT NULL")),
        Index("ix_tasks_blocked", "owner_id", "created_at", "id", postgresql_where=BLOCKED),
        Index("ix_tasks_project_blocked", "project_id", "created_at", "id", postgresql_where=BLOCKED),
        # For operators, over everybody's tasks.
        Index("ix_tasks_all_assignees", "assignee_ids", postgresql_using="gin", postgresql_where=ASSIGNED),
        Index("ix_tasks_all_created", "created_at", "id", postgresql_where=HERE),
        Index("ix_tasks_all_priority", "priority", "id", postgresql_where=HERE),
        Index("ix_tasks_all_due", DUE, "id", postgresql_where=HERE),
        Index("ix_tasks_all_status", "status", "created_at", "id", postgresql_where=HERE),
        Index("ix_tasks_all_trash", "created_at", "id", postgresql_where=TRASHED),
        # Words anywhere in it, three letters or longer.
        Index("ix_tasks_title_trigrams", "title", postgresql_using="gin", postgresql_ops={"title": "gin_trgm_ops"}),
        CheckConstraint("cardinality(labels) <= 50", name="labels"),
        CheckConstraint(f"cardinality(assignee_ids) <= {rules.MAX_ASSIGNEES}", name="assignee_ids"),
        CheckConstraint("(due_at IS NULL) = (overdue_at IS NULL)", name="overdue_at"),
        # A section of its project.
        ForeignKeyConstraint(
            ["section_id", "project_id"], ["sections.id", "sections.project_id"], ondelete="SET NULL (section_id)"
        ),
        # The owner of a task is that of its project.
        ForeignKeyConstraint(
            ["project_id", "owner_id"], ["projects.id", "projects.owner_id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
    )

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    project_id: UUID
    section_id: UUID | None = None
    created_by: UUID
    title: str
    notes: str = ""
    status: str = "open"  # open | in_progress | waiting | done | cancelled
    priority: int = 0  # 0 none .. 4 urgent
    due: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    overdue_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    start: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    deadline: date | None = None
    estimate_minutes: int | None = None
    labels: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    )
    assignee_ids: list[UUID] = Field(  # in order
        default_factory=list, sa_column=Column(ARRAY(Uuid), nullable=False, server_default=text("'{}'"))
    )
    position: str | None = Field(default=None, sa_column=Column(Text(collation="C")))  # null: as it was added
    parent_id: UUID | None = Field(default=None, foreign_key="tasks.id", ondelete="CASCADE")
    blocked: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    subtasks_total: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    subtasks_done: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    series_id: UUID | None = Field(default=None, foreign_key="series.id", ondelete="SET NULL")
    occurrence: str | None = None  # the original start within the series, as the wire shows it
    completed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    deleted_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))

    @property
    def overdue(self) -> bool:
        """Whether it is open and late."""
        return self.status not in rules.CLOSED and self.overdue_at is not None and self.overdue_at <= now()

    @property
    def progress(self) -> dict[str, int] | None:
        """How many of its subtasks are done; None without any."""
        return {"done": self.subtasks_done, "total": self.subtasks_total} if self.subtasks_total else None


# Not mapped: only searches read it, and a loaded row would carry it along.
_words: Column[Any] = Column("words", TSVECTOR)
table_of(Task).append_column(_words)
Index("ix_tasks_words", _words, postgresql_using="gin", postgresql_where=HERE)
TASK = columns(Task)
FOLLOWING = ("blocked", "subtasks_total", "subtasks_done")  # what triggers keep
