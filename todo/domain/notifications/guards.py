"""Visibility of reminders and notifications: only to their owner."""

from typing import Any

from sqlalchemy import ColumnElement, String, and_, any_, exists, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.domain.notifications.models import NOTIFICATION, REMINDER, SHARED_KINDS
from todo.domain.tasks import guards as tasks
from todo.domain.tasks.models import TASK


def visible_to(actor: Any) -> ColumnElement[bool]:
    """Return the WHERE clause for a user's reminders of tasks that the user can see."""
    return and_(REMINDER.user_id == actor, REMINDER.task_id.in_(select(TASK.id).where(tasks.visible_to(actor))))


def visible_in_list(actor: Any) -> ColumnElement[bool]:
    """Return the WHERE clause for the notifications in a user's list."""
    return and_(NOTIFICATION.user_id == actor, NOTIFICATION.in_app, still_visible_to(actor))


def still_visible_to(actor: Any) -> ColumnElement[bool]:
    """Return the WHERE clause that leaves out what is about shared work that a user does not see any more."""
    of_shared_work = NOTIFICATION.kind == any_(literal([*SHARED_KINDS], ARRAY(String)))
    seen = exists().where(TASK.id == NOTIFICATION.task_id, tasks.visible_to(actor))
    return or_(not_(of_shared_work), seen)
