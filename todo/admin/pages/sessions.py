"""Who sits before the browser, and what the pages ask of whoever keeps accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from todo.access import Actor, Origin
from todo.database import now

PROVEN_FOR = timedelta(minutes=10)  # how long a password or a code stands for dangerous acts


@dataclass(frozen=True, slots=True)
class Acting:
    """An operator sees the pages as somebody else does, until then; `writes`: and may change what they may."""

    person_id: UUID
    until: datetime
    writes: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One signed-in browser of somebody called `name`. `actor` is who the pages are for: whom an operator acts as, too.

    `detour`, when not empty, is the only page its owner may see until a duty is done.
    """

    actor: Actor
    name: str
    session_id: UUID
    proven_at: datetime | None
    detour: str = ""
    acting: Acting | None = None

    @property
    def operator(self) -> Actor:
        """Who really sits there."""
        return self.actor.by or self.actor

    @property
    def only_looks(self) -> bool:
        """Whether nothing may be changed."""
        return self.acting is not None and not self.acting.writes

    @property
    def is_proven(self) -> bool:
        """Whether somebody has shown within the last ten minutes that it is them."""
        return self.proven_at is not None and now() - self.proven_at < PROVEN_FOR


@dataclass(frozen=True, slots=True)
class Half:
    """The first step of a sign-in is done; `token` and a code make the second one."""

    token: str


class Accounts(Protocol):
    """Given at start. Every method that proves something raises Unauthorized, Forbidden or TooManyRequests."""

    async def visit(self, cookie: str) -> Visit | None: ...

    async def enter(self, origin: Origin, email: str, password: str, user_agent: str) -> str | Half: ...

    async def second_step(self, origin: Origin, token: str, code: str, user_agent: str) -> str: ...

    async def passkey_options(self, origin: Origin) -> Mapping[str, Any]: ...

    async def enter_by_passkey(self, origin: Origin, state: str, credential: str, user_agent: str) -> str: ...

    async def prove(self, origin: Origin, visit: Visit, password: str, code: str) -> None: ...

    async def leave(self, origin: Origin, visit: Visit) -> None: ...
