"""What people asked to be told, were told, and what is on its way, as operators see it."""

from typing import Any, Literal

from sqlalchemy import ColumnElement

from todo.access import Actor
from todo.admin.declaration import ActionContext, Filter, ModelAdmin, Resource, action
from todo.database import ACTOR, M
from todo.domain.notifications.models import (
    NOTIFICATION,
    OUTGOING,
    PREFERENCES,
    REMINDER,
    Notification,
    Outgoing,
    Preferences,
    Reminder,
)
from todo.domain.notifications.services.operations import retry
from todo.errors import Conflict

OWN_REMINDERS, OWN_NOTIFICATIONS = REMINDER.user_id == ACTOR, NOTIFICATION.user_id == ACTOR
OWN_PREFERENCES = PREFERENCES.user_id == ACTOR
UNDER_WAY = OUTGOING.done_at.is_(None) & OUTGOING.failed_at.is_(None)


class DeliveryAdmin(ModelAdmin[M]):
    """What is on its way to somebody, and can be sent again when that has failed."""

    verbs = ("view", "export")

    def has(self, actor: Actor, verb: str, row: Any) -> bool:
        return verb != "retry" or row.failed_at is not None

    @action("Try again")
    async def retry(self, do: ActionContext, row: M) -> None:
        """Send it again, with all attempts ahead."""
        if not await retry(do.session, row.id):
            raise Conflict("It has not failed.")


class ReminderAdmin(ModelAdmin[Reminder]):
    model = Reminder
    icon, group = "bell", "Notifications"
    display = "id"
    columns = ("task_id", "series_id", "user_id", "remind_at", "snoozed_until", "urgent", "told_at")
    filters = (
        Filter("state", {"waiting": REMINDER.remind_at.is_not(None), "told": REMINDER.told_at.is_not(None)}),
        Filter("trouble", {"set_aside": REMINDER.last_error.is_not(None), "none": REMINDER.last_error.is_(None)}),
        "user_id", "task_id", "series_id", "remind_at",
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
    types = {"kind": Literal["reminder", "missed", "digest", "overdue"]}
    filters = ("kind", "user_id", "task_id", "created_at")
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
    filters = ("user_id", "email")
    verbs = ("view", "export")
    every_row = "notification_preferences.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_PREFERENCES


class OutboxAdmin(DeliveryAdmin[Outgoing]):
    model = Outgoing
    label, label_one = "Outbox", "Call"
    icon, group = "send", "Notifications"
    display = "dedup"
    columns = ("channel", "user_id", "dedup", "attempts", "run_at", "done_at", "last_error")
    filters = (
        Filter(
            "state",
            {"waiting": UNDER_WAY, "made": OUTGOING.done_at.is_not(None), "failed": OUTGOING.failed_at.is_not(None)},
        ),
        "channel", "user_id", "run_at",
    )  # fmt: skip
    hidden = ("lease_token",)
    heavy = ("payload",)


ADMINS: list[type[Resource]] = [ReminderAdmin, NotificationAdmin, PreferencesAdmin, OutboxAdmin]
