"""`/admin/health`: whether everything this installation depends on answers, and what keeps it from strangers."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency

from todo.access import requires
from todo.admin.pages.guards import may_enter
from todo.admin.pages.renderer import Pages
from todo.database import Database
from todo.domain.operations.services import VIEW, health
from todo.jobs import JobCatalog


class HealthPage(Controller):
    """Health and `check --deploy`."""

    guards = [may_enter, requires(VIEW)]

    @get("/health", operation_id="show_admin_health")
    async def show(
        self,
        pages: NamedDependency[Pages],
        database: NamedDependency[Database],
        jobs: NamedDependency[JobCatalog],
        request: Request[Any, Any, Any],
    ) -> Response[str]:
        """The state of database, migrations, worker, jobs and mail, and what `todo check --deploy` finds.

        Example: `GET /admin/health`
        """
        return pages.render(request.scope, "health.html", health=await health(database, jobs))
