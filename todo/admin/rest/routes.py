"""All routes of the admin: what is about every resource, and a router for each."""

from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency, Provide

from todo.access import Origin, requires
from todo.admin.declaration import ENTER, ModelAdmin, Resource
from todo.admin.describing import Description, describe
from todo.admin.registry import Registry
from todo.admin.rest.acting import acting_routes
from todo.admin.rest.reading import reading_routes
from todo.admin.rest.shaping import Admin, Db, Q, Reason
from todo.admin.rest.writing import writing_routes
from todo.admin.schemas import Hit
from todo.admin.service import AdminService
from todo.database import WriteSession


def admin_routes(registry: Registry) -> list[Router]:
    """The routers of a registry, under `/api/admin`."""

    async def reading(database: Db, origin: NamedDependency[Origin]) -> AdminService:
        return AdminService(registry, database, origin)

    async def writing(database: Db, session: NamedDependency[WriteSession], reason: Reason = None) -> AdminService:
        return AdminService(registry, database, session.origin, session, reason)

    services = {"admin": Provide(reading), "writer": Provide(writing)}
    common = Router("/api/admin", route_handlers=[overview, search, recent], dependencies=services, tags=["Admin"])
    return [common, *(router_of(resource, services) for resource in registry)]


def router_of(resource: Resource, services: dict[str, Provide]) -> Router:
    handlers: list[Any] = [*reading_routes(resource), *acting_routes(resource)]
    handlers += writing_routes(resource) if isinstance(resource, ModelAdmin) else []
    path, tag = f"/api/admin/{resource.name}", f"Admin: {resource.label}"
    return Router(path, route_handlers=handlers, dependencies=services, tags=[tag])


@get(operation_id="admin_overview", guards=[requires(ENTER)])
async def overview(admin: Admin) -> list[Description]:
    """The resources you may see: their fields, filters and actions, and what you may do.

    Example: `GET /api/admin`
    """
    return [describe(resource, admin.actor) for resource in admin.resources()]


@get("/search", operation_id="admin_search", guards=[requires(ENTER)])
async def search(admin: Admin, q: Q) -> list[Hit]:
    """Rows of all resources, the first few of each.

    Example: `GET /api/admin/search?q=rent`
    """
    return await admin.queries.search(q)


@get("/recent", operation_id="admin_recent", guards=[requires(ENTER)])
async def recent(admin: Admin) -> list[Hit]:
    """The rows you changed last.

    Example: `GET /api/admin/recent`
    """
    return await admin.history.recent()
