"""API schemas of personal access tokens."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from todo.schema import ONE_LINE, Schema

TokenName = Annotated[str, Meta(min_length=1, max_length=100, pattern=ONE_LINE, examples=["Backup script"])]
Scope = Annotated[
    str,
    Meta(min_length=1, max_length=100, pattern=ONE_LINE, description="A permission you have.", examples=["tasks.view"]),
]


class TokenIn(Schema):
    """A new token: name, scopes and lifetime."""

    name: TokenName
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=100)]
    expires_in_days: Annotated[int, Meta(ge=1, le=366)] = 90


class TokenOut(Struct):
    """A token, without its secret."""

    id: UUID
    version: int
    name: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class TokenMade(TokenOut):
    """A new token. `token` is shown only once: send it as `Authorization: Bearer ...`."""

    token: str


TokenKind = Literal["session", "personal_token", "identity_provider"]


class CurrentToken(Struct):
    """The token that a request was made with."""

    kind: TokenKind
    id: UUID | None
    user_id: UUID
    name: str
    email: str | None
    scopes: list[str] | None
    permissions: list[str]
    expires_at: datetime


class ScopeOut(Struct):
    """A scope that a personal access token may have."""

    name: str
    description: str
