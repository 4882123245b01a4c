"""Notifications: reminders, daily digests and their e-mails."""

from todo.domain.notifications.admin import ADMINS
from todo.domain.notifications.controllers.notifications import NotificationController, PreferencesController
from todo.domain.notifications.controllers.reminders import ReminderController
from todo.domain.notifications.controllers.unsubscribe import unsubscribe_by_link, unsubscribe_page
from todo.domain.notifications.jobs import CRONS, GAUGES, LOOPS
from todo.domain.notifications.services.explaining import EXPLAINERS
from todo.module import Module

MODULE = Module(
    routes=[
        ReminderController, NotificationController, PreferencesController, unsubscribe_page, unsubscribe_by_link,
    ],
    schedules=CRONS,
    loops=LOOPS,
    gauges=GAUGES,
    admins=ADMINS,
    explainers=EXPLAINERS,
)  # fmt: skip
