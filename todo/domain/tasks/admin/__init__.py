"""Tasks, series and what became of their occurrences, as operators see them."""

from todo.admin.declaration import Resource
from todo.domain.tasks.admin.series import OccurrenceAdmin, SeriesAdmin
from todo.domain.tasks.admin.tasks import TaskAdmin

ADMINS: list[type[Resource]] = [TaskAdmin, SeriesAdmin, OccurrenceAdmin]
