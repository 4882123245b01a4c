"""Tables of reminders, notifications and preferences.

Reminders stay correct whatever changes a task, even raw SQL: triggers (in the migration) set `run_at`, so that the
worker evaluates the reminder again. All arithmetic is in `rules`.

- `tasks_touch_reminders`, after an update of tasks: `run_at = now()` on the reminders of tasks whose dates, status,
    trash or owner changed. A task that enters a series shares its relative reminders with the future occurrences; one
    that moves to another series takes on the reminders of that one.
- `tasks_copy_reminders`, after an insert of tasks: a new occurrence gets the every-occurrence reminders of its series
    with `run_at` at the epoch: they are sent when it is materialized, however late that is.
- `series_inherit_reminders`, after an insert of series: a successor gets the every-occurrence reminders of its
    predecessor.
- `users_touch_reminders`, after a change of time zone or status: waiting reminders and the next digest are evaluated
    again.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from todo.database import Row, columns

SHARED_KINDS = ("assigned", "mentioned", "commented", "completed")
WAITING = text("run_at IS NOT NULL")
DIGEST_WANTED = text("next_digest_at IS NOT NULL")


def _instant(**options: Any) -> Any:
    return Field(sa_type=DateTime(timezone=True), **options)


def _channels(*names: str) -> Any:
    default = text(f"'{json.dumps(names)}'")
    return Field(default_factory=lambda: list(names), sa_column=Column(JSONB, nullable=False, server_default=default))


class Reminder(Row, table=True):
    """A reminder of a task or, with `series_id` instead of `task_id`, the template copied to every new occurrence."""

    __tablename__ = "reminders"
    __table_args__ = (
        Index("ix_reminders_due", "run_at", postgresql_where=WAITING),
        Index("ix_reminders_upcoming", "user_id", "remind_at", "id", postgresql_where=text("remind_at IS NOT NULL")),
        Index("ix_reminders_task", "task_id"),
        Index("ix_reminders_series", "series_id", postgresql_where=text("series_id IS NOT NULL")),
        Index("ix_reminders_template", "template_id", postgresql_where=text("template_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 80}},
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    task_id: UUID | None = Field(default=None, foreign_key="tasks.id", ondelete="CASCADE")
    series_id: UUID | None = Field(default=None, foreign_key="series.id", ondelete="CASCADE")
    template_id: UUID | None = Field(default=None, foreign_key="reminders.id", ondelete="SET NULL")
    timing: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))  # as in the API
    urgent: bool = False  # also sent in quiet hours
    snoozed_until: datetime | None = _instant(default=None)
    remind_at: datetime | None = _instant(default=None)  # scheduled time of sending
    run_at: datetime | None = _instant(default=None)  # when the worker evaluates it again; null: after a change
    sent_key: str | None = None  # identifies what was sent last
    sent_at: datetime | None = _instant(default=None)
    last_error: str | None = None


class Notification(Row, table=True):
    """A message to a user. `dedup` identifies its subject: a second one is never created.

    One about shared work is shown and mailed only while the user sees the task; the trigger `notifications_end` deletes
    it with the task.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_user", "user_id", "id", postgresql_where=text("in_app")),
        Index("ix_notifications_unread", "user_id", "id", postgresql_where=text("in_app AND read_at IS NULL")),
        Index("ix_notifications_task", "task_id", postgresql_where=text("task_id IS NOT NULL")),
        Index("ix_notifications_read", "read_at", postgresql_where=text("read_at IS NOT NULL")),
        Index("ix_notifications_mailed", "created_at", postgresql_where=text("NOT in_app AND read_at IS NULL")),
        Index("ix_notifications_created", "created_at"),
        Index("ix_notifications_comment", "comment_id", postgresql_where=text("comment_id IS NOT NULL")),
        Index("ix_notifications_actor", "actor_id", postgresql_where=text("actor_id IS NOT NULL")),
        Index("ix_notifications_mail", "mail_at", postgresql_where=text("mail_waits")),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    dedup: str = Field(unique=True)
    kind: str  # reminder | missed | digest | overdue | series_ended, or of shared work: SHARED_KINDS
    title: str
    text: str = ""
    task_id: UUID | None = Field(default=None, foreign_key="tasks.id", ondelete="SET NULL")
    comment_id: UUID | None = Field(default=None, foreign_key="comments.id", ondelete="CASCADE")
    actor_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")  # whom the title names
    in_app: bool = True  # whether the list shows it; e-mail-only ones are kept for `dedup`
    read_at: datetime | None = _instant(default=None)
    mail_at: datetime | None = _instant(default=None)  # of shared work: when to mail it, or when it was mailed
    mail_waits: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class Preferences(Row, table=True):
    """How a user wants to be notified. Users without a row have these defaults. Local times are `HH:MM`."""

    __tablename__ = "notification_preferences"
    __table_args__ = (Index("ix_notification_preferences_digest", "next_digest_at", postgresql_where=DIGEST_WANTED),)

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", unique=True)
    email: bool = True
    # Daily messages are opt-in.
    reminder: list[Any] = Field(default_factory=lambda: ["app", "email"], sa_column=Column(JSONB, nullable=False))
    missed: list[Any] = Field(default_factory=lambda: ["app", "email"], sa_column=Column(JSONB, nullable=False))
    digest: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    overdue: list[Any] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    series_ended: list[Any] = Field(default_factory=lambda: ["app"], sa_column=Column(JSONB, nullable=False))
    assigned: list[Any] = _channels("app", "email")
    mentioned: list[Any] = _channels("app", "email")
    commented: list[Any] = _channels("app")
    completed: list[Any] = _channels("app")
    # Of projects with another level than `all`: project_id and level.
    projects: list[Any] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    digest_time: str = "08:00"
    day_time: str = "09:00"
    quiet_begin: str | None = None
    quiet_end: str | None = None
    next_digest_at: datetime | None = _instant(default=None)  # null: no digest


REMINDER, NOTIFICATION = columns(Reminder), columns(Notification)
PREFERENCES = columns(Preferences)
