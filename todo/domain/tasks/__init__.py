"""Tasks: the work itself, and the occurrences of its series."""

from todo.domain.tasks.admin import ADMINS
from todo.domain.tasks.controllers import TaskController, TrashController
from todo.domain.tasks.jobs import FUNCTIONS, LOOPS
from todo.domain.tasks.services.figures import CARDS

routes = [TaskController, TrashController]
loops = LOOPS
functions = FUNCTIONS
admins = ADMINS
cards = CARDS
