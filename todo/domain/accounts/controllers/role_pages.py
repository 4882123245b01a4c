"""`/admin/role-access/<id>`: what somebody with a role would see and may do."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import Actor, requires
from todo.actions import PERMISSIONS
from todo.admin.declaration import ENTER
from todo.admin.describing import access_of
from todo.admin.pages.guards import may_enter
from todo.admin.pages.renderer import Pages, RowLink
from todo.permission_texts import text_of

ROLE_LINKS = (RowLink("roles", "roles.view", "/admin/role-access/{row.id}", "What it allows", "search"),)


class RolePages(Controller):
    """What a role allows."""

    path = "/role-access"

    @get("/{role_id:uuid}", operation_id="show_admin_role_access", guards=[may_enter, requires("roles.view")])
    async def show(
        self, pages: NamedDependency[Pages], request: Request[Any, Any, Any], role_id: FromPath[UUID]
    ) -> Response[str]:
        """Show which resources, rows, fields and actions somebody with this role alone would see.

        Example: `GET /admin/role-access/0190f5f0-7c1d-7000-8000-000000000000`
        """
        admin = pages.admin(request)
        role = await admin.queries.get("roles", role_id)
        holder = Actor(id=None, name=role.name, permissions=frozenset(role.permissions))
        values: dict[str, Any] = {
            "role": role, "enters": holder.may(ENTER), "access": access_of(admin.registry, holder),
            "texts": {name: text_of(name) for name in sorted(PERMISSIONS) if holder.may(name)},
        }  # fmt: skip
        return pages.render(request.scope, "role_access.html", **values)
