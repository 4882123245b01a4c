"""`/admin/health`: the state of all dependencies, and the production checks."""

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
    """The health page, with the results of `check --deploy`."""

    guards = [may_enter, requires(VIEW)]

    @get("/health", operation_id="show_admin_health")
    async def show(
        self,
        pages: NamedDependency[Pages],
        database: NamedDependency[Database],
        jobs: NamedDependency[JobCatalog],
        request: Request[Any, Any, Any],
    ) -> Response[str]:
        """Show the state of database, migrations, worker, jobs and mail, and the results of `todo check --deploy`.

        Example: `GET /admin/health`
        """
        return pages.render(request.scope, "health.html", health=await health(database, jobs))
