"""Operations: the health and activity of this installation."""

from todo.domain.operations.admin import admins
from todo.domain.operations.services import GAUGES, cards
from todo.jobs import JobCatalog
from todo.module import Module


def module(catalog: JobCatalog) -> Module:
    """Return the module that shows and controls these jobs."""
    return Module(gauges=GAUGES, admins=admins(catalog), dashboard=cards(catalog))
