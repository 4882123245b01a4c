"""Who sits before the browser, and what the pages ask of whoever keeps accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from todo.access import Actor, Origin
from todo.database import now

REAUTHENTICATED_FOR = timedelta(minutes=10)  # how long a password or a code stands for dangerous acts


@dataclass(frozen=True, slots=True)
class Acting:
    """An operator sees the pages as somebody else does, until then; `writes`: and may change what they may."""

    person_id: UUID
    until: datetime
    writes: bool


@dataclass(frozen=True, slots=True)
class AdminSession:
    """One signed-in browser of somebody called `name`. `actor` is who the pages are for: whom an operator acts as, too.

    `required_step`, when not empty, is the only page its owner may see until a duty is done.
    """

    actor: Actor
    name: str
    session_id: UUID
    reauthenticated_at: datetime | None
    required_step: str = ""
    acting: Acting | None = None

    @property
    def operator(self) -> Actor:
        """Who really sits there."""
        return self.actor.by or self.actor

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        return self.acting is not None and not self.acting.writes

    @property
    def is_reauthenticated(self) -> bool:
        """Whether somebody has shown within the last ten minutes that it is them."""
        return self.reauthenticated_at is not None and now() - self.reauthenticated_at < REAUTHENTICATED_FOR


@dataclass(frozen=True, slots=True)
class MfaPending:
    """The first step of a sign-in is done; `token` and a code make the second one."""

    token: str


class Accounts(Protocol):
    """Given at start. Every method that proves something raises Unauthorized, Forbidden or TooManyRequests."""

    async def admin_session(self, cookie: str) -> AdminSession | None: ...

    async def enter(self, origin: Origin, email: str, password: str, user_agent: str) -> str | MfaPending: ...

    async def second_step(self, origin: Origin, token: str, code: str, user_agent: str) -> str: ...

    async def passkey_options(self, origin: Origin) -> Mapping[str, Any]: ...

    async def enter_by_passkey(self, origin: Origin, state: str, credential: str, user_agent: str) -> str: ...

    async def verify_identity(self, origin: Origin, admin_session: AdminSession, password: str, code: str) -> None: ...

    async def leave(self, origin: Origin, admin_session: AdminSession) -> None: ...
