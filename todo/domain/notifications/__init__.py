"""Notifications: reminders, daily digests and their e-mails."""

from todo.domain.notifications.admin import ADMINS
from todo.domain.notifications.jobs import CRONS, GAUGES, LOOPS
from todo.domain.notifications.services.explaining import EXPLAINERS
from todo.module import Module

MODULE = Module(
    schedules=CRONS,
    loops=LOOPS,
    gauges=GAUGES,
    admins=ADMINS,
    explainers=EXPLAINERS,
)
