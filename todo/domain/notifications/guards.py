"""Who may see which reminder and which message: only whose they are."""

from typing import Any

from sqlalchemy import ColumnElement, and_, select

from todo.domain.notifications.models import NOTIFICATION, REMINDER
from todo.domain.tasks import guards as tasks
from todo.domain.tasks.models import TASK


def visible_to(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of a person's reminders, as long as they can see the task."""
    return and_(REMINDER.user_id == actor, REMINDER.task_id.in_(select(TASK.id).where(tasks.visible_to(actor))))


def visible_in_list(actor: Any) -> ColumnElement[bool]:
    """The WHERE clause of the messages in a person's list."""
    return and_(NOTIFICATION.user_id == actor, NOTIFICATION.in_app)
