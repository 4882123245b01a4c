"""Admin resources for reminders, notifications and preferences."""

from sqlalchemy import ColumnElement, and_

from todo.access import Actor
from todo.admin.declaration import Filter, ModelAdmin, Resource
from todo.database import ACTOR
from todo.domain.notifications.guards import still_visible_to
from todo.domain.notifications.models import (
    NOTIFICATION,
    PREFERENCES,
    REMINDER,
    Notification,
    Preferences,
    Reminder,
)
from todo.domain.notifications.schemas import Kind, ProjectLevel, Timing

OWN_REMINDERS = REMINDER.user_id == ACTOR
OWN_NOTIFICATIONS = and_(NOTIFICATION.user_id == ACTOR, still_visible_to(ACTOR))
OWN_PREFERENCES = PREFERENCES.user_id == ACTOR


class ReminderAdmin(ModelAdmin[Reminder]):
    model = Reminder
    icon, group = "bell", "Notifications"
    display = "task_id"
    columns = ("task_id", "series_id", "user_id", "remind_at", "snoozed_until", "urgent", "sent_at")
    schemas = {"timing": Timing}
    foreign = ("last_error",)
    filters = (
        Filter("state", {"waiting": REMINDER.remind_at.is_not(None), "sent": REMINDER.sent_at.is_not(None)}),
        Filter("trouble", {"set_aside": REMINDER.last_error.is_not(None), "none": REMINDER.last_error.is_(None)}),
        "user_id", "task_id", "series_id", "remind_at", "user.email", "task.title",
        "task.project.name",
    )  # fmt: skip
    verbs = ("view", "delete", "export")
    every_row = "reminders.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_REMINDERS


class NotificationAdmin(ModelAdmin[Notification]):
    model = Notification
    icon, group = "inbox", "Notifications"
    display = "title"
    columns = ("title", "kind", "user_id", "task_id", "read_at", "created_at")
    types = {"kind": Kind}
    filters = ("kind", "user_id", "task_id", "created_at", "user.email", "task.project.name")
    search = ("title",)
    heavy = ("text",)
    verbs = ("view", "export")
    every_row = "notifications.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_NOTIFICATIONS


class PreferencesAdmin(ModelAdmin[Preferences]):
    model = Preferences
    label, label_one = "Notification preferences", "Preferences"
    icon, group = "sliders", "Notifications"
    display = "user_id"
    columns = ("user_id", "email", "reminder", "digest", "digest_time", "quiet_begin", "quiet_end")
    schemas = {"projects": ProjectLevel}
    filters = ("user_id", "email")
    verbs = ("view", "export")
    every_row = "notification_preferences.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_PREFERENCES


ADMINS: list[type[Resource]] = [ReminderAdmin, NotificationAdmin, PreferencesAdmin]
