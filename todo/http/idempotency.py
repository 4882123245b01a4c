"""`Idempotency-Key`: run a POST once, and answer a repeated one with the stored response."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy import Column, DateTime, LargeBinary, func, select
from sqlmodel import Field, SQLModel

from todo.access import Actor
from todo.cleanup import Expired
from todo.contention import is_contention
from todo.database import Database, WriteSession, columns, now
from todo.errors import Conflict, Invalid, Status
from todo.http.middleware import Translate, address, ask_restart, refuse, too_large
from todo.http.transactions import origin_of, share

KEPT = timedelta(hours=24)
# Responses with credentials are not stored, and these routes open their own transactions.
REPEAT: Any = "repeat"  # key in the state of a request
NOT_KEPT = ("/api/auth/", "/admin")


class IdempotentAnswer(SQLModel, table=True):
    """The stored response for a key, written in the transaction of the change it reports."""

    __tablename__ = "idempotent_answers"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    status: int
    content_type: str
    etag: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True), index=True)


@dataclass
class Answer:
    """A response held back until its transaction is committed."""

    messages: list[Any] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return {name.lower(): value for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


class Repeat(NamedTuple):
    """A request whose key is known. It gets the stored response once it has passed the guards of the route."""

    first: IdempotentAnswer
    fingerprint: bytes

    def answer(self) -> Response[bytes]:
        """Return the stored response. Raise Invalid when the key was used for another request."""
        first = self.first
        if first.fingerprint != self.fingerprint:
            raise Invalid(
                "This Idempotency-Key was already used for a different request.", slug="idempotency-key-reused"
            )
        headers = {"idempotency-replayed": "true"} | ({"etag": first.etag} if first.etag else {})
        return Response(first.body, status_code=first.status, headers=headers, media_type=first.content_type)


class Refused(Exception):
    """Roll the transaction back. The error response is already built."""


class Idempotency:
    """Run a POST with a key in one transaction that holds both the change and the stored response.

    Only responses below 400 are stored: a failed request changed nothing, so it is safe to repeat.
    """

    def __init__(self, app: ASGIApp, database: Database, max_body: int, translate: Translate):
        self._app = app
        self._database = database
        self._max_body = max_body
        self._translate = translate

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        actor = scope.get("user")
        if (
            scope["type"] != ScopeType.HTTP
            or scope["method"] != "POST"
            or not isinstance(actor, Actor)
            or actor.id is None
        ):
            return self._app(scope, receive, send)
        key = next((value for name, value in scope["headers"] if name == b"idempotency-key"), None)
        if key is None or address(scope).startswith(NOT_KEPT):
            return self._app(scope, receive, send)
        return self._keyed(scope, receive, send, actor.id, key)

    async def _keyed(self, scope: Scope, receive: Receive, send: Send, user_id: UUID, key: bytes) -> None:
        try:
            await self._once(scope, receive, send, user_id, key)
        except Exception as error:
            if is_contention(error):
                ask_restart(scope)
            await refuse(scope, send, self._translate(error))

    async def _once(self, scope: Scope, receive: Receive, send: Send, user_id: UUID, key: bytes) -> None:
        if not 1 <= len(key) <= 255 or not key.isascii() or not key.decode("latin-1").isprintable():
            raise Invalid.field("header.Idempotency-Key", "The key must be 1 to 255 printable ASCII characters.")
        body = await self._read(receive)
        fingerprint = sha256(b"\0".join((scope["path"].encode(), scope["query_string"], body))).digest()
        answer = Answer()
        try:
            async with self._database.session(origin_of(scope)) as session:
                if not await _begin(session, user_id, key.decode()):
                    raise Conflict(
                        "The first request with this Idempotency-Key is still running.",
                        slug="idempotency-key-in-flight",
                    )
                first = await session.get(IdempotentAnswer, (user_id, key.decode()))
                if first:
                    scope["state"][REPEAT] = Repeat(first, fingerprint)
                    await self._app(scope, _replayed(body, receive), answer.send)
                else:
                    share(scope, session)
                    await self._app(scope, _replayed(body, receive), answer.send)
                    _store(session, answer, user_id, key.decode(), fingerprint)
        except Refused:
            pass
        for message in answer.messages:
            await send(message)

    async def _read(self, receive: Receive) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                raise Status(HTTPStatus.BAD_REQUEST, "The request body is incomplete.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self._max_body:
                raise too_large(self._max_body)
        return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _begin(session: WriteSession, user_id: UUID, key: str) -> bool:
    """Lock the key until the transaction ends. Return False when another request holds it."""
    lock = int.from_bytes(sha256(f"{user_id} {key}".encode()).digest()[:8], signed=True)
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(lock))))


def _store(session: WriteSession, answer: Answer, user_id: UUID, key: str, fingerprint: bytes) -> None:
    if answer.status >= 400:
        raise Refused
    session.add(
        IdempotentAnswer(
            user_id=user_id,
            key=key,
            fingerprint=fingerprint,
            status=answer.status,
            body=answer.body,
            content_type=answer.headers.get(b"content-type", b"").decode(),
            etag=answer.headers.get(b"etag", b"").decode(),
        )  # fmt: skip
    )


EXPIRED = Expired(IdempotentAnswer, columns(IdempotentAnswer).created_at < func.now() - KEPT)
