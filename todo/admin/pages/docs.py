"""`/admin/docs/<resource>`: documentation generated from declarations."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from todo.admin.pages.guards import may_enter
from todo.admin.pages.lists import visible_fields
from todo.admin.pages.sign_in import PagesDependency
from todo.errors import Forbidden

AnyRequest = Request[Any, Any, Any]


class DocsPages(Controller):
    """Documentation of resources."""

    guards = [may_enter]

    @get("/docs", operation_id="list_admin_docs")
    async def index(self, pages: PagesDependency, request: AnyRequest) -> Response[str]:
        """List all resources with a short description.

        Example: `GET /admin/docs`
        """
        return pages.render(request.scope, "docs.html", resources=pages.admin(request).resources())

    @get("/docs/{resource:str}", operation_id="show_admin_docs")
    async def show(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[str]:
        """Show fields, filters, actions and permissions of a resource, with its API and command line.

        Example: `GET /admin/docs/tasks`
        """
        admin = pages.admin(request)
        declared = admin.registry[resource]
        if not admin.may(resource, "view"):
            raise Forbidden(f"This needs the permission {resource}.view.", slug="permission-required")
        values: dict[str, Any] = {"resource": declared, "fields": visible_fields(admin, declared), "admin": admin}
        return pages.render(request.scope, "doc.html", **values)
