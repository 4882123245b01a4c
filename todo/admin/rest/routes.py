"""The routes of the admin: those for all resources, and a router for `/api/admin/<resource>`."""

from functools import lru_cache

from litestar import Router
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler

from todo.access import Actor, Connection, Guard, Origin, requires, signed_in_recently
from todo.admin.declaration import ENTER
from todo.admin.registry import Registry
from todo.admin.rest.imports import IMPORTS
from todo.admin.rest.operations import Operation, operations_of
from todo.admin.rest.parameters import Db, Reason
from todo.admin.rest.reads import READS, overview, recent, search
from todo.admin.rest.writes import WRITES
from todo.admin.service import AdminService
from todo.database import WriteSession
from todo.errors import Forbidden, NotFound, Status

BASE = "/api/admin"
OF_RESOURCE = f"{BASE}/{{resource}}"


def admin_routes(registry: Registry) -> list[Router]:
    """Return the routers of a registry under `/api/admin`. `document.py` describes a path for each resource."""

    async def reading(database: Db, origin: NamedDependency[Origin]) -> AdminService:
        return AdminService(registry, database, origin)

    async def writing(database: Db, session: NamedDependency[WriteSession], reason: Reason = None) -> AdminService:
        return AdminService(registry, database, session.origin, session, reason)

    services = {"admin": Provide(reading), "writer": Provide(writing)}
    common = Router(BASE, route_handlers=[overview, search, recent], dependencies=services, tags=["Admin"])
    guards = [requires(ENTER), offered_by(registry)]
    of_resource = Router(
        f"{BASE}/{{resource:str}}", route_handlers=[*READS, *WRITES, *IMPORTS], dependencies=services, guards=guards,
        include_in_schema=False,
    )  # fmt: skip
    return [common, of_resource]


def offered_by(registry: Registry) -> Guard:
    """Return a guard that checks the operations and permissions of a resource.

    It raises NotFound, Status 405, Forbidden, and InsufficientAuthentication as `signed_in_recently` does.
    """

    @lru_cache
    def offered(name: str) -> dict[str, dict[str, Operation]]:
        found: dict[str, dict[str, Operation]] = {}
        for one in operations_of(registry[name]):
            found.setdefault(one.path, {})[one.method] = one
        return found

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        parameters = connection.path_params
        resource = registry[parameters["resource"]]
        path = str(connection.scope["path_template"]).removeprefix(OF_RESOURCE)
        methods = offered(resource.name).get(path.replace("{name}", parameters.get("name", "")))
        if methods is None:
            raise NotFound
        operation = methods.get(str(connection.scope.get("method")))
        if operation is None:
            raise Status(405, "The method is not allowed for this URL.", {"Allow": ", ".join(sorted(methods))})
        actor: Actor = connection.user
        if not resource.may(actor, operation.verb):
            raise Forbidden(f"This needs the permission {resource.name}.{operation.verb}.", slug="permission-required")
        if resource.is_dangerous(operation.verb):
            await signed_in_recently(connection, handler)

    return guard
