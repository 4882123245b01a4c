"""Operations: whether this installation is well, and what it is busy with."""

from pathlib import Path

from todo.admin.pages.guards import pages_router
from todo.admin.pages.pages import Link, RowLink
from todo.domain.operations.admin import ADMINS
from todo.domain.operations.controllers import HealthPage
from todo.domain.operations.services import CARDS, VIEW

routes = [pages_router(HealthPage)]
cards = CARDS
admins = ADMINS
places = [Link("/admin/health", "Health", "heart", VIEW)]
row_links = [
    RowLink("audit", "audit.view", "/admin/{row.subject}/{row.subject_id}", "To the row", "right", "subject_id")
]
TEMPLATES = Path(__file__).parent / "templates"
