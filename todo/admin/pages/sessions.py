"""Admin sessions, and the interface to the module that manages accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from todo.access import Actor, Origin
from todo.database import now

REAUTHENTICATED_FOR = timedelta(minutes=10)  # validity of reauthentication for dangerous actions


@dataclass(frozen=True, slots=True)
class Acting:
    """An operator impersonates a user until a given time; with `writes` changes are allowed."""

    person_id: UUID
    until: datetime
    writes: bool


@dataclass(frozen=True, slots=True)
class AdminSession:
    """The session of a signed-in browser. `actor` is the user shown, also during impersonation.

    `required_step`, when not empty, is the only page accessible until the step is completed.
    """

    actor: Actor
    name: str
    session_id: UUID
    reauthenticated_at: datetime | None
    required_step: str = ""
    acting: Acting | None = None

    @property
    def operator(self) -> Actor:
        """Return the user who signed in."""
        return self.actor.by or self.actor

    @property
    def read_only(self) -> bool:
        """Return whether changes are forbidden."""
        return self.acting is not None and not self.acting.writes

    @property
    def is_reauthenticated(self) -> bool:
        """Return whether the user authenticated within the last ten minutes."""
        return self.reauthenticated_at is not None and now() - self.reauthenticated_at < REAUTHENTICATED_FOR


@dataclass(frozen=True, slots=True)
class MfaPending:
    """The first step of a sign-in is done. `token` and a code complete it."""

    token: str


class Accounts(Protocol):
    """Account operations the pages need.

    Methods that check credentials raise Unauthorized, Forbidden or TooManyRequests.
    """

    async def admin_session(self, cookie: str) -> AdminSession | None: ...

    async def enter(self, origin: Origin, email: str, password: str, user_agent: str) -> str | MfaPending: ...

    async def second_step(self, origin: Origin, token: str, code: str, user_agent: str) -> str: ...

    async def passkey_options(self, origin: Origin) -> Mapping[str, Any]: ...

    async def enter_by_passkey(self, origin: Origin, state: str, credential: str, user_agent: str) -> str: ...

    async def verify_identity(self, origin: Origin, admin_session: AdminSession, password: str, code: str) -> None: ...

    async def leave(self, origin: Origin, admin_session: AdminSession) -> None: ...
