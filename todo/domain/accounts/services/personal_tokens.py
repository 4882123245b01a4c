"""Personal access tokens for scripts and service accounts: `todo_pat_...`, limited to their scopes."""

import asyncio
import logging
import re
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

from async_lru import alru_cache
from sqlalchemy import bindparam, func, or_, select, update

from todo.access import Actor
from todo.actions import PERMISSIONS
from todo.audit import AuditedService
from todo.database import ACTOR, Database, Query, now, table_of
from todo.domain.accounts import rules
from todo.domain.accounts.models import PERMISSIONS_OF, PERSONAL_TOKEN, USER, PersonalToken, User
from todo.domain.accounts.schemas.personal_tokens import TokenIn, TokenMade, TokenOut
from todo.domain.accounts.services.email_tokens import notify_change
from todo.domain.accounts.services.remembered import Known, forget, remember_in
from todo.errors import Invalid, Problem, Unauthorized
from todo.http.limits import UserQuery
from todo.listing import Listing, Sort

log = logging.getLogger(__name__)

PREFIX = "todo_pat_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHAPE = re.compile(PREFIX + r"([0-9A-Za-z]{30})([0-9A-Za-z]{6})")
NOTED_EVERY = timedelta(minutes=1)  # precision of `used_at`

COLUMNS = select(
    PERSONAL_TOKEN.id, PERSONAL_TOKEN.version, PERSONAL_TOKEN.name, PERSONAL_TOKEN.last_four, PERSONAL_TOKEN.scopes,
    PERSONAL_TOKEN.created_at, PERSONAL_TOKEN.expires_at, PERSONAL_TOKEN.used_at,
)  # fmt: skip
TOKENS = Listing(
    TokenOut,
    COLUMNS.where(PERSONAL_TOKEN.user_id == ACTOR, PERSONAL_TOKEN.revoked_at.is_(None)),
    filters={},
    sorts={"id": Sort(PERSONAL_TOKEN.id, UUID, lambda token: token.id)},
    default="-id",
)


class Holder(NamedTuple):
    """A token and the actor it authenticates."""

    token_id: UUID
    expires_at: datetime
    used_at: datetime | None
    actor: Actor
    found_at: float  # time.monotonic


HOLDERS = UserQuery(
    lambda token_id, expires_at, used_at, scopes, id, email, timezone, permissions: Holder(
        token_id, expires_at, used_at,
        Actor(
            id, email, "token", frozenset(permissions), timezone, scopes=frozenset(scopes) - rules.NEVER_SCOPES,
            token_id=token_id, expires_at=expires_at,
        ),
        time.monotonic(),
    ),
    select(
        PERSONAL_TOKEN.id.label("token_id"), PERSONAL_TOKEN.expires_at, PERSONAL_TOKEN.used_at, PERSONAL_TOKEN.scopes,
        USER.id, USER.email, USER.timezone, func.array(PERMISSIONS_OF.scalar_subquery()),
    )
    .select_from(User)
    .join(PersonalToken, PERSONAL_TOKEN.user_id == USER.id)
    .where(PERSONAL_TOKEN.hash == bindparam("hash"), PERSONAL_TOKEN.revoked_at.is_(None), USER.status == "active"),
)  # fmt: skip


_unnoted = or_(PERSONAL_TOKEN.used_at.is_(None), PERSONAL_TOKEN.used_at <= bindparam("before"))
USED = Query(
    lambda: None,
    update(table_of(PersonalToken))
    .where(PERSONAL_TOKEN.id == bindparam("token"), _unnoted)
    .values(used_at=bindparam("at")),
)


