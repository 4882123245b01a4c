"""Actors, the origin of a change, and permission guards. Uses no table."""

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
RECENT = timedelta(minutes=10)  # maximum age of a sign-in for `signed_in_recently`


class UnknownPermission(Exception):
    """The code requires a permission that `todo/actions.py` does not define."""


def require_known(permissions: Iterable[str]) -> None:
    """Raise UnknownPermission for undefined names, so that a typo fails at startup."""
    if unknown := sorted(set(permissions) - PERMISSIONS):
        raise UnknownPermission(f"todo/actions.py does not define {', '.join(unknown)}.")


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, the worker or an operator at the command line.

    `permissions` are strings `resource.verb`; `*` grants all of them. `scopes`, if set, restrict them further: a
    personal access token can do no more than its scopes. `session_id` is the sign-in session of an access token, `amr`
    its authentication methods (RFC 8176: pwd, otp, hwk) and `authenticated_at` its time. `token_id` is set for a
    personal access token; `expires_at` is when the credential expires. `by` is the operator who impersonates the user;
    the audit log names both.
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
    token_id: UUID | None = None
    expires_at: datetime | None = None
    by: "Actor | None" = None

    def may(self, permission: str) -> bool:
        held = permission in self.permissions or EVERYTHING in self.permissions
        return held and (self.scopes is None or permission in self.scopes)

    @property
    def is_recent(self) -> bool:
        """Return whether the actor authenticated within the last ten minutes."""
        return self.authenticated_at is not None and datetime.now(UTC) - self.authenticated_at < RECENT

    @property
    def user_id(self) -> UUID:
        """Return the id of the user. Raise Forbidden for actors that are not users."""
        if self.id is None:
            raise Forbidden("Only users can do this.")
        return self.id


WORKER = Actor(id=None, name="worker", kind="worker")
ANYBODY = Actor(id=None, name="anonymous", kind="anonymous")

Source = Literal["api", "admin", "cli", "worker"]
SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes a change, and through which interface. Every write session has one; audit events store it.

    `request_id` is the id of the HTTP request; a job keeps the id of the request that queued it. `address` is the
    client's address, or empty. `reason` is the reason an operator gives.
    """

    actor: Actor
    source: Source
    request_id: str
    address: str
    reason: str | None = None

    def by(self, actor: Actor) -> "Origin":
        """Return the same origin with another actor, once the request is authenticated."""
        return replace(self, actor=actor)


def worker_origin(request_id: str | None = None) -> Origin:
    """Return the origin for changes of the worker: on behalf of the request with this id, or on its own."""
    return Origin(WORKER, "worker", request_id or uuid7().hex, "")


Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


def requires(permission: Permission) -> Guard:
    """Return a guard that requires a permission, e.g. `guards=[requires("tasks.add")]`.

    The guard raises Unauthorized (401) for anonymous requests and Forbidden (403) when the permission is missing.
    Raise UnknownPermission when the permission is not defined.
    """
    require_known([permission])
    return PermissionGuard(permission)


@dataclass(frozen=True)
class PermissionGuard:
    """The guard that `requires` returns; the OpenAPI document reads its permission."""

    permission: Permission

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        if not _actor_of(connection).may(self.permission):
            raise Forbidden(f"This needs the permission {self.permission}.", slug="permission-required")


def _actor_of(connection: Connection) -> Actor:
    """Return who is asking. Raise Unauthorized for anonymous requests, or the problem of their credential."""
    actor = connection.scope.get("user")
    if isinstance(actor, Problem):
        raise actor
    if not isinstance(actor, Actor):
        raise Unauthorized("Sign in first.")
    return actor


async def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard for operations that any valid credential allows, whatever its permissions. Raise Unauthorized (401)."""
    _actor_of(connection)


async def signed_in_recently(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard, beside `requires`, for operations that a stolen access token must not allow.

    Raise InsufficientAuthentication (401) when the last authentication is older than ten minutes. Personal access
    tokens pass: they are not interactive, and can do only what their scopes allow.
    """
    actor = connection.scope.get("user")
    if isinstance(actor, Actor) and actor.kind != "token" and not actor.is_recent:
        raise InsufficientAuthentication(int(RECENT.total_seconds()))
