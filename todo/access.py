"""Who is asking, with which permissions and through what. Knows no table."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from uuid_utils.compat import uuid7

from todo.actions import PERMISSIONS, Permission
from todo.errors import Forbidden, InsufficientAuthentication, Problem, Unauthorized

EVERYTHING = "*"
RECENT = timedelta(minutes=10)  # how long a sign-in stands for what `signed_in_recently` guards


class UnknownPermission(Exception):
    """The program asks for a permission that `todo/actions.py` does not name."""


def require_known(permissions: Iterable[str]) -> None:
    """Raises UnknownPermission, so that nothing starts with a misspelt one."""
    if unknown := sorted(set(permissions) - PERMISSIONS):
        raise UnknownPermission(f"todo/actions.py does not name {', '.join(unknown)}.")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts: a signed-in person, the worker, or an operator at the command line.

    `permissions` are strings `resource.verb`; `*` stands for all of them. `scopes`, where they are set, narrow them:
    a personal access token never does more than it was made for. `session_id` is the sign-in behind an access token,
    `amr` how it was proven (RFC 8176: pwd, otp, hwk), `authenticated_at` when, as the token says. `by` is the operator
    who acts as them: the trail names both.
    """

    id: UUID | None
    name: str
    kind: str = "user"
    permissions: frozenset[str] = frozenset()
    timezone: str = "UTC"
    scopes: frozenset[str] | None = None
    session_id: UUID | None = None
    amr: frozenset[str] = frozenset()
    authenticated_at: datetime | None = None
    by: "Actor | None" = None

    def may(self, permission: str) -> bool:
        held = permission in self.permissions or EVERYTHING in self.permissions
        return held and (self.scopes is None or permission in self.scopes)

    @property
    def is_recent(self) -> bool:
        """Whether they have shown who they are within the last ten minutes."""
        return self.authenticated_at is not None and datetime.now(UTC) - self.authenticated_at < RECENT

    @property
    def user_id(self) -> UUID:
        """The person's id; raises Forbidden for actors that are no person."""
        if self.id is None:
            raise Forbidden("Only a person can do this.")
        return self.id


WORKER = Actor(id=None, name="worker", kind="worker")
ANYBODY = Actor(id=None, name="anonymous", kind="anonymous")

Source = Literal["api", "admin", "cli", "worker"]
SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes a change, and through what. Every write session is opened with one, and its audit events name it.

    `request_id` is that of the HTTP request; a job keeps the one of the request that asked for it. `address` is the
    client's, empty where there is no network. `reason` is what an operator gives as the reason.
    """

    actor: Actor
    source: Source
    request_id: str
    address: str
    reason: str | None = None

    def by(self, actor: Actor) -> "Origin":
        """The same request, once it is known that somebody else is behind it."""
        return replace(self, actor=actor)


def worker_origin(request_id: str | None = None) -> Origin:
    """The origin of what the worker does: for the request with this id, or by itself."""
    return Origin(WORKER, "worker", request_id or uuid7().hex, "")


Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def requires(permission: Permission) -> Guard:
    """A guard that lets through only actors with this permission, e.g. `guards=[requires("tasks.add")]`.

    Raises Unauthorized (401) when nobody is signed in, Forbidden (403) when the permission is missing;
    UnknownPermission at once when there is no such permission.
    """
    require_known([permission])
    return PermissionGuard(permission)


@dataclass(frozen=True)
class PermissionGuard:
    """The guard that `requires` returns; the OpenAPI document reads its permission."""

    permission: Permission

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        actor = connection.scope.get("user")
        if isinstance(actor, Problem):
            raise actor
        if not isinstance(actor, Actor):
            raise Unauthorized("Sign in first.")
        if not actor.may(self.permission):
            raise Forbidden(f"This needs the permission {self.permission}.")


async def signed_in_recently(connection: Connection, _: BaseRouteHandler) -> None:
    """A guard beside `requires`, for what a thief of an access token must not do.

    Raises InsufficientAuthentication (401) when the sign-in is older than ten minutes and was not renewed. Personal
    access tokens pass: nobody sits there, and they do only what their scopes name.
    """
    actor = connection.scope.get("user")
    if isinstance(actor, Actor) and actor.kind != "token" and not actor.is_recent:
        raise InsufficientAuthentication(int(RECENT.total_seconds()))
