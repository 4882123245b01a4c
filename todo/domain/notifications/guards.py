"""Visibility of reminders and notifications: only to their owner."""

from typing import Any

from sqlalchemy import ColumnElement, and_, select

from todo.domain.notifications.models import NOTIFICATION, REMINDER
from todo.domain.tasks import guards as tasks
from todo.domain.tasks.models import TASK


def visible_to(actor: Any) -> ColumnElement[bool]:
    """Return the WHERE clause for a user's reminders of tasks that the user can see."""
    return and_(REMINDER.user_id == actor, REMINDER.task_id.in_(select(TASK.id).where(tasks.visible_to(actor))))


def visible_in_list(actor: Any) -> ColumnElement[bool]:
    """Return the WHERE clause for the notifications in a user's list."""
    return and_(NOTIFICATION.user_id == actor, NOTIFICATION.in_app)
