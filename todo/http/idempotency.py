"""`Idempotency-Key`: run a POST once, and answer a repeated one with the stored response."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Response
from litestar.enums import ScopeType
from litestar.serialization import encode_json
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import Raw, json
from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import Field, SQLModel

from todo.access import Actor
from todo.cleanup import Expired
from todo.contention import is_contention
from todo.database import Database, WriteSession, columns, now, table_of
from todo.errors import Conflict, Invalid, Status
from todo.http.middleware import Translate, address, ask_restart, refuse, too_large
from todo.http.transactions import origin_of, share

KEPT = timedelta(hours=24)
KEY: Any = "idempotency_key"  # in the state of a request
PAGES = "/admin"  # forms, which take no key


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


class ShownOnce(NamedTuple):
    """Of a handler whose response holds a secret: only the fields `kept` are stored, and a repeat gets 409 with them.

    A handler declares it as `opt={"shown_once": ShownOnce(...)}`. `advice`, the end of a sentence, says what to do
    without the secret.
    """

    kept: tuple[str, ...]
    advice: str

    def without_secret(self, body: bytes) -> bytes:
        """Return what is stored of a response."""
        made = json.decode(body)
        return json.encode({name: made[name] for name in self.kept})

    def problem(self, stored: bytes) -> Conflict:
        """Return the response to a repeat."""
        problem = Conflict(
            "The first request with this Idempotency-Key was carried out. Its response held a secret, which is not "
            f"stored: {self.advice}.",
            slug="secret-shown-once",
        )
        problem.current = Raw(stored) if self.kept else None
        return problem


class Repeated(Exception):
    """The request was answered before: send the stored response."""

    def __init__(self, first: IdempotentAnswer):
        super().__init__(first.key)
        self._first = first

    def answer(self) -> Response[bytes]:
        """Return the stored response."""
        first = self._first
        headers = {"idempotency-replayed": "true"} | ({"etag": first.etag} if first.etag else {})
        return Response(first.body, status_code=first.status, headers=headers, media_type=first.content_type)


@dataclass
class IdempotencyKey:
    """The key of a request that has passed the guards of its route.

    It is taken before the handler runs, unless the handler has `opt={"takes_key": True}`: such a handler either writes
    `parameters` with its only statement, or takes the key before it writes. A handler with `opt={"no_key": "..."}`, the
    reason, ignores it.
    """

    database: Database
    session: WriteSession
    user_id: UUID
    value: str
    fingerprint: bytes
    shown_once: ShownOnce | None = None
    is_taken: bool = False

    async def take(self) -> None:
        """Lock the key until the transaction ends, which also stores the response.

        Raise Repeated, Conflict while another request holds the key or when the first response held a secret, or
        Invalid when it was used for another request.
        """
        if not await self.session.scalar(select(func.pg_try_advisory_xact_lock(self._lock))):
            raise Conflict(
                "The first request with this Idempotency-Key is still running.", slug="idempotency-key-in-flight"
            )
        first = await self.session.get(IdempotentAnswer, (self.user_id, self.value))
        if first is None:
            self.is_taken = True
            return
        if first.fingerprint != self.fingerprint:
            raise Invalid(
                "This Idempotency-Key was already used for a different request.", slug="idempotency-key-reused"
            )
        if self.shown_once:
            raise self.shown_once.problem(first.body)
        raise Repeated(first)

    def values(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """Return the row that stores a response."""
        return {
            "user_id": self.user_id,
            "key": self.value,
            "fingerprint": self.fingerprint,
            "status": status,
            "content_type": headers.get("content-type", ""),
            "etag": headers.get("etag", ""),
            "body": body,
            "created_at": now(),
        }

    def parameters(self, response: Response[Any]) -> dict[str, Any]:
        """Return the parameters of `stored_with`, for a response in JSON."""
        headers = {"content-type": "application/json"} | {k.lower(): v for k, v in response.headers.items()}
        row = self.values(response.status_code or HTTPStatus.OK, headers, encode_json(response.content))
        return {f"answer_{name}": value for name, value in row.items()} | {"answer_lock": self._lock}

    @property
    def _lock(self) -> int:
        return int.from_bytes(sha256(f"{self.user_id} {self.value}".encode()).digest()[:8], signed=True)


def stored_with(provided: Select[Any]) -> ReturningInsert[Any]:
    """Build a statement that stores a response if `provided` returns a row, and its key is free and new."""
    table = table_of(IdempotentAnswer)
    row = {column.name: bindparam(f"answer_{column.name}", type_=column.type) for column in table.c}
    is_free = func.pg_try_advisory_xact_lock(bindparam("answer_lock", type_=BigInteger))
    rows = select(*row.values()).select_from(provided.cte("allowed")).where(is_free)
    return insert(table).from_select(list(row), rows).on_conflict_do_nothing().returning(table.c.key)


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
        if key is None or address(scope).startswith(PAGES):
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
            # A handler records a wrong password in a transaction of its own.
            async with self._database.outer_session(origin_of(scope)) as session:
                share(scope, session)
                its_key = IdempotencyKey(self._database, session, user_id, key.decode(), fingerprint)
                scope["state"][KEY] = its_key
                await self._app(scope, _replayed(body, receive), answer.send)
                _store(its_key, answer)
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


def _store(key: IdempotencyKey, answer: Answer) -> None:
    if answer.status >= 400:
        raise Refused
    if key.is_taken:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers.items()}
        body = key.shown_once.without_secret(answer.body) if key.shown_once else answer.body
        key.session.add(IdempotentAnswer(**key.values(answer.status, headers, body)))


def key_of(scope: Scope) -> IdempotencyKey | None:
    """Return the key of a request that has one."""
    key: IdempotencyKey | None = scope["state"].get(KEY)
    return key


EXPIRED = Expired(IdempotentAnswer, columns(IdempotentAnswer).created_at < func.now() - KEPT)
