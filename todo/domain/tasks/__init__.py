"""Tasks: the work itself, and the occurrences of its series."""

from todo.domain.tasks.admin import ADMINS
from todo.domain.tasks.jobs import CRONS
from todo.domain.tasks.private_notes import models as _private_notes  # noqa: F401 -- a table that only routes use
from todo.domain.tasks.series.jobs import GAUGES, LOOPS
from todo.domain.tasks.services.dashboard import CARDS
from todo.domain.tasks.services.explaining import EXPLAINERS
from todo.module import Module

MODULE = Module(
    schedules=CRONS,
    loops=LOOPS,
    gauges=GAUGES,
    admins=ADMINS,
    explainers=EXPLAINERS,
    dashboard=CARDS,
)
