"""Tasks: the work itself, and the occurrences of its series."""

from todo.domain.tasks.controllers.series import SeriesController
from todo.domain.tasks.controllers.tasks import TaskController
from todo.domain.tasks.controllers.trash import TrashController
from todo.domain.tasks.jobs import FUNCTIONS, LOOPS

routes = [TaskController, TrashController, SeriesController]
loops = LOOPS
functions = FUNCTIONS
