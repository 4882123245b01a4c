"""Operations: the health and activity of this installation."""

from pathlib import Path

from todo.admin.pages.guards import pages_router
from todo.admin.pages.renderer import Link, RowLink
from todo.domain.operations.admin import admins
from todo.domain.operations.controllers import HealthPage
from todo.domain.operations.services import GAUGES, VIEW, cards
from todo.jobs import JobCatalog
from todo.module import Module

TO_THE_ROW = RowLink("audit", "audit.view", "/admin/{row.subject}/{row.subject_id}", "Go to row", "right", "subject_id")


def module(catalog: JobCatalog) -> Module:
    """Return the module that shows and controls these jobs."""
    return Module(
        routes=[pages_router(HealthPage)],
        gauges=GAUGES,
        admins=admins(catalog),
        dashboard=cards(catalog),
        navigation=[Link("/admin/health", "Health", "heart", VIEW)],
        row_links=[TO_THE_ROW],
        templates=[Path(__file__).parent / "templates"],
    )