class PersonalTokens:
    """Authenticate personal access tokens, cached for `actor_cache_seconds`."""

    def __init__(self, database: Database):
        self._database = database
        self._seconds = database.settings.actor_cache_seconds
        self._find: Callable[[bytes], Awaitable[Holder | None]] = self._load
        if self._seconds > 0:
            self._find = alru_cache(maxsize=10_000, ttl=self._seconds)(self._load)
            remember_in(self._find)
        self._owners: dict[bytes, UUID] = {}  # of the tokens used here, bounded by their number
        self._noted: dict[UUID, float] = {}  # bounded by the number of tokens in use
        self._noting: set[asyncio.Task[None]] = set()

    async def known(self, token: str) -> Known | Problem:
        """Return the owner, limited to the scopes, or a Problem. Malformed tokens need no query."""
        holder = await self._find(sha256(token.encode()).digest()) if is_token(token) else None
        if holder is None or holder.expires_at <= now():
            return Unauthorized("The token is not valid, has expired or was revoked.", error="invalid_token")
        self._note_use(holder)
        left = (holder.expires_at - now()).total_seconds()
        return Known(holder.actor, min(holder.found_at + self._seconds, time.monotonic() + left))

    async def close(self) -> None:
        """Wait for pending updates of `used_at`."""
        await asyncio.gather(*self._noting)

    async def _load(self, hashed: bytes) -> Holder | None:
        holder = await HOLDERS.one_or_none(self._database, self._owners.get(hashed), hash=hashed)
        if holder is not None:
            self._owners[hashed] = holder.actor.user_id
        return holder

    def _note_use(self, holder: Holder) -> None:
        """Update `used_at` at most once a minute, concurrently with the request."""
        recently = holder.used_at is not None and now() - holder.used_at < NOTED_EVERY
        since = time.monotonic() - self._noted.get(holder.token_id, float("-inf"))
        if recently or since < NOTED_EVERY.total_seconds():
            return
        self._noted[holder.token_id] = time.monotonic()
        task = asyncio.create_task(self._write_use(holder.token_id))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write_use(self, token_id: UUID) -> None:
        try:
            await self._database.primary.write(USED, token=token_id, at=now(), before=now() - NOTED_EVERY)
        except Exception:  # the request is answered; the next one tries again
            self._noted.pop(token_id, None)
            log.warning("the use of a personal token could not be noted", exc_info=True)


class TokenService(AuditedService[PersonalToken], model=PersonalToken):
    """One user's tokens, in the caller's transaction."""

    async def add(self, data: TokenIn, owner: Actor) -> TokenMade:
        """Create a token for `owner`: the actor or a service account. Raise Invalid for scopes that either lacks."""
        scopes = set(data.scopes)
        given = {scope for scope in scopes & PERMISSIONS if self.actor.may(scope) and owner.may(scope)}
        if refused := sorted(scope for scope in scopes if scope not in given or not may_be_scope(scope)):
            raise Invalid.field(
                "body.scopes", f"A token cannot have these scopes, or you do not have them: {', '.join(refused)}."
            )
        token = new_token()
        row = PersonalToken(
            user_id=owner.user_id, name=data.name, hash=sha256(token.encode()).digest(), last_four=token[-4:],
            scopes=sorted(scopes), expires_at=now() + timedelta(days=data.expires_in_days),
        )  # fmt: skip
        await self.create(row, action="personal_tokens.add")
        text = "It can act for you within its scopes until it expires or you revoke it."
        await notify_change(self.session, owner.name, "A personal access token was made", text)
        return TokenMade(**{column.name: getattr(row, column.name) for column in COLUMNS.selected_columns}, token=token)

    async def revoke(self, token_id: UUID, owner: UUID | None = None) -> None:
        """Revoke a token of the actor, or of `owner`. Raise NotFound."""
        mine = PERSONAL_TOKEN.id == token_id, PERSONAL_TOKEN.user_id == (owner or self.actor.user_id)
        row = await self.locked(*mine, PERSONAL_TOKEN.revoked_at.is_(None))
        await self.update({"revoked_at": now()}, row, action="personal_tokens.revoke")
        forget(self.session)


def may_be_scope(permission: str) -> bool:
    """Return whether a token may have this scope: not account management, granting permissions or impersonation."""
    return permission == "accounts.me" or not (permission.startswith("accounts.") or permission in rules.NEVER_SCOPES)


def new_token() -> str:
    """Generate 178 random bits and a checksum, as GitHub does, so that secret scanners recognize leaked tokens."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(30))
    return PREFIX + body + _checksum(body)


def is_token(text: str) -> bool:
    """Return whether the text has the form and the checksum of a token."""
    found = SHAPE.fullmatch(text)
    return found is not None and _checksum(found[1]) == found[2]


def _checksum(body: str) -> str:
    rest, digits = crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
