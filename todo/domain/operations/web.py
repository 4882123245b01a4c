"""What operations adds to the pages of the administration."""

from pathlib import Path

from todo.admin.pages.guards import pages_router
from todo.admin.pages.renderer import Link, RowLink
from todo.domain.operations.controllers import HealthPage
from todo.domain.operations.services import VIEW
from todo.web import Web

TO_THE_ROW = RowLink("audit", "audit.view", "/admin/{row.subject}/{row.subject_id}", "Go to row", "right", "subject_id")
WEB = Web(
    routes=[pages_router(HealthPage)],
    navigation=[Link("/admin/health", "Health", "heart", VIEW)],
    row_links=[TO_THE_ROW],
    templates=[Path(__file__).parent / "templates"],
)
