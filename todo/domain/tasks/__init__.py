"""Tasks: the work itself, and the occurrences of its series."""

from todo.domain.tasks.controllers import TaskController, TrashController
from todo.domain.tasks.jobs import CRONS, FUNCTIONS, GAUGES, LOOPS

routes = [TaskController, TrashController]
loops = LOOPS
crons = CRONS
gauges = GAUGES
functions = FUNCTIONS
