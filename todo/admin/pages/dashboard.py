"""`/admin`: how things stand."""

from typing import Any

from litestar import Controller, Request, Response, get

from todo.admin.pages.guards import may_enter
from todo.admin.pages.sign_in import PagesDependency


class DashboardPage(Controller):
    """The first page."""

    guards = [may_enter]

    @get(operation_id="show_admin")
    async def show(self, pages: PagesDependency, request: Request[Any, Any, Any]) -> Response[str]:
        """People, work, sign-ins, jobs and health at a glance.

        Example: `GET /admin`
        """
        return pages.render(request.scope, "dashboard.html")
