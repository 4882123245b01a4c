"""What notifications add to the API."""

from todo.domain.notifications.controllers.notifications import NotificationController, PreferencesController
from todo.domain.notifications.controllers.reminders import ReminderController
from todo.domain.notifications.controllers.unsubscribe import unsubscribe_by_link, unsubscribe_page
from todo.web import Web

WEB = Web(
    routes=[
        ReminderController,
        NotificationController,
        PreferencesController,
        unsubscribe_page,
        unsubscribe_by_link,
    ],
)
